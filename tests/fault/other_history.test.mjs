// What a promoted standby lacks, or has still, of what dupwatch has told and done: rows that are lost with the old
// primary, an end of a run, a row of findings.table, an act of the quarantine. And an old primary that is still there. DUPWATCH_MAJOR: Postgres 17 or another.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cutOff, replayed, until } from '../postgres/standby.mjs';
import { EVENTS, daemonFor, eventId, full, insertEvents, runSetup } from '../integration/scene.mjs';
import { runCommand } from '../integration/daemon.mjs';
import { latestFindings } from '../integration/ground_truth.mjs';
import { covered, timeToStop, twoFindings } from './fault.mjs';
import { Gate } from './gate.mjs';
import { Pair, truth } from './pair.mjs';

const RUNS = 'workflow.workflow_runs';
const MAJOR = Number(process.env.DUPWATCH_MAJOR ?? 17);
const inFull = { skip: full ? false : './test --full' };

async function openRun(cluster, run) {
  await cluster.query(`INSERT INTO ${RUNS} (id, deployment_id, status, name) VALUES ($1, 'd', 'running', 'w')`, [run]);
}

const insert = (cluster, run, types) => insertEvents(cluster, types.map((type) => ({ run, type, correlation: type.startsWith('run') ? null : `step_${run}`, id: eventId() })));

async function end(cluster, run) {
  await insert(cluster, run, ['run_completed']);
  await cluster.query(`UPDATE ${RUNS} SET status = 'completed' WHERE id = $1`, [run]);
}

/** A pair with a daemon that streams, and a standby that may be promoted. `prepare`: of the daemon, before its start. */
async function scene(t, { config = {}, prepare, synchronized = true, ...options } = {}) {
  const pair = await Pair.open(t, { major: MAJOR, synchronized, ...options });
  const daemon = await daemonFor(t, pair.primary, { ...pair.config(), ...config });
  await prepare?.(pair, daemon);
  await daemon.start();
  await covered(daemon);
  await pair.arrange({ waits: false });
  return { pair, daemon };
}

const stateOf = (daemon, run) => latestFindings(daemon.findingsFile).filter((finding) => finding.run_id === run).map(({ state }) => state);
const told = (daemon, run, state) => daemon.until(`${run} ${state}`, () => stateOf(daemon, run).includes(state));

/** A session that holds `table` until it is ended. */
async function locked(cluster, table) {
  const session = await cluster.client();
  await session.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  return session;
}

async function killAndPromote(pair, daemon) {
  await pair.primary.kill();
  await pair.promote(daemon);
  await pair.followed(daemon);
  await daemon.ready();
  await covered(daemon);
}

test('findings of runs whose end, or all of which, is lost with the old primary', async (t) => {
  const { pair, daemon } = await scene(t);
  await openRun(pair.primary, 'wrun_reopened');
  await insert(pair.primary, 'wrun_reopened', ['step_created', 'step_created']);
  await replayed(pair.standby, pair.primary);
  await cutOff(pair.standby);
  await end(pair.primary, 'wrun_reopened');
  await openRun(pair.primary, 'wrun_lost');
  await insert(pair.primary, 'wrun_lost', ['step_created', 'step_created']);
  await end(pair.primary, 'wrun_lost');
  await told(daemon, 'wrun_reopened', 'run_ended');
  await told(daemon, 'wrun_lost', 'run_ended');
  await daemon.caughtUp();
  await killAndPromote(pair, daemon);
  const result = await truth(pair, daemon);
  assert.deepEqual([result.expected, stateOf(daemon, 'wrun_reopened'), stateOf(daemon, 'wrun_lost')], [1, ['open'], ['gone']]);
});

test('findings.table of the promoted standby gets what it lacks', inFull, async (t) => {
  const { pair, daemon } = await scene(t, { config: { findings: { table: 'dupwatch.findings' } }, prepare: ({ primary }, it) => runSetup(primary, it) });
  const session = await locked(pair.primary, 'dupwatch.findings');
  for (const run of ['wrun_open', 'wrun_done']) {
    await openRun(pair.primary, run);
    await insert(pair.primary, run, ['step_created', 'step_created']);
  }
  await end(pair.primary, 'wrun_done');
  await replayed(pair.standby, pair.primary);
  await cutOff(pair.standby);
  await session.end();
  await until('the rows of the old primary', async () => (await pair.primary.query("SELECT FROM dupwatch.findings WHERE state = 'open' OR run_id = 'wrun_done' AND state = 'run_ended'")).length === 2);
  await daemon.caughtUp();
  await killAndPromote(pair, daemon);
  await truth(pair, daemon);
  await until('the rows of the new primary', async () => (await pair.primary.query('SELECT FROM dupwatch.findings')).length === 2, 30_000);
  const rows = await pair.primary.query('SELECT record FROM dupwatch.findings');
  assert.deepEqual(rows.map(({ record }) => record.state).sort(), ['open', 'run_ended']);
  assert.ok(rows.every(({ record }) => record.duplicate.commit_lsn), 'with all that is known of them');
});

