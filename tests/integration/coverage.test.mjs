// What may have gone unseen is declared, scanned for and closed; a gap is never silent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENTS, assertTruth, daemonFor, race, serverWithSchema } from './scene.mjs';

const gapsOf = async (daemon) => (await daemon.status()).coverage.gaps;

/** Waits until every gap is closed and gives all of them. */
async function covered(daemon) {
  await daemon.until('complete coverage', async () => (await daemon.status()).coverage.complete_since !== null);
  return gapsOf(daemon);
}

async function openRun(cluster, run) {
  await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ($1, 'd', 'running', 'w')`, [run]);
}

const insertTwice = (cluster, run, n) => cluster.query(`INSERT INTO ${EVENTS} (id, type, correlation_id, run_id)
  SELECT 'wevt_01JZ000000000000000000000' || i, 'step_created', 'step_01JZ00000000000000000000' || $2::text, $1
  FROM generate_series(0, 1) i`, [run, String(n).padStart(2, '0')]);

test('the first start declares what was there before, and closes it', async (t) => {
  const cluster = await serverWithSchema(t);
  await race(cluster, { runs: 30, processes: 2 });
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json' }, baseline: 'all' });
  await daemon.start();
  const gaps = await covered(daemon);
  assert.deepEqual(gaps.map((gap) => gap.reason), ['first_start']);
  assert.ok(gaps[0].closed_at >= gaps[0].opened_at && gaps[0].to_lsn && gaps[0].from_lsn === null);
  assert.equal(await daemon.metric('dupwatch_coverage_gaps_total'), 1);
  assert.equal(await daemon.metric('dupwatch_open_coverage_gaps'), 0);
  assert.ok(await daemon.metric('dupwatch_coverage_complete_since_timestamp_seconds') > 1.7e9);
  await daemon.line('the gap', (line) => line.event === 'coverage_gap' && line.gap === 'first_start');
  await daemon.line('the end of the gap', (line) => line.event === 'coverage_gap_closed' && line.gap === 'first_start');
  await assertTruth(daemon, { atLeast: 20 });
});

test('a trusted past is no gap', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json' }, baseline: 'none' });
  await daemon.start();
  assert.deepEqual(await covered(daemon), []);
});

test('a slot that is dropped under the daemon leaves a gap, and the scan finds what was missed', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json' }, connection: { backoff_min: '1s' } });
  await daemon.start();
  await covered(daemon);
  const run = 'wrun_01JZ0000000000000000000000';
  await openRun(cluster, run);
  await cluster.query(`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'dupwatch'`);
  await daemon.until('the slot to be free', async () => {
    const dropped = await cluster.query(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
      WHERE slot_name = 'dupwatch' AND NOT active`).catch(() => []);
    return dropped.length === 1;
  });
  await insertTwice(cluster, run, 1);
  await daemon.until('a gap', async () => (await gapsOf(daemon)).some((gap) => gap.reason === 'slot_created'));
  await daemon.ready();
  const gaps = await covered(daemon);
  assert.equal(gaps.at(-1).reason, 'slot_created');
  const result = await assertTruth(daemon, { atLeast: 1 });
  assert.equal(result.found, 1);
});

test('a slot that was moved ahead leaves a gap', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json' }, connection: { backoff_min: '1s' } });
  await daemon.start();
  await covered(daemon);
  const run = 'wrun_01JZ0000000000000000000001';
  await openRun(cluster, run);
  await cluster.query(`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'dupwatch'`);
  await daemon.until('the slot to be moved', async () => {
    const free = await cluster.query(`SELECT FROM pg_replication_slots WHERE slot_name = 'dupwatch' AND NOT active`);
    if (free.length === 0) return false;
    await insertTwice(cluster, run, 2).catch(() => {}); // again when the daemon was faster
    return (await cluster.query(`SELECT pg_replication_slot_advance('dupwatch', pg_current_wal_lsn())`).catch(() => [])).length === 1;
  });
  await daemon.until('a gap', async () => (await gapsOf(daemon)).some((gap) => gap.reason === 'position_ahead'));
  const status = await daemon.fetch('/readyz');
  if (status.status !== 200) assert.match(await status.text(), /coverage gap|not streaming|catching up/);
  await covered(daemon);
  await assertTruth(daemon, { atLeast: 1 });
});

test('a table that is renamed and comes back leaves a gap until it was scanned', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json' } });
  await daemon.start();
  await covered(daemon);
  const run = 'wrun_01JZ0000000000000000000002';
  await openRun(cluster, run);
  await cluster.query(`ALTER TABLE ${EVENTS} RENAME TO away`);
  await daemon.until('a gap', async () => (await gapsOf(daemon)).some((gap) => gap.reason === 'table_changed'));
  assert.equal((await daemon.fetch('/readyz')).status, 503);
  // Under its other name its rows do not come through the slot.
  await cluster.query(`INSERT INTO workflow.away (id, type, correlation_id, run_id)
    SELECT 'wevt_01JZ000000000000000000010' || i, 'step_created', 'step_01JZ0000000000000000000003', $1 FROM generate_series(0, 1) i`, [run]);
  await cluster.query('ALTER TABLE workflow.away RENAME TO workflow_events');
  await covered(daemon);
  await daemon.ready();
  const result = await assertTruth(daemon, { atLeast: 1 });
  assert.equal(result.found, 1);
});
