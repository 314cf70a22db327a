// Every decision says whether it stands and since when, and the index names it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const folder = new URL('../../daemon/decisions/', import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), 'utf8');
const decisions = readdirSync(folder).filter((name) => name !== 'README.md');

for (const name of decisions) {
  test(`${name} has its number in the title, and a status with a date`, () => {
    const [title, , status] = read(name).split('\n');
    assert.ok(title.startsWith(`# ${Number(name.slice(0, 4))}. `), title);
    assert.match(status, /^Status: (accepted|replaced) on 20\d\d-\d\d-\d\d(\.|; .*\[decision \d+\]\(\d{4}-[a-z-]+\.md\))/);
  });
}

test('the index has one row for each decision, in order, and no number is used twice', () => {
  const rows = [...read('README.md').matchAll(/^\| \[(\d+)\]\(([^)]+)\) \| \S.*\|$/gm)];
  assert.deepEqual(rows.map(([, , file]) => file), [...decisions].sort());
  assert.deepEqual(rows.map(([, number]) => Number(number)), [...new Set(decisions.map((name) => Number(name.slice(0, 4))))].sort((a, b) => a - b));
});