test('a row whose quarantine is lost with the old primary is an open finding again', inFull, async (t) => {
  const { pair, daemon } = await scene(t, {
    config: { quarantine: { mode: 'remove' } },
    async prepare({ primary }, it) {
      const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', it.configFile]);
      await primary.query(setup.stdout);
    },
  });
  const session = await locked(pair.primary, 'dupwatch.quarantine');
  const run = await twoFindings(pair.primary, 1);
  await told(daemon, run, 'open');
  await replayed(pair.standby, pair.primary);
  await cutOff(pair.standby);
  await session.end();
  await told(daemon, run, 'quarantined');
  await daemon.caughtUp();
  await killAndPromote(pair, daemon);
  // By the stream that brings the row again it is taken out there as well, by a look at the table it stays open.
  await until('the truth about the row', async () => {
    const [{ rows, kept }] = await pair.primary.query(`SELECT (SELECT count(*) FROM ${EVENTS} WHERE run_id = $1 AND type = 'step_created')::int AS rows, (SELECT count(*) FROM dupwatch.quarantine)::int AS kept`, [run]);
    const quarantined = stateOf(daemon, run).filter((state) => state === 'quarantined').length;
    return quarantined === kept && rows === 3 - kept && stateOf(daemon, run).every((state) => ['open', 'quarantined'].includes(state));
  }, 40_000);
});

test('a shutdown while the stream waits for a standby that has no slot', inFull, async (t) => {
  const { pair, daemon } = await scene(t, { synchronized: false, config: { slot: { failover: true } } });
  pair.primary.configure({ synchronized_standby_slots: 'nosuch' });
  pair.primary.reload();
  await twoFindings(pair.primary, 1);
  for (let i = 0; i < 4; i += 1) {
    const mark = daemon.lines.length;
    const took = await timeToStop(pair.primary, 'fast', daemon);
    assert.ok(took < 4000, `${took}`);
    await pair.primary.start();
    const line = await daemon.line('the end of the stream', ({ event }) => event === 'disconnected', { from: mark });
    assert.ok(['standby_behind', 'terminated', 'server_starting', 'server_closed', 'network'].includes(line.reason), line.text);
    await daemon.line('the stream', ({ event }) => event === 'streaming', { from: mark });
  }
  assert.ok(!daemon.lines.some(({ gap }) => gap === 'poison_row'), daemon.tail(40));
  pair.primary.configure({ synchronized_standby_slots: '' });
  pair.primary.reload();
  assert.equal((await truth(pair, daemon)).expected, 2);
});

/** The daemon goes to the promoted standby while the old primary is there still; the session of `kept` stays. */
async function splitBrain({ pair, daemon, gate }, kept) {
  const [{ client_port: port }] = kept;
  gate.listener.close();
  await pair.promote(daemon);
  for (const link of gate.links) {
    if (link.server.localPort !== port) link.close();
  }
  await pair.followed(daemon);
}

async function gatedScene(t, options = {}) {
  let gate;
  const { pair, daemon } = await scene(t, {
    ...options,
    async prepare(pair_, it) {
      gate = await Gate.open(t, pair_.primary.port);
      const dsn = pair_.primary.dsn({ host: '127.0.0.1,127.0.0.1', port: `${gate.port},${pair_.standby.port}`, target_session_attrs: 'read-write' });
      it.configure({ ...it.config, connection: { ...it.config.connection, dsn } });
      await options.prepare?.(pair_, it);
    },
  });
  return { pair, daemon, gate };
}

const session = (cluster, query) => until(`a session with ${query}`, async () => {
  const rows = await cluster.query(`SELECT client_port FROM pg_stat_activity WHERE application_name = 'dupwatch' AND wait_event_type = 'Lock' AND query LIKE $1`, [query]);
  return rows.length ? rows : undefined;
});

