// The message of dupwatch's own that goes through the slot and back: seen to come back, seen when it does not, and never
// a reason to begin a stream anew that is only behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTruth, daemonFor, EVENTS, eventId, insertEvents, serverWithSchema, slots } from './scene.mjs';

const FAST = { interval: '100ms', timeout: '3s' };

const roundTrips = (daemon) => daemon.metric('dupwatch_heartbeat_roundtrip_seconds_count');

async function lostStreams(daemon) {
  const text = await (await daemon.fetch('/metrics')).text();
  return Number(/^dupwatch_stream_disconnects_total\{reason="heartbeat_lost"\} (\d+)$/m.exec(text)[1]);
}

const reason = async (daemon) => (await daemon.status()).reason;

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`messages come back, others' are ignored, and the slot moves on, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t);
    const daemon = await daemonFor(t, cluster, { slot: { plugin }, heartbeat: FAST });
    await daemon.start();
    await daemon.until('three round trips', async () => (await roundTrips(daemon)) >= 3);
    assert.equal(await daemon.metric('dupwatch_heartbeat_enabled'), 1);
    assert.equal(await daemon.metric('dupwatch_heartbeat_failures_total'), 0);
    const { heartbeat } = await daemon.status();
    assert.deepEqual([heartbeat.enabled, heartbeat.failures], [true, 0]);
    assert.ok(Math.abs(Date.parse(heartbeat.last_returned) - Date.now()) < 60_000, heartbeat.last_returned);

    // Foreign ones with our prefix, within a transaction with events and without one.
    const emit = (transactional, text) => cluster.query("SELECT pg_logical_emit_message($1::boolean, 'dupwatch', $2::text)", [transactional, text]);
    await emit(false, 'beat 0000000000000000');
    await emit(true, 'x'.repeat(1_000_000));
    await cluster.query(`BEGIN; INSERT INTO ${EVENTS} (run_id, type, id) VALUES ('wrun_b', 'run_created', '${eventId(1)}');
      SELECT pg_logical_emit_message(false, 'dupwatch', 'within'); SELECT pg_logical_emit_message(true, 'dupwatch', 'within');
      INSERT INTO ${EVENTS} (run_id, type, id) VALUES ('wrun_b', 'run_created', '${eventId(2)}'); COMMIT`);
    await assertTruth(daemon);
    assert.equal(await daemon.metric('dupwatch_decode_errors_total'), 0);
    assert.equal(await lostStreams(daemon), 0);
  });
}

test('one that another database swallows is missed: not ready, stream begun anew, and not in a loop', async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.createDatabase('elsewhere');
  // Written to the same WAL, sent to no slot of this database: a pipe that is open and deaf.
  const daemon = await daemonFor(t, cluster, { heartbeat: { interval: '100ms', timeout: '1s', dsn: cluster.dsn({ dbname: 'elsewhere' }) } });
  await daemon.start({ ready: false });
  const line = await daemon.line('a stream begun anew', ({ reason: why }) => why === 'heartbeat_lost');
  assert.equal(line.level, 'warn');
  assert.match(line.text, /has sent what was written after it/);
  await daemon.until('the reason in /readyz', async () => /heartbeat has not come back/.test(await reason(daemon)));
  assert.equal((await daemon.fetch('/readyz')).status, 503);
  await daemon.until('a second time', async () => (await lostStreams(daemon)) === 2);
  // Each takes twice as long as the one before.
  const times = daemon.lines.filter(({ reason: why }) => why === 'heartbeat_lost').length;
  assert.ok(times <= 3, `${times} restarts`);
  // What is watched is watched all the same.
  await insertEvents(cluster, [{ run: 'wrun_c', type: 'run_created' }, { run: 'wrun_c', type: 'run_created' }]);
  await assertTruth(daemon);
  assert.equal(await roundTrips(daemon), 0);
});

test('a walsender that is busy is waited for', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { heartbeat: FAST });
  await daemon.start();
  await daemon.until('a round trip', async () => (await roundTrips(daemon)) >= 1);
  // As one that decodes a large transaction: the slot has its reader, and nothing comes.
  const pid = Number((await slots(cluster))[0].active_pid);
  process.kill(pid, 'SIGSTOP');
  try {
    await daemon.until('the reason in /readyz', async () => /heartbeat has not come back/.test(await reason(daemon)));
    assert.equal((await daemon.fetch('/readyz')).status, 503);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await daemon.ready();
  await daemon.until('the next round trip', async () => (await roundTrips(daemon)) >= 2);
  assert.equal(await lostStreams(daemon), 0);
  assert.equal(Number((await slots(cluster))[0].active_pid), pid, 'the same stream');
});

test('a role that may not write messages is told once, and watched on', async (t) => {
  const cluster = await serverWithSchema(t);
  for (const type of ['text', 'bytea']) await cluster.query(`REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, ${type}) FROM PUBLIC`);
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: 'watcher' }) }, slot: { plugin: 'pgoutput' }, heartbeat: FAST });
  await daemon.start();
  const told = () => daemon.lines.filter(({ reason: why }) => why === 'heartbeat');
  await daemon.line('the refusal', ({ reason: why }) => why === 'heartbeat');
  assert.match(told()[0].remedy, /GRANT EXECUTE/);
  assert.equal(told()[0].sqlstate, '42501');
  await daemon.until('off', async () => (await daemon.metric('dupwatch_heartbeat_enabled')) === 0);
  // A new stream asks again, and says nothing new.
  const [{ active_pid: pid }] = await slots(cluster);
  await cluster.query('SELECT pg_terminate_backend($1)', [pid]);
  await daemon.until('a second refusal', async () => (await daemon.metric('dupwatch_heartbeat_failures_total')) === 2);
  await daemon.ready();
  assert.equal(told().length, 1);
  await insertEvents(cluster, [{ run: 'wrun_d', type: 'run_created' }, { run: 'wrun_d', type: 'run_created' }]);
  await assertTruth(daemon);
});

test('with interval 0s nothing is written', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { heartbeat: { interval: '0s' } });
  await daemon.start();
  await insertEvents(cluster, [{ run: 'wrun_e', type: 'run_created' }, { run: 'wrun_e', type: 'run_created' }]);
  await assertTruth(daemon);
  assert.equal(await daemon.metric('dupwatch_heartbeat_enabled'), 0);
  assert.equal(await daemon.metric('dupwatch_heartbeat_last_sent_timestamp_seconds'), 0);
});
