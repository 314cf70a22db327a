// What others may do to dupwatch without any right to it, and what it does where a part of its means is taken away: sessions with
// queries, memory. Each is one of its kind in the reports of people who tried it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../integration/daemon.mjs';
import { assertTruth, daemonFor, EVENTS, eventId, insertEvents, serverWithSchema } from '../integration/scene.mjs';

const openRun = (cluster, run) => cluster.query("INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ($1, 'd', 'running', 'w')", [run]);
const pair = (cluster, run) => insertEvents(cluster, [0, 1].map((order) => ({ run, type: 'step_created', correlation: 'step_x', id: eventId(order) })));

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`the fuse blows where no query is answered, ${plugin}`, { timeout: 180_000 }, async (t) => {
    const cluster = await serverWithSchema(t, {
      hba: ['local all all trust', 'host all watcher 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 trust'],
      settings: { max_wal_size: '64MB', wal_keep_size: '0', wal_sender_timeout: '10s' },
    });
    await cluster.query("CREATE ROLE watcher LOGIN SUPERUSER REPLICATION PASSWORD 'secret'");
    const daemon = await daemonFor(t, cluster, {
      connection: { dsn: cluster.dsn({ user: 'watcher', password: 'secret' }), backoff_min: '20ms', backoff_max: '500ms' },
      slot: { plugin, max_retained_wal: '32MiB' }, poll: { interval: '1s' },
    });
    await daemon.start();
    await daemon.caughtUp();
    await cluster.query("ALTER ROLE watcher PASSWORD 'other'");
    await cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'watcher' AND backend_type = 'client backend'");
    await openRun(cluster, 'wrun_cold');
    await pair(cluster, 'wrun_cold'); // it has to be read back, which holds the position
    const slots = () => cluster.query("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint AS held FROM pg_replication_slots");
    let most = 0;
    let told = 0;
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(200)) {
      await cluster.query("SELECT pg_logical_emit_message(false, 'x', repeat('y', 4 * 1024 * 1024))");
      const [slot] = await slots();
      if (!slot) break;
      most = Math.max(most, Number(slot.held));
      told = Math.max(told, await daemon.metric('dupwatch_slot_retained_wal_bytes') ?? 0);
    }
    assert.ok(told > 2 ** 20, `the metric grows with it, to ${told}`);
    assert.deepEqual(await slots(), [], 'the slot is gone');
    assert.ok(most < 120 * 1024 ** 2, `${most} bytes were held back`);
    const line = await daemon.line('who dropped it', ({ event }) => event === 'slot_dropped');
    assert.equal(line.by, 'stream');
    await daemon.until('its count', async () => (await daemon.metric('dupwatch_slot_fuse_blown_total')) === 1);
    await cluster.query("ALTER ROLE watcher PASSWORD 'secret'");
    await daemon.ready(90_000);
    await openRun(cluster, 'wrun_after');
    await pair(cluster, 'wrun_after');
    await assertTruth(daemon, { atLeast: 2 });
  });
}

test('a session that is no dupwatch holds the slot\'s lock: it is named, and one dupwatch streams', async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.query('CREATE ROLE nobody_much LOGIN');
  const stranger = await cluster.client({ user: 'nobody_much' });
  t.after(() => stranger.end());
  await stranger.query("SELECT pg_advisory_lock(hashtextextended('dupwatch slot dupwatch', 25718))");
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const line = await daemon.line('whose lock', ({ event }) => event === 'foreign_lock');
  assert.deepEqual([line.level, line.role], ['warn', 'nobody_much']);
  const second = await daemonFor(t, cluster);
  await second.start({ ready: false });
  await second.line('its place', ({ event }) => event === 'standby');
  await openRun(cluster, 'wrun_a');
  await pair(cluster, 'wrun_a');
  await assertTruth(daemon);
  await daemon.stop();
  await second.ready();
  await pair(cluster, 'wrun_b');
  await second.until('its finding', async () => (await second.json('/api/findings')).findings.some(({ run_id: run }) => run === 'wrun_b'));
});

test('a session that holds the guard\'s lock delays one transaction by a second, once', async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.query('CREATE ROLE nobody_much LOGIN');
  const installed = await runCommand(['guard', 'install', '--yes', '--dsn', cluster.dsn()]);
  assert.equal(installed.code, 0, installed.stderr);
  const stranger = await cluster.client({ user: 'nobody_much' });
  t.after(() => stranger.end());
  for (const step of [1, 2, 3]) await stranger.query(`SELECT pg_advisory_lock(hashtextextended('wrun_1 step_${step}', 25718))`);
  const began = performance.now();
  await insertEvents(cluster, [1, 2, 3].map((step) => ({ run: 'wrun_1', type: 'step_created', correlation: `step_${step}` })));
  const took = performance.now() - began;
  assert.ok(took > 900 && took < 4000, `${took} ms`);
  const [{ count }] = await cluster.query(`SELECT count(*)::int FROM ${EVENTS}`);
  assert.equal(count, 3);
  const { stdout } = await runCommand(['guard', 'status', '--json', '--dsn', cluster.dsn()]);
  assert.match(stdout, /"passed":3/);
  // Nobody's lock: the guard works, and the session's own setting is what it was.
  await stranger.query('SELECT pg_advisory_unlock_all()');
  const client = await cluster.client();
  t.after(() => client.end());
  await client.query("SET lock_timeout = '7s'");
  await client.query(`INSERT INTO ${EVENTS} (run_id, type, correlation_id, id) VALUES ('wrun_1', 'step_created', 'step_1', 'wevt_second')`);
  assert.equal((await client.query('SHOW lock_timeout')).rows[0].lock_timeout, '7s');
  assert.equal((await cluster.query(`SELECT count(*)::int FROM ${EVENTS}`))[0].count, 3, 'the second row is kept out');
});

test('a row that is larger than the memory is stepped over, and what is behind it is told', { timeout: 240_000 }, async (t) => {
  const cluster = await serverWithSchema(t, { settings: { shared_buffers: '64MB' } });
  const daemon = await daemonFor(t, cluster, {
    slot: { plugin: 'wal2json' }, index: { memory_max: '1MiB' }, connection: { dsn: cluster.dsn(), backoff_min: '20ms', backoff_max: '200ms' },
  });
  await daemon.start();
  const used = Number(/VmSize:\s+(\d+)/.exec(execFileSync('cat', [`/proc/${daemon.child.pid}/status`], { encoding: 'utf8' }))[1]) * 1024;
  execFileSync('prlimit', ['--pid', String(daemon.child.pid), `--as=${used + 64 * 1024 ** 2}`]);
  await openRun(cluster, 'wrun_large');
  await cluster.query(`INSERT INTO ${EVENTS} (run_id, type, correlation_id, id, payload_cbor) VALUES ('wrun_large', 'step_created', 'step_x', 'wevt_large', decode(repeat('ab', 50 * 1024 * 1024), 'hex'))`);
  await pair(cluster, 'wrun_behind');
  await daemon.line('the step over', ({ gap }) => gap === 'poison_row', { timeoutMs: 120_000 });
  await daemon.ready(90_000);
  await assertTruth(daemon, { atLeast: 1, timeoutMs: 90_000 });
  assert.equal(await daemon.metric('dupwatch_poison_rows_total'), 1);
});