test('a scan of the old primary that goes on says nothing of the new one', inFull, async (t) => {
  const here = await gatedScene(t);
  const { pair, daemon } = here;
  await daemon.stop();
  const old = pair.primary;
  await cutOff(pair.standby);
  await openRun(old, 'wrun_old');
  await insert(old, 'wrun_old', ['step_created', 'step_created']);
  // Only a scan shows it.
  await old.query("SELECT pg_replication_slot_advance('dupwatch', pg_current_wal_lsn())");
  const lock = await locked(old, RUNS);
  await daemon.start({ ready: false });
  await daemon.until('the stream', async () => (await daemon.status().catch(() => ({}))).state === 'streaming');
  const kept = await session(old, '%workflow_runs%');
  await splitBrain(here, kept);
  await lock.query('COMMIT');
  await lock.end();
  await twoFindings(pair.primary, 1);
  await daemon.ready();
  assert.equal((await truth(pair, daemon)).expected, 2);
  assert.deepEqual(stateOf(daemon, 'wrun_old'), []);
});

test('a look at the old primary that goes on says nothing of the new one', async (t) => {
  const here = await gatedScene(t);
  const { pair, daemon } = here;
  const run = await twoFindings(pair.primary, 1);
  await told(daemon, run, 'open');
  await replayed(pair.standby, pair.primary);
  const old = pair.primary;
  await sleep(11_000); // no look closes a finding that is younger
  // The rows are read, and then the look waits for the table of runs.
  const lock = await locked(old, RUNS);
  await cutOff(pair.standby);
  await old.query(`DELETE FROM ${EVENTS}`);
  const kept = await session(old, '%workflow_runs%');
  await splitBrain(here, kept);
  await lock.query('COMMIT');
  await lock.end();
  await daemon.ready();
  assert.equal((await truth(pair, daemon)).expected, 2);
  assert.deepEqual(stateOf(daemon, run), ['open', 'open']);
  const lines = await daemon.json('/api/findings');
  assert.ok(lines.findings.every(({ state }) => state === 'open'));
});

const terminate = (cluster) => cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dupwatch'");

test('an old primary that is started again is passed over, and waited out while the new one is away', async (t) => {
  const { pair, daemon } = await scene(t);
  await twoFindings(pair.primary, 1);
  await pair.switchOver(daemon);
  await pair.followed(daemon);
  const old = pair.standby;
  await old.start();
  await twoFindings(old, 100);
  await twoFindings(pair.primary, 2);
  for (let i = 0; i < 3; i += 1) {
    const mark = daemon.lines.length;
    await terminate(pair.primary);
    const line = await daemon.line('the stream', ({ event }) => event === 'streaming', { from: mark });
    assert.equal(line.timeline, '2');
  }
  await twoFindings(pair.primary, 3);
  await daemon.ready();
  assert.equal((await truth(pair, daemon)).expected, 6);

  const [slot] = await old.query("SELECT confirmed_flush_lsn AS at FROM pg_replication_slots WHERE slot_name = 'dupwatch'");
  const mark = daemon.lines.length; // a session that was ended while servers were looked for may have met it before
  await pair.primary.stop();
  const line = await daemon.line('the old primary', ({ reason }) => reason === 'old_primary', { from: mark });
  assert.match(line.msg, /timeline 1 .*timeline 2/);
  await daemon.until('not ready', async () => (await daemon.fetch('/readyz')).status === 503);
  await daemon.kill();
  await daemon.start({ ready: false });
  await daemon.line('the old primary, after a start', ({ reason }) => reason === 'old_primary', { from: daemon.lines.length });
  assert.deepEqual(await old.query("SELECT confirmed_flush_lsn AS at FROM pg_replication_slots WHERE slot_name = 'dupwatch'"), [slot]);
  await pair.primary.start();
  await pair.followed(daemon);
  await daemon.ready();
  assert.equal((await truth(pair, daemon)).expected, 6);
  assert.ok(latestFindings(daemon.findingsFile).every(({ state }) => state === 'open'));
});

test('an old primary is taken where its DSN names no other, with a gap', inFull, async (t) => {
  const { pair, daemon } = await scene(t, { synchronized: false });
  const old = pair.primary;
  await twoFindings(old, 1);
  await replayed(pair.standby, old);
  await pair.switchOver(daemon);
  await pair.followed(daemon);
  await twoFindings(pair.primary, 2);
  await daemon.caughtUp();
  await daemon.stop();
  daemon.configure({ ...daemon.config, connection: { ...daemon.config.connection, dsn: old.dsn() } });
  await old.start();
  [pair.primary, pair.standby, pair.timeline] = [old, pair.primary, 1];
  daemon.cluster = old;
  await daemon.start();
  await covered(daemon);
  assert.ok((await daemon.status()).coverage.gaps.some(({ reason }) => reason === 'other_history'));
  assert.equal((await truth(pair, daemon)).expected, 2);
});

