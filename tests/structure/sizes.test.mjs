// Files, and classes, stay small enough to be read. What is larger is named here, with a bound of its own.
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
const largerFiles = {};

const membersMax = 25;
const largerClasses = {
  // Lists through the runs and counters of what they take; none of it is used without the others.
  'daemon/core/run_index.hpp RunIndex': 28,
};

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

/** What is above `max`, held against the sizes that are known. */
function assertBounded(sizes, max, known) {
  const larger = Object.fromEntries(Object.entries(sizes).filter(([, size]) => size > max));
  for (const [name, size] of Object.entries(larger)) assert.ok(size <= (known[name] ?? max), `${name} has ${size}, ${known[name] ?? max} are the most`);
  assert.deepEqual(Object.keys(known).filter((name) => !(name in larger)), [], 'these are small by now: take them off the list');
}

test(`no source has more than ${linesMax} lines`, () => {
  assertBounded(Object.fromEntries(sources.map((file) => [file, read(file).split('\n').length - 1])), linesMax, largerFiles);
});

test(`no class has more than ${membersMax} data members`, () => {
  const sizes = {};
  for (const file of sources) {
    for (const [name, count] of Object.entries(membersOf(read(file)))) sizes[`${file} ${name}`] = count;
  }
  assert.ok(Object.keys(sizes).length > 50, 'the pattern finds no members any more');
  assertBounded(sizes, membersMax, largerClasses);
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
