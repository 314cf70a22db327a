// A standby as the source: slot, stream and queries are there, and only the heartbeat goes to the primary. What is asked
// of one server is never asked of another one that may be behind the stream.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Gate } from '../fault/gate.mjs';
import { Load } from '../fault/load.mjs';
import { gapsOf, twoFindings } from '../fault/fault.mjs';
import { Pair, receives } from '../fault/pair.mjs';
import { lsn } from '../postgres/client.mjs';
import { REPLICATION_HBA, replayed, standbyOf, until } from '../postgres/standby.mjs';
import { runCommand } from './daemon.mjs';
import { compare, describe } from './ground_truth.mjs';
import { daemonFor, full, insertEvents, serverWithSchema } from './scene.mjs';

/** A primary, its standby, and a daemon that is set up on the first and looks at the second. */
async function scene(t, { major = 17, user = 'postgres', config = {} } = {}) {
  const primary = await serverWithSchema(t, { major, hba: REPLICATION_HBA });
  const standby = await standbyOf(t, primary);
  const daemon = await daemonFor(t, primary, {
    connection: { dsn: standby.dsn({ user }), backoff_min: '20ms', backoff_max: '500ms', connect_timeout: '2s' },
    heartbeat: { interval: '200ms', timeout: '5s', dsn: primary.dsn({ user }) },
    ...config,
  });
  await replayed(standby, primary); // the publication
  return { primary, standby, daemon };
}

/** Waits until all that the primary has committed is judged and confirmed to the standby, and compares with SQL. */
async function truth({ primary, standby, daemon }, atLeast) {
  const [{ at }] = await primary.query('SELECT pg_current_wal_flush_lsn() AS at');
  await daemon.until('confirmation of everything committed', async () => {
    const [slot] = await standby.query("SELECT confirmed_flush_lsn AS at FROM pg_replication_slots WHERE slot_name = 'dupwatch'");
    return slot?.at && lsn(slot.at) >= lsn(at);
  }, 60_000);
  const client = await primary.client();
  try {
    const result = await compare(daemon.findingsFile, client);
    assert.ok(result.ok, `${describe(result)}\n${daemon.tail(10)}`);
    assert.ok(result.expected >= atLeast, `${result.expected} expected, wanted ${atLeast}`);
    return result;
  } finally {
    await client.end();
  }
}

const sessions = (cluster) => cluster.query(`SELECT pid, backend_type, query FROM pg_stat_activity
  WHERE application_name = 'dupwatch' AND backend_type IN ('client backend', 'walsender')`);

// 16 with the role that `setup` makes, which may not have the primary log its open transactions.
for (const [major, user] of [[17, 'postgres'], [16, 'watcher']]) {
  test(`decoding on a standby, Postgres ${major}`, { skip: major === 17 || full ? false : './test --full' }, async (t) => {
    const here = await scene(t, { major, user, config: { index: { memory_max: '64KiB' } } });
    const { primary, standby, daemon } = here;
    if (user === 'postgres') await sleep(2000); // idle: it will log nothing by itself for seconds
    const began = performance.now();
    await daemon.start();
    const made = (performance.now() - began) / 1000;
    assert.ok(made < (user === 'postgres' ? 8 : 40), `streaming after ${made.toFixed(1)} s`);
    assert.equal((await primary.query("SELECT FROM pg_replication_slots WHERE slot_type = 'logical'")).length, 0);
    await daemon.until('three round trips', async () => (await daemon.metric('dupwatch_heartbeat_roundtrip_seconds_count')) >= 3);
    assert.equal(await daemon.metric('dupwatch_heartbeat_failures_total'), 0);
    assert.equal((await sessions(primary)).length, 1, 'the heartbeat alone');
    assert.ok((await sessions(standby)).length >= 2);

    // A full index, so that most events need a read-back, and a standby that replays what the primary commits later.
    standby.configure({ recovery_min_apply_delay: '150ms' });
    standby.reload();
    const load = new Load(primary, { sessions: 4 });
    t.after(() => load.abandon());
    await load.more(150);
    await daemon.kill();
    await load.more(50);
    await daemon.start({ ready: false });
    await load.more(150);
    await load.stop();
    await daemon.ready();
    const result = await truth(here, 250);
    assert.ok((await daemon.metric('dupwatch_read_backs_total')) > 10);
    assert.deepEqual(await gapsOf(daemon), []);

    // The stream is never ahead of what a query sees there: both stand where replay stands.
    await standby.query('SELECT pg_wal_replay_pause()');
    await until('paused replay', async () => (await standby.query("SELECT pg_get_wal_replay_pause_state() = 'paused' AS paused"))[0].paused);
    const [{ at }] = await standby.query('SELECT pg_last_wal_replay_lsn() AS at');
    for (let number = 0; number < 5; number += 1) await twoFindings(primary, 700_000 + number);
    await sleep(1000);
    assert.ok(lsn((await daemon.status()).received_lsn) <= lsn(at), 'nothing that is not replayed');
    await standby.query('SELECT pg_wal_replay_resume()');
    const after = await truth(here, result.expected + 10);
    t.diagnostic(`slot made and ready after ${made.toFixed(1)} s; ${after.found} findings, ${await daemon.metric('dupwatch_read_backs_total')} read-backs since the restart`);
    const check = await runCommand(['check', '--config', daemon.configFile, '--json']);
    const line = JSON.parse(check.stdout).lines.find(({ name }) => name === 'server_role');
    assert.deepEqual([line.verdict, line.found], ['pass', 'standby with hot_standby_feedback']);
  });
}

