// Files, and classes, stay small enough to be read.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../..', import.meta.url).pathname;
const sources = execFileSync('git', ['ls-files', 'daemon', 'decoder', 'tests/unit', 'tests/sim'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => /\.[ch]pp$/.test(file));
const read = (file) => readFileSync(root + file, 'utf8');

const linesMax = 400;

const membersMax = 25;

/** Data members of each class, by the underscore at the end of their names (structs of plain values have none); those of classes inside it count apart. */
function membersOf(text) {
  const found = {};
  const open = [];
  let depth = 0;
  for (const line of text.split('\n').map((each) => each.replace(/\/\/.*/, '').replace(/"(?:[^"\\]|\\.)*"/g, '""'))) {
    const opened = /^\s*(?:class|struct)\s+(?:\w+::)*(\w+)(?:\s+final)?[^;]*\{\s*$/.exec(line);
    if (opened) open.push({ name: opened[1], depth });
    else if (open.length > 0 && depth === open.at(-1).depth + 1 && /^\s+[\w:<>,*&() ]*[\w>*&] \w+_(?:\s*(?:=|\{).*)?;\s*$/.test(line) && !/^\s*(?:return|using|typedef)\b/.test(line)) {
      found[open.at(-1).name] = (found[open.at(-1).name] ?? 0) + 1;
    }
    depth += (line.match(/\{/g) ?? []).length - (line.match(/\}/g) ?? []).length;
    while (open.length > 0 && depth <= open.at(-1).depth) open.pop();
  }
  return found;
}

const above = (max, sizes) => Object.entries(sizes).filter(([, size]) => size > max);

test(`no source has more than ${linesMax} lines`, () => {
  assert.deepEqual(above(linesMax, Object.fromEntries(sources.map((file) => [file, read(file).split('\n').length - 1]))), []);
});

test(`no class has more than ${membersMax} data members`, () => {
  const sizes = {};
  for (const file of sources) {
    for (const [name, count] of Object.entries(membersOf(read(file)))) sizes[`${file} ${name}`] = count;
  }
  assert.ok(Object.keys(sizes).length > 50, 'the pattern finds no members any more');
  assert.deepEqual(above(membersMax, sizes), []);
});

test('members are counted by class', () => {
  const text = [
    'class Outer final : private Base {',
    ' public:',
    '  struct Inner {',
    '    int a_ = 0;',
    '  };',
    '  [[nodiscard]] int a() const { return a_; }',
    ' private:',
    '  void work(int b_);',
    '  std::map<int, std::string> c_;',
    '  bool d_ = false;  ///< why',
    '  core::Instant e_{};',
    '};',
    'class Next {',
    '  const Config& f_;',
    '};',
  ].join('\n');
  assert.deepEqual(membersOf(text), { Inner: 1, Outer: 3, Next: 1 });
});
