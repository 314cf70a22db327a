// A slot that the server gives up: by policy it is made anew and what it missed is scanned for, or dupwatch stops, or polls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTruth, daemonFor, eventId, insertEvents, serverWithSchema, slots } from './scene.mjs';
import { writeWal } from './wal.mjs';

const SMALL = { max_slot_wal_keep_size: '16MB', max_wal_size: '32MB', min_wal_size: '32MB' };

async function openRun(cluster, run) {
  await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ($1, 'd', 'running', 'w')`, [run]);
}

const twice = (cluster, run, step) => insertEvents(cluster, [0, 1].map(() => ({ run, type: 'step_created', correlation: step, id: eventId() })));
const lost = async (cluster) => (await cluster.query(`SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'dupwatch'`))[0]?.wal_status === 'lost';
const gaps = async (daemon) => (await daemon.status()).coverage.gaps;

/** A stopped daemon whose slot was lost, and a duplicate that it has not seen. */
async function scene(t, slot) {
  const cluster = await serverWithSchema(t, { settings: SMALL });
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json', ...slot }, poll: { interval: '1s' }, baseline: 'active' });
  await daemon.start();
  await daemon.stop();
  await openRun(cluster, 'wrun_1');
  await twice(cluster, 'wrun_1', 'step_1');
  await writeWal(cluster, { until: () => lost(cluster) });
  return { cluster, daemon };
}

test('a lost slot is made anew, and the scan finds what it missed', async (t) => {
  const { cluster, daemon } = await scene(t, {});
  await daemon.start();
  await daemon.line('the drop of the lost slot', (line) => line.event === 'slot_dropped' && line.why === 'slot_lost');
  await daemon.until('the end of the gap', async () => (await gaps(daemon)).some((gap) => gap.closed_at !== null));
  assert.deepEqual((await gaps(daemon)).map((gap) => gap.reason), ['slot_lost']);
  assert.equal(await daemon.metric('dupwatch_slot_lost_total'), 1);
  assert.equal((await daemon.status()).mode, 'streaming');
  const before = await assertTruth(daemon, { atLeast: 1 });
  assert.equal(before.found, 1);
  // A row of the gap and one of the new stream.
  await insertEvents(cluster, [{ run: 'wrun_1', type: 'step_created', correlation: 'step_1' }]);
  await assertTruth(daemon, { atLeast: 2 });
  assert.equal((await slots(cluster)).length, 1);
});

test('a slot that is lost under the stream is made anew', async (t) => {
  const cluster = await serverWithSchema(t, { settings: SMALL });
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json' }, poll: { interval: '1s' } });
  await daemon.start();
  await openRun(cluster, 'wrun_1');
  // What an open transaction wrote has to be decoded once it commits, so it holds the slot back.
  const holder = await cluster.client();
  try {
    await holder.query('BEGIN');
    await holder.query(`SELECT pg_logical_emit_message(true, 'held', 'x')`);
    await writeWal(cluster, { until: async () => daemon.lines.some((line) => line.reason === 'slot_lost') });
    await twice(cluster, 'wrun_1', 'step_1');
  } finally {
    await holder.end();
  }
  await daemon.until('the end of the gap', async () => (await gaps(daemon)).some((gap) => gap.reason === 'slot_lost' && gap.closed_at !== null));
  const result = await assertTruth(daemon, { atLeast: 1 });
  assert.equal(result.found, 1);
});

test('lost_policy: stop ends with exit code 3 and the remedy, and leaves the slot', async (t) => {
  const { cluster, daemon } = await scene(t, { lost_policy: 'stop' });
  await daemon.start({ ready: false });
  assert.equal((await daemon.ended).code, 3);
  assert.ok(daemon.lines.some((line) => line.exit_code === '3' && /max_slot_wal_keep_size/.test(line.remedy)), daemon.tail());
  assert.ok(await lost(cluster));
});

test('create: false neither drops nor creates', async (t) => {
  const { cluster, daemon } = await scene(t, {});
  daemon.configure({ ...daemon.config, slot: { ...daemon.config.slot, create: false } });
  await daemon.start({ ready: false });
  assert.equal((await daemon.ended).code, 3);
  assert.ok(await lost(cluster));
});

test('lost_policy: poll goes on by polling and says so', async (t) => {
  const { cluster, daemon } = await scene(t, { lost_policy: 'poll' });
  await daemon.start({ ready: false });
  await daemon.line('polling', (line) => line.event === 'polling');
  await daemon.until('the first duplicate', async () => (await daemon.json('/api/findings')).total >= 1);
  // A finding is told at once, the metrics' snapshot is up to a second older.
  await daemon.until('the count of polls', async () => await daemon.metric('dupwatch_polls_total') >= 1);
  await assertTruth(daemon, { caughtUp: false, atLeast: 1 });
  await twice(cluster, 'wrun_1', 'step_2');
  await daemon.until('the second duplicate', async () => (await daemon.json('/api/findings')).total >= 2);
  await assertTruth(daemon, { caughtUp: false, atLeast: 2 });
  const status = await daemon.status();
  assert.equal(status.mode, 'polling');
  assert.equal(status.state, 'polling');
  assert.deepEqual(status.coverage.gaps.filter((gap) => gap.closed_at === null).map((gap) => gap.reason), ['slot_lost']);
  const ready = await daemon.fetch('/readyz');
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /polling every 1 s/);
  const metrics = await (await daemon.fetch('/metrics')).text();
  assert.match(metrics, /^dupwatch_watch_mode\{mode="polling"\} 1$/m);
  assert.ok(await lost(cluster), 'the lost slot is left to the operator');
  assert.equal((await daemon.stop()).code, 0);
});