test('without heartbeat.dsn the log says what a slot on a standby waits for', { skip: full ? false : './test --full' }, async (t) => {
  const { primary, daemon } = await scene(t, { config: { heartbeat: { interval: '1s' } } });
  await sleep(16_000); // behind the last record that the background writer logs by itself
  await daemon.start({ ready: false });
  const line = await daemon.line('what it waits for', ({ remedy }) => remedy?.includes('pg_log_standby_snapshot'));
  assert.equal(line.level, 'warn');
  await primary.query('SELECT pg_log_standby_snapshot()');
  await daemon.line('the stream', ({ event }) => event === 'streaming');
  const told = await daemon.line('the heartbeat that cannot be written', ({ reason }) => reason === 'heartbeat');
  assert.match(told.remedy, /heartbeat\.dsn/);
  await daemon.ready();
});

for (const major of [16, 17]) {
  test(`the standby invalidates the slot for a conflict, Postgres ${major}`, { skip: full ? false : './test --full' }, async (t) => {
    const here = await scene(t, { major, config: { poll: { interval: '1s' } } });
    const { primary, standby, daemon } = here;
    await daemon.start();
    await twoFindings(primary, 1);
    await truth(here, 2);

    // rows_removed: without feedback the primary removes rows of its catalogue that the slot needs.
    standby.configure({ hot_standby_feedback: 'off' });
    standby.reload();
    await until('no xmin', async () => (await primary.query("SELECT FROM pg_replication_slots WHERE slot_name = 'standby' AND xmin IS NULL AND catalog_xmin IS NULL")).length === 1);
    await until('a lost slot', async () => {
      // Each in a transaction of its own: a row that never was visible conflicts with nobody.
      for (const sql of ['CREATE TABLE conflict (x int)', 'DROP TABLE conflict', 'VACUUM pg_class']) await primary.query(sql);
      return daemon.lines.some((line) => line.reason === 'slot_lost');
    });
    standby.configure({ hot_standby_feedback: 'on' });
    standby.reload();
    await twoFindings(primary, 2);
    const lost = daemon.lines.find((line) => line.reason === 'slot_lost');
    assert.match(lost.msg, major === 17 ? /rows_removed/ : /conflicting/);
    assert.match(lost.remedy, /hot_standby_feedback/);
    await daemon.until('the end of the gap', async () => (await daemon.status()).coverage.gaps.some(({ reason, closed_at: at }) => reason === 'slot_lost' && at !== null), 60_000);
    await truth(here, 4);

    // wal_level_insufficient: no policy can help before somebody acts, which is waited for.
    await daemon.ready();
    await primary.stop();
    primary.configure({ wal_level: 'replica' });
    await primary.start();
    await daemon.line('what is wrong', (line) => line.reason === 'not_logical');
    await primary.stop();
    primary.configure({ wal_level: 'logical' });
    await primary.start();
    await twoFindings(primary, 3);
    await replayed(standby, primary);
    await daemon.ready();
    await truth(here, 6);
  });
}

