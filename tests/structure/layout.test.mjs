// The rooms of daemon/ and who may use whom. CMake's link lists are the rule; this test holds the includes against them,
// since a header can be included without its library being linked.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';

const root = new URL('../..', import.meta.url).pathname;
const read = (file) => readFileSync(root + file, 'utf8');
const files = execFileSync('git', ['ls-files', 'daemon', 'decoder'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => /\.[ch]pp$/.test(file));
const includesOf = (file) => [...read(file).matchAll(/^#include "([^"]+)"/gm)].map((match) => match[1]);
const roomOf = (file) => dirname(file).replace(/^daemon\//, '');

/** From the bottom up, as daemon/CMakeLists.txt builds them. */
function roomsInOrder() {
  return ['decoder', ...[...read('daemon/CMakeLists.txt').matchAll(/^add_subdirectory\((\w+)\)/gm)].map((match) => match[1])];
}

/** The rooms that a room's libraries link, over links of links. */
function linkedRooms(room) {
  const reached = new Set();
  const visit = (name) => {
    for (const list of read(name === 'decoder' ? 'decoder/CMakeLists.txt' : `daemon/${name}/CMakeLists.txt`).matchAll(/target_link_libraries\(([^)]*)\)/g)) {
      for (const [, target] of list[1].matchAll(/dupwatch_(\w+)/g)) {
        const other = target.replace(/_rules$/, '');
        if (other === 'flags' || other === room || reached.has(other)) continue;
        reached.add(other);
        visit(other);
      }
    }
  };
  visit(room);
  return reached;
}

test('every include leads to a room that is linked, and none leads up', () => {
  const order = roomsInOrder();
  const wrong = [];
  for (const room of order) {
    const linked = linkedRooms(room);
    for (const other of linked) {
      if (order.indexOf(other) >= order.indexOf(room)) wrong.push(`dupwatch_${room} links dupwatch_${other}, which is not below it`);
    }
    for (const file of files.filter((name) => roomOf(name) === room)) {
      for (const other of includesOf(file).map(roomOf)) {
        if (other !== room && !linked.has(other)) wrong.push(`${file} includes daemon/${other}, which dupwatch_${room} does not link`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('no file includes itself, over any number of others', () => {
  const done = new Set();
  const circles = [];
  const visit = (file, path) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (path.includes(file) || done.has(file)) return;
    for (const other of includesOf(file).filter((name) => files.includes(name))) visit(other, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  assert.deepEqual(circles, []);
});

test('only daemon/postgres names libpq', () => {
  const named = files.filter((file) => /#include\s*[<"]libpq/.test(read(file))).map(roomOf);
  assert.deepEqual([...new Set(named)], ['postgres']);
});

test('the core and the decoder read neither a clock nor randomness', () => {
  const impure = files.filter((file) => ['core', 'decoder'].includes(roomOf(file)) && /steady_clock::now|system_clock::now|clock_gettime|random_device/.test(read(file)));
  assert.deepEqual(impure, []);
});

test('every header compiles alone', () => {
  // A source that includes its header first proves that header; the others are compiled here, in one run of the compiler.
  const first = new Set(files.filter((file) => file.endsWith('.cpp')).map((file) => includesOf(file)[0]));
  const misplaced = files.filter((file) => file.endsWith('.cpp') && files.includes(file.replace(/cpp$/, 'hpp')) && basename(includesOf(file)[0] ?? '') !== basename(file).replace(/cpp$/, 'hpp'));
  assert.deepEqual(misplaced, [], 'a source includes its own header first');
  const alone = files.filter((file) => file.endsWith('.hpp') && !first.has(file));
  const source = (file) => `-xc++\n${file}`;
  execFileSync('g++', ['-std=c++20', '-fsyntax-only', `-I${root}`, '-Wno-pragma-once-outside-header', ...alone.flatMap((file) => source(file).split('\n'))], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  assert.ok(alone.length > 0);
});