/** Kills the primary in one of these ways, at once after the last duplicate. */
const ENDS = {
  'stopped immediately': (cluster) => cluster.stop('immediate'),
  killed: (cluster) => cluster.kill(),
};

for (const [how, strike] of Object.entries(ENDS)) {
  test(`promoted while its copy of the slot is not kept yet, the primary ${how}`, inFull, async (t) => {
    const pair = await Pair.open(t, { major: MAJOR, synchronized: true });
    const daemon = await daemonFor(t, pair.primary, pair.config());
    await daemon.start();
    await covered(daemon);
    // A transaction that holds the slot back: the copy stays temporary until the standby has come so far.
    const holder = await pair.primary.client();
    await holder.query('BEGIN; SELECT txid_current()');
    pair.standby.configure({ sync_replication_slots: 'on' });
    pair.standby.reload();
    const load = pair.load();
    await load.more(10);
    await until('a copy', async () => (await pair.standby.query("SELECT FROM pg_replication_slots WHERE slot_name = 'dupwatch' AND synced")).length === 1);
    const [{ temporary }] = await pair.standby.query("SELECT temporary FROM pg_replication_slots WHERE slot_name = 'dupwatch'");
    t.diagnostic(`the copy is ${temporary ? 'temporary' : 'kept'}`);
    await strike(pair.primary);
    await holder.end().catch(() => {});
    await pair.promote(daemon);
    await pair.followed(daemon);
    await load.more(10);
    await load.stop();
    await daemon.ready();
    await covered(daemon);
    assert.ok((await truth(pair, daemon)).expected >= 10);
  });
}

test('a coverage file of two histories ago', inFull, async (t) => {
  const { pair, daemon } = await scene(t);
  await twoFindings(pair.primary, 1);
  await daemon.caughtUp();
  const file = `${daemon.findingsFile}.coverage`;
  const kept = fs.readFileSync(file);
  for (let number = 2; number < 4; number += 1) {
    await pair.switchOver(daemon);
    await pair.followed(daemon);
    await twoFindings(pair.primary, number);
    await pair.comeBack();
    await pair.arrange({ waits: false });
  }
  await daemon.caughtUp();
  await daemon.stop();
  await twoFindings(pair.primary, 4);
  fs.writeFileSync(file, kept);
  await daemon.start();
  await covered(daemon);
  assert.deepEqual((await daemon.status()).coverage.gaps.map(({ reason }) => reason), ['other_history']);
  assert.equal((await truth(pair, daemon)).expected, 8);
});

test('promoted while it applies late', inFull, async (t) => {
  const { pair, daemon } = await scene(t);
  pair.standby.configure({ recovery_min_apply_delay: '3s' });
  pair.standby.reload();
  const load = pair.load({ ends: true });
  await load.more(60);
  await pair.switchOver(daemon);
  await pair.followed(daemon);
  await load.more(10);
  await load.stop();
  await daemon.ready();
  await covered(daemon);
  assert.ok((await truth(pair, daemon)).expected >= 60);
});

test('promoted while dupwatch streams from it', inFull, async (t) => {
  const pair = await Pair.open(t, { major: MAJOR, synchronized: false });
  const daemon = await daemonFor(t, pair.primary, {
    ...pair.config(), connection: { ...pair.config().connection, dsn: pair.standby.dsn() },
    slot: { failover: false }, heartbeat: { dsn: pair.dsn, interval: '200ms', timeout: '3s' },
  });
  await replayed(pair.standby, pair.primary);
  await daemon.start();
  await covered(daemon);
  const load = pair.load({ ends: true });
  await load.more(20);
  await pair.switchOver(daemon);
  await load.more(30);
  await load.stop();
  await daemon.ready();
  const beats = await daemon.metric('dupwatch_heartbeat_roundtrip_seconds_count');
  await daemon.until('round trips', async () => (await daemon.metric('dupwatch_heartbeat_roundtrip_seconds_count')) > beats + 3);
  const before = (await truth(pair, daemon)).expected;
  assert.ok(before >= 40);
  assert.ok(!daemon.lines.some(({ event }) => event === 'disconnected'), 'one stream through the promotion');
  // The next stream sees the other timeline.
  await terminate(pair.primary);
  await pair.followed(daemon);
  await twoFindings(pair.primary, 1);
  await daemon.ready();
  await covered(daemon);
  assert.equal((await truth(pair, daemon)).expected, before + 2);
});
