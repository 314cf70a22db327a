// The engine's tables beside the log: what is stuck or shared there is told once it lasts, only where the role may read it, and
// never with a token. Jobs of the queue are counted without a right.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { installQueue } from '../writers/install_queue.mjs';
import { daemonFor, insertEvents, runSetup, serverWithSchema } from './scene.mjs';

const RUN = 'wrun_01K00000000000000000000001';
const GRANTS = `GRANT SELECT (run_id, hook_id, token) ON workflow.workflow_hooks TO dupwatch;
  GRANT USAGE ON SCHEMA graphile_worker TO dupwatch;
  GRANT SELECT (id, task_identifier, attempts, max_attempts, locked_at) ON graphile_worker.jobs TO dupwatch`;

const hook = (cluster, id, token) => cluster.query(`INSERT INTO workflow.workflow_hooks (run_id, hook_id, token, owner_id, project_id, environment) VALUES ($1, $2, $3, 'o', 'p', 'e')`, [RUN, id, token]);
const wait = (cluster, number, status) => cluster.query(`INSERT INTO workflow.workflow_waits (wait_id, run_id, status) VALUES ($1, $2, $3)`, [`${RUN}-wait_${number}`, RUN, status]);
/** A job of the queue that has been tried so often; its number. */
async function job(cluster, attempts, lockedAt = null) {
  const [{ id }] = await cluster.query("SELECT id FROM graphile_worker.add_job('workflow_flows', '{}'::json, max_attempts => 25)");
  await cluster.query('UPDATE graphile_worker._private_jobs SET attempts = $2, locked_at = $3 WHERE id = $1', [id, attempts, lockedAt]);
  return id;
}

async function rows(daemon) {
  const text = await (await daemon.fetch('/metrics')).text();
  return Object.fromEntries([...text.matchAll(/^dupwatch_engine_table_rows\{kind="(\w+)"\} (\d+)$/gm)].map(([, kind, count]) => [kind, Number(count)]));
}

test('what lasts is told once, until it is gone; what may not be read is left out and said', async (t) => {
  const cluster = await serverWithSchema(t);
  await installQueue(cluster.uri());
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: 'dupwatch' }) }, recheck: { interval: '300ms' } });
  await runSetup(cluster, daemon);
  await daemon.start();
  const unread = await daemon.line('word of what is not read', ({ event }) => event === 'engine_tables');
  assert.equal(unread.unwatched, 'hook_token, given_up_job', 'setup grants the waits');
  await hook(cluster, 'hook_1', 'secret-of-both');
  await hook(cluster, 'hook_2', 'secret-of-both');
  await hook(cluster, 'hook_3', 'another');
  await insertEvents(cluster, [{ run: RUN, type: 'wait_completed', correlation: 'wait_1' }]);
  await wait(cluster, 1, 'completed');
  await wait(cluster, 2, 'completed');
  await wait(cluster, 3, 'waiting');
  const givenUp = await job(cluster, 25);
  await job(cluster, 24);
  await job(cluster, 25, new Date());
  await sleep(1500);
  assert.deepEqual(await rows(daemon), { silent_wait: 1 });
  assert.equal(await daemon.metric('dupwatch_queue_jobs_total'), 3);

  await cluster.query(GRANTS);
  await daemon.until('all three kinds', async () => Object.values(await rows(daemon)).join() === '1,1,1', 10_000);
  await sleep(1000);
  const told = daemon.lines.filter(({ event }) => event === 'engine_table').map(({ kind, run_id: run, what }) => ({ kind, run, what }));
  assert.deepEqual(told, [
    { kind: 'silent_wait', run: RUN, what: `${RUN}-wait_2` },
    { kind: 'hook_token', run: RUN, what: 'hook_1, hook_2' },
    { kind: 'given_up_job', run: '', what: `workflow_flows ${givenUp}` },
  ]);
  assert.ok(!daemon.lines.some(({ text }) => text.includes('secret-of-both')), 'no token');
  const { rows: shown, ...counts } = (await daemon.json('/api/status')).engine_tables;
  assert.deepEqual(counts, { hook_token: 1, silent_wait: 1, given_up_job: 1, queue_jobs: 3 });
  assert.deepEqual(shown.map(({ kind, run_id: run, what }) => ({ kind, run, what })), ['hook_token', 'silent_wait', 'given_up_job'].map((kind) => told.find((row) => row.kind === kind)));
  for (const row of shown) assert.ok(row.meaning && row.remedy && !JSON.stringify(row).includes('secret-of-both'));

  await cluster.query(`DELETE FROM workflow.workflow_hooks; UPDATE workflow.workflow_waits SET status = 'waiting'`);
  // As the runbook says.
  await cluster.query('SELECT FROM graphile_worker.reschedule_jobs(ARRAY[$1::bigint], run_at => now(), attempts => 0)', [givenUp]);
  await daemon.until('nothing', async () => Object.values(await rows(daemon)).join() === '0,0,0', 10_000);
  await cluster.query('REVOKE ALL ON workflow.workflow_hooks FROM dupwatch');
  await daemon.until('the hooks left out', async () => !('hook_token' in await rows(daemon)), 10_000);
  assert.deepEqual((await daemon.json('/api/status')).engine_tables, { hook_token: null, silent_wait: 0, given_up_job: 0, queue_jobs: 3, rows: [] });
  assert.equal((await daemon.fetch('/readyz')).status, 200);

  // Without an answer for a while the numbers go, rather than stay as they were.
  await cluster.stop('immediate');
  await daemon.until('no number', async () => Object.keys(await rows(daemon)).length === 0 && (await daemon.metric('dupwatch_queue_jobs_total')) === undefined, 10_000);
});
