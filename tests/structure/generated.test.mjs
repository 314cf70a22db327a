// What ./generate writes is what is committed.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

test('every generated file is up to date', () => {
  const { status, stderr } = spawnSync(fileURLToPath(new URL('../../generate', import.meta.url)), ['--check'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});