test('queries go to the server of the stream, though another one of the DSN comes first', async (t) => {
  const { primary, standby, daemon } = await scene(t, { config: { heartbeat: { interval: '0s' }, recheck: { interval: '1s' } } });
  const gate = await Gate.open(t, primary.port);
  gate.refuse();
  daemon.configure({
    ...daemon.config,
    connection: { ...daemon.config.connection, dsn: standby.dsn({ host: '127.0.0.1,127.0.0.1', port: `${gate.port},${standby.port}` }) },
  });
  const signs = setInterval(() => primary.query('SELECT pg_log_standby_snapshot()').catch(() => {}), 500);
  t.after(() => clearInterval(signs));
  await daemon.start();
  await gate.accept();
  await twoFindings(primary, 1); // an open finding, so that the recheck asks too
  for (let number = 2; number < 5; number += 1) {
    await standby.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dupwatch' AND backend_type = 'client backend'");
    await twoFindings(primary, number);
    await sleep(700);
  }
  await truth({ primary, standby, daemon }, 8);
  assert.equal(gate.links.size, 0, 'nobody came to the other server');
});

test('an address that leads to another server than the stream answers no query', async (t) => {
  const { primary, standby, daemon } = await scene(t, { config: { heartbeat: { interval: '0s' }, index: { memory_max: '64KiB' } } });
  const gate = await Gate.open(t, standby.port);
  daemon.configure({ ...daemon.config, connection: { ...daemon.config.connection, dsn: standby.dsn({ port: gate.port }) } });
  const signs = setInterval(() => primary.query('SELECT pg_log_standby_snapshot()').catch(() => {}), 500);
  t.after(() => clearInterval(signs));
  await insertEvents(primary, [{ run: 'wrun_cold', type: 'step_created', correlation: 'step_cold' }]);
  await daemon.start();
  gate.targetPort = primary.port; // an address that moves, or a load balancer
  // A session that was being opened may not be known for one of SQL yet.
  const cut = () => gate.of('sql').filter(({ server }) => server.remotePort === standby.port).forEach((link) => link.close());
  cut();
  await insertEvents(primary, [{ run: 'wrun_cold', type: 'step_created', correlation: 'step_cold' }]);
  await daemon.until('the other server is told of', async () => {
    cut();
    return JSON.stringify(await daemon.status()).includes('led to another server');
  });
  await sleep(1000);
  assert.equal((await sessions(primary)).filter(({ query }) => query.includes('workflow_events')).length, 0);
  gate.targetPort = standby.port;
  await truth({ primary, standby, daemon }, 1);
});

test('one stream goes on while the primary of its standby changes three times', { skip: full ? false : './test --full' }, async (t) => {
  const pair = await Pair.open(t, { synchronized: false });
  const standby = await standbyOf(t, pair.primary, { slot: 'third' });
  const daemon = await daemonFor(t, pair.primary, {
    ...pair.config(), connection: { dsn: standby.dsn() }, heartbeat: { dsn: pair.dsn, interval: '200ms', timeout: '3s' },
  });
  await replayed(standby, pair.primary);
  await daemon.start();
  const load = pair.load({ ends: true });
  for (let change = 0; change < 3; change += 1) {
    await load.more(20);
    await pair.switchOver(daemon);
    await pair.primary.query("SELECT pg_create_physical_replication_slot('third', true)");
    standby.configure({ primary_conninfo: `host=127.0.0.1 port=${pair.primary.port} user=postgres dbname=${pair.primary.database}` });
    standby.reload();
    await load.more(20);
    await receives(standby);
    await pair.comeBack();
    await pair.standby.query("SELECT pg_drop_replication_slot('third')");
  }
  await load.stop();
  await truth({ primary: pair.primary, standby, daemon }, 80);
  await daemon.ready();
  assert.deepEqual(await gapsOf(daemon), []);
  assert.equal(daemon.lines.filter(({ event }) => event === 'streaming').length, 1);
});
