// Every shape on every engine gives the recorded verdict, so the table in README.md is what the engines do.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { COLUMNS, enginesInstalled, VERSIONS } from './engine.mjs';
import { replayAll } from './replay.mjs';
import { outcomes, shapeLogs, shapes } from './shapes.mjs';

const skip = enginesInstalled() ? false : 'engines are not installed: npm ci --ignore-scripts in each version folder';

for (const version of VERSIONS) {
  test(`the shapes on @workflow/core ${version}`, { skip }, async () => {
    const cases = await shapeLogs(version);
    const verdicts = await replayAll(version, cases.map(({ log }) => log));
    const wrong = cases.flatMap(({ name, expected }, index) => {
      const { outcome, message } = verdicts[index];
      return outcome === expected ? [] : [`${name}: ${outcome} (${message}), recorded is ${expected}`];
    });
    assert.deepEqual(wrong, []);
    assert.ok(cases.length >= 70, `only ${cases.length} shapes`);
  });
}

test('shapes have unique names and known outcomes', () => {
  assert.equal(new Set(shapes.map(({ name }) => name)).size, shapes.length);
  for (const { name, expected } of shapes) {
    assert.equal(expected.length, COLUMNS.length, name);
    for (const outcome of expected) assert.ok(outcome === '-' || outcome in outcomes, name);
  }
});

test('README.md has the table of shapes', () => {
  const readme = fs.readFileSync(new URL('README.md', import.meta.url), 'utf8');
  for (const { name, expected } of shapes) {
    const line = `| ${name} | ${expected.join(' | ')} |`;
    assert.ok(readme.includes(line), `README.md lacks the line ${line}`);
  }
});
