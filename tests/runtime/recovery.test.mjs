// Quarantine within the recovery replays of later engines (4.3.1 and on): a run with a fatal row is replayed three times more
// before it is given up. How many runs are saved is a matter of speed; that none lives without help, and no other row goes, is not.
//   DUPWATCH_FULL=1 [DUPWATCH_RUNS=N] node --test tests/runtime/recovery.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { full } from '../integration/scene.mjs';
import { recovery } from './recovery.mjs';
import { installed } from './runtime.mjs';

const skip = !full && 'takes 5 minutes: ./test --full';
const VERSION = '4.8.9';
const RUNS = Number(process.env.DUPWATCH_RUNS ?? 10);

test('runs that die without quarantine live with it while the engine tries again', { skip }, async (t) => {
  assert.ok(installed(VERSION), `npm ci in tests/runtime/${VERSION} is missing`);
  const result = await recovery({ version: VERSION, batches: 3, runs: RUNS, seed: '1' });
  t.diagnostic(JSON.stringify(result));
  const { treated, untreated } = result;
  assert.equal(result.crashed, 0);
  for (const side of [treated, untreated]) {
    assert.ok(side.runs >= 11 * RUNS, `${side.runs} runs`);
    assert.deepEqual([side.runs_hit, side.failed_without_fatal_row, side.unfinished], [side.runs, 0, 0], side.name);
  }
  assert.deepEqual([untreated.completed, untreated.removed], [0, 0], 'each of the rows is fatal');
  assert.equal(treated.wrongly_removed, 0);
  assert.ok(treated.removed > 0 && treated.completed > 0, `${treated.completed} of ${treated.runs} lived`);
});
