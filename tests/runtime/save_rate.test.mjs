// The real engine with and without quarantine. How many runs are saved is a matter of speed, and of the machine; that no row is
// taken that was not fatal, and that nothing crashes, is not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { full } from '../integration/scene.mjs';
import { installed } from './runtime.mjs';
import { saveRate } from './save_rate.mjs';

const skip = !full && 'takes 20 minutes: ./test --full';

test('runs that die without quarantine live with it', { skip }, async (t) => {
  assert.ok(installed('4.2.4'), 'npm ci in tests/runtime/4.2.4 is missing');
  const result = await saveRate({ batches: 5, runs: 60, seed: 1 });
  t.diagnostic(JSON.stringify(result));
  const { treated, untreated } = result;
  assert.ok(treated.runs >= 290 && untreated.runs >= 290);
  assert.equal(treated.wrongly_removed, 0);
  assert.equal(result.crashed, 0);
  for (const side of [treated, untreated]) assert.deepEqual([side.failed_without_fatal_row, side.unfinished], [0, 0], side.name);
  assert.ok(untreated.runs_hit > 20 && treated.runs_hit > 20, 'a proof needs runs that were hit');
  const share = ({ hit_and_completed: lived, runs_hit: hit }) => lived / hit;
  assert.ok(share(treated) > 2 * share(untreated), `${share(treated)} lived with it, ${share(untreated)} without`);
});
