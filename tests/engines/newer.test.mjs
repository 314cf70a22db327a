// A release of the engine that no verdict was compared with fails ./test --full, so that somebody replays it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { compare, newer, newerThan } from './newer.mjs';

test('versions are compared as npm does', () => {
  const order = ['4.8.9', '4.8.10', '4.10.0', '5.0.0-alpha.9', '5.0.0-beta.9', '5.0.0-beta.55', '5.0.0', '5.0.1'];
  for (let i = 1; i < order.length; i += 1) {
    assert.ok(compare(order[i - 1], order[i]) < 0, `${order[i - 1]} ${order[i]}`);
    assert.ok(compare(order[i], order[i - 1]) > 0);
  }
  assert.equal(compare('5.0.0-beta.7', '5.0.0-beta.7'), 0);
});

test('newer is what its own line does not have, and any later major', () => {
  const tested = ['4.8.9', '5.0.0-beta.55'];
  assert.deepEqual(newerThan(tested, ['4.2.4', '4.8.9', '5.0.0-beta.41', '5.0.0-beta.55', '3.9.9', '0.0.0-snapshot-x']), []);
  assert.deepEqual(newerThan(tested, ['4.8.10', '5.0.0-beta.56', '5.0.0', '6.0.0-beta.1']), ['4.8.10', '5.0.0-beta.56', '5.0.0', '6.0.0-beta.1']);
});

test('the registry serves nothing newer than what was replayed', { skip: process.env.DUPWATCH_FULL ? false : 'asks the registry: DUPWATCH_FULL=1' }, async (t) => {
  const found = await newer().catch((error) => error);
  if (found instanceof Error) return t.skip(`the registry does not answer: ${found.message.split('\n')[0]}`);
  assert.deepEqual(found, {}, 'replay these (tests/engines/README.md), then name them in newer.mjs');
});
