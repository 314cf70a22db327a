// The guard under the load that makes duplicates without it: three workers of the real engine, paused in turn.
//   DUPWATCH_FULL=1 [DUPWATCH_RUNS=N] node --test tests/runtime/guard_load.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue, DUPLICATES, guard } from '../integration/guard_scene.mjs';
import { EVENTS, full, serverWithSchema } from '../integration/scene.mjs';
import { build, installed, prng, raced, startWorker } from './runtime.mjs';

const skip = !full && 'takes 5 minutes: ./test --full';
const RUNS = Number(process.env.DUPWATCH_RUNS ?? 60);
const VERSION = '4.2.4';

// Every row of a step behind a closing event of the step by id, which is what kills a run, and whether the closing event
// had committed when the row did. The guard's lock is held to the end of the transaction, so with it the two differ.
const LATE = `
  SELECT l.run_id, l.type::text AS type, bool_or(pg_xact_commit_timestamp(c.xmin) <= pg_xact_commit_timestamp(l.xmin)) AS was_closed
  FROM ${EVENTS} l JOIN ${EVENTS} c ON c.run_id = l.run_id AND c.correlation_id = l.correlation_id AND c.id COLLATE "C" < l.id COLLATE "C"
  WHERE l.type IN ('step_created', 'step_started', 'step_retrying') AND c.type IN ('step_completed', 'step_failed')
  GROUP BY l.run_id, l.id, l.type`;
const RUN_STATES = `
  SELECT id, status::text AS status, substring(coalesce(error, encode(error_cbor, 'escape')) from 'Unconsumed event in event log: eventType=[a-z_]+') AS error
  FROM workflow.workflow_runs WHERE id = ANY ($1)`;

for (const [scope, options] of [['created', []], ['lifecycle', ['--lifecycle']]]) {
  test(`no duplicate and no crash with the guard, scope ${scope}`, { skip }, async (t) => {
    assert.ok(installed(VERSION), `npm ci in tests/runtime/${VERSION} is missing`);
    build(VERSION);
    const cluster = await serverWithSchema(t, { settings: { track_commit_timestamp: 'on' } });
    const workers = [];
    t.after(() => workers.forEach((worker) => worker.kill()));
    for (let i = 0; i < 3; i += 1) workers.push(await startWorker(VERSION, cluster.uri()));
    const before = await catalogue(cluster); // The engine's queue makes its tables when a worker starts.
    const install = await guard(cluster, ['install', '--yes', ...options]);
    assert.deepEqual([install.code, install.answer?.guard.scope], [0, scope], install.stderr);

    const ids = await raced(cluster, workers, RUNS, prng(1));
    const { guard: state } = (await guard(cluster, ['status'])).answer;
    const runs = await cluster.query(RUN_STATES, [ids]);
    const late = await cluster.query(LATE);
    const failed = runs.filter(({ status }) => status !== 'completed');
    t.diagnostic(JSON.stringify({
      scope, runs: runs.length, completed: runs.length - failed.length, suppressed: state.suppressed, passed: state.passed, late: late.length,
      late_and_closed: late.filter((row) => row.was_closed).length, runs_with_late_rows: new Set(late.map((row) => row.run_id)).size, failed,
    }));

    assert.deepEqual(workers.map(({ ended, errors }) => (ended ? errors : 'alive')), ['alive', 'alive', 'alive']);
    assert.deepEqual(await cluster.query(DUPLICATES), []);
    assert.ok(runs.length >= 0.9 * RUNS && state.suppressed > RUNS && state.passed === 0, 'a proof needs rows that were kept out');
    assert.deepEqual(late.filter(({ type }) => type === 'step_created'), []);
    if (scope === 'lifecycle') assert.deepEqual(late.filter((row) => row.was_closed), []);
    // What neither scope can keep out may kill a run, and nothing else may.
    const hit = new Set(late.map((row) => row.run_id));
    assert.deepEqual(failed.filter(({ id, status }) => status !== 'failed' || !hit.has(id)), []);

    assert.equal((await guard(cluster, ['remove', '--yes'])).answer.result, 'done');
    assert.deepEqual(await catalogue(cluster), before);
  });
}
