// quarantine.mode: the daemon takes fatal rows out of the log by itself, within its limits, and nothing else.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { runCommand } from './daemon.mjs';
import { latestFindings } from './ground_truth.mjs';
import { assertTruth, daemonFor, EVENTS, eventId, insertEvents, serverWithSchema } from './scene.mjs';

const ROLE = 'keeper';
const TABLE = 'workflow.workflow_events';

/** A server, and a daemon in `mode` with exactly the rights of `setup --print-sql --quarantine`. */
async function scene(t, quarantine, config = {}) {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, {
    connection: { dsn: cluster.dsn({ user: ROLE }) }, recheck: { interval: '0s' }, quarantine, ...config,
  });
  const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
  assert.equal(setup.code, 0, setup.stderr);
  await cluster.query(setup.stdout);
  await daemon.start();
  await daemon.caughtUp();
  return { cluster, daemon };
}

let runs = 0;

/** The events of a run whose step is done; the ids in order. */
async function openRun(cluster, { prefix = 'wevt', order = 0 } = {}) {
  runs += 1;
  const run = `wrun_01KQ3V6T0A7M2N5P8R1S4V${String(runs).padStart(4, '0')}`;
  const step = `step_01KQ3V6T0BYD5Q8WEHZ3KT${String(runs).padStart(4, '0')}`;
  const events = [['run_created', null], ['run_started', null], ['step_created', step], ['step_started', step], ['step_completed', step]];
  const ids = await insertEvents(cluster, events.map(([type, correlation], i) => ({ run, type, correlation, id: eventId(order + i, prefix) })));
  return { run, step, ids };
}

/** Adds the fatal row: a second step_created behind the closing event. */
async function strike(cluster, { run, step }) {
  const [id] = await insertEvents(cluster, [{ run, type: 'step_created', correlation: step, id: eventId(9) }]);
  return id;
}

const idsOf = async (cluster, run) => (await cluster.query(`SELECT id FROM ${EVENTS} WHERE run_id = $1 ORDER BY id COLLATE "C"`, [run])).map(({ id }) => id);
const entries = (cluster) => cluster.query('SELECT * FROM dupwatch.quarantine ORDER BY id');
const wholeLog = (cluster) => cluster.query(`SELECT id, run_id, md5(record_send(e)) AS bytes FROM ${EVENTS} e ORDER BY run_id, id`);

async function until(what, check, timeoutMs = 20_000) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    assert.ok(Date.now() < deadline, `waited in vain for ${what}`);
    await sleep(20);
  }
}

const quarantineOf = async (daemon) => (await daemon.status()).quarantine;
const outcome = (daemon, name, count) => until(`${count} ${name}`, async () => {
  const now = await quarantineOf(daemon);
  return now[name] >= count && now;
});
const refusals = async (daemon, reason) => daemon.metric(`dupwatch_quarantine_refusals_total{reason="${reason}"}`);

/** The newest state of the finding about row `id`, from the findings file. */
const stateOf = (daemon, id) => latestFindings(daemon.findingsFile).find((finding) => finding.duplicate.id === id)?.state;

async function command(cluster, args, user = 'postgres') {
  const ended = await runCommand(['quarantine', ...args, '--json', '--dsn', cluster.dsn({ user })]);
  return { ...ended, answer: ended.stdout ? JSON.parse(ended.stdout) : undefined };
}

test('remove: the fatal row goes and nothing else; what a person puts back stays', async (t) => {
  const { cluster, daemon } = await scene(t, { mode: 'remove' });
  const good = await openRun(cluster);
  const hit = await openRun(cluster);
  // Harmless: a duplicate before the entity is closed.
  await insertEvents(cluster, [
    { run: good.run, type: 'step_created', correlation: 'step_x', id: eventId(20) },
    { run: good.run, type: 'step_created', correlation: 'step_x', id: eventId(21) },
  ]);
  const before = await wholeLog(cluster);
  const fatal = await strike(cluster, hit);
  const after = await outcome(daemon, 'removed', 1);
  assert.deepEqual([after.mode, after.state, after.refused, after.failed], ['remove', 'ready', 0, 0]);
  assert.deepEqual(await wholeLog(cluster), before);
  const [entry] = await entries(cluster);
  assert.deepEqual([entry.event_id, entry.run_id, entry.action, entry.requested_by, entry.removed_by, entry.table_name],
    [fatal, hit.run, 'removed', 'daemon', ROLE, TABLE]);
  await until('the finding\'s state', () => stateOf(daemon, fatal) === 'quarantined');
  for (const pending of ['certain', 'may_return']) {
    assert.equal(await daemon.metric(`dupwatch_open_findings{rule="duplicate_created",severity="fatal",pending="${pending}"}`), 0);
  }
  await assertTruth(daemon, { atLeast: 1 });

  // The run goes on, and is read anew: no false alarm, and a second strike is seen and taken out as well.
  await insertEvents(cluster, [{ run: hit.run, type: 'wait_created', correlation: 'wait_1', id: eventId(30) }]);
  await strike(cluster, hit);
  await outcome(daemon, 'removed', 2);
  assert.equal((await entries(cluster)).length, 2);

  const restored = await command(cluster, ['restore', String(entry.id), '--yes']);
  assert.equal(restored.answer.result, 'done', restored.stderr);
  await outcome(daemon, 'refused', 1);
  assert.equal(await refusals(daemon, 'restored'), 1);
  await until('the finding to be open again', () => stateOf(daemon, fatal) === 'open');
  assert.ok((await idsOf(cluster, hit.run)).includes(fatal));
  await assertTruth(daemon, { atLeast: 2 });
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test('record copies and dry_run says: the log stays as it is', async (t) => {
  const { cluster, daemon } = await scene(t, { mode: 'record' });
  const hit = await openRun(cluster);
  const fatal = await strike(cluster, hit);
  const before = await wholeLog(cluster);
  await outcome(daemon, 'recorded', 1);
  const [entry] = await entries(cluster);
  assert.deepEqual([entry.event_id, entry.action, entry.kept.id, entry.kept.correlation_id], [fatal, 'recorded', fatal, hit.step]);
  const restored = await command(cluster, ['restore', String(entry.id), '--yes']);
  assert.deepEqual([restored.code, restored.answer.reason], [1, 'recorded']);
  await daemon.stop();

  daemon.configure({ ...daemon.config, quarantine: { mode: 'remove', dry_run: true } });
  await daemon.start();
  await daemon.caughtUp();
  const second = await openRun(cluster);
  const other = await strike(cluster, second);
  await outcome(daemon, 'dry_run', 1);
  await daemon.line('the dry run', (line) => line.event === 'quarantine' && line.result === 'dry_run' && line.event_id === other);
  assert.equal((await entries(cluster)).length, 1);
  assert.deepEqual((await wholeLog(cluster)).filter(({ run_id: run }) => run === hit.run), before);
  assert.equal(stateOf(daemon, other), 'open');
  await assertTruth(daemon, { atLeast: 2 });
});

test('a run with slot numbers, a pair of outcomes and a late hook are never touched', async (t) => {
  const { cluster, daemon } = await scene(t, { mode: 'remove' });
  const slot = (n) => `evnt_${String(n).padStart(26, '0')}`;
  await insertEvents(cluster, [['run_created', null], ['run_started', null], ['step_created', 'step_a'], ['step_completed', 'step_a'], ['step_created', 'step_a']]
    .map(([type, correlation], i) => ({ run: 'wrun_slots', type, correlation, id: slot(i + 1) })));
  const pair = await openRun(cluster);
  await insertEvents(cluster, [{ run: pair.run, type: 'step_failed', correlation: pair.step, id: eventId(9) }]);
  const hook = await openRun(cluster);
  await insertEvents(cluster, [['hook_created', 10], ['hook_disposed', 11], ['hook_received', 12]]
    .map(([type, order]) => ({ run: hook.run, type, correlation: 'hook_a', id: eventId(order) })));
  const before = await wholeLog(cluster);
  await daemon.caughtUp();
  const canary = await openRun(cluster);
  await strike(cluster, canary);
  const now = await outcome(daemon, 'removed', 1);
  assert.equal(now.removed, 1);
  assert.deepEqual((await wholeLog(cluster)).filter(({ run_id: run }) => run !== canary.run), before);
  await assertTruth(daemon, { atLeast: 3 });
});

test('a storm of a thousand is stopped at the limit, and goes on at a person\'s word alone', async (t) => {
  const { cluster, daemon } = await scene(t, { mode: 'remove', max_per_minute: 15, max_per_run: 3 });
  const struck = [];
  for (let i = 0; i < 4; i += 1) struck.push(await openRun(cluster));
  // One run over and over: its own limit holds first.
  for (let i = 0; i < 5; i += 1) await strike(cluster, struck[0]);
  await until('both refusals', async () => await refusals(daemon, 'run_limit') === 2);
  assert.equal((await quarantineOf(daemon)).removed, 3);

  const storm = [];
  for (let i = 0; i < 1000; i += 1) {
    const step = `step_storm_${i}`;
    const run = `wrun_storm_${i}`;
    storm.push(...[['step_created', 1], ['step_completed', 2], ['step_created', 3]].map(([type, order]) => ({ run, type, correlation: step, id: eventId(order) })));
  }
  await insertEvents(cluster, storm);
  await daemon.caughtUp();
  const stopped = await until('every finding of the storm to be dealt with', async () => {
    const now = await quarantineOf(daemon);
    return now.waiting === 0 && now.removed + now.refused + now.dropped >= 1005 && now;
  }, 60_000);
  assert.deepEqual([stopped.removed, stopped.state, stopped.failed], [15, 'tripped', 0]);
  assert.equal((await entries(cluster)).length, 15);
  assert.equal(await daemon.metric('dupwatch_quarantine_state{state="tripped"}'), 1);
  const [circuit] = await cluster.query('SELECT reason, closed_at FROM dupwatch.quarantine_circuit');
  assert.deepEqual([circuit.reason, circuit.closed_at], ['max_per_minute', null]);
  assert.equal(daemon.lines.filter((line) => line.event === 'quarantine_tripped').length, 1);

  // Not by time, not by a restart, and not by the daemon's own role.
  await daemon.stop();
  await cluster.query("UPDATE dupwatch.quarantine SET removed_at = removed_at - interval '2 hours'");
  await daemon.start();
  await daemon.caughtUp();
  const late = await strike(cluster, struck[1]);
  await outcome(daemon, 'refused', 1);
  assert.ok((await idsOf(cluster, struck[1].run)).includes(late));
  const own = await command(cluster, ['resume', '--yes'], ROLE);
  assert.equal(own.code, 3);
  assert.match(own.stderr, /owner of dupwatch.quarantine_circuit/);
  const status = await command(cluster, ['status'], ROLE);
  assert.deepEqual([status.code, status.answer.circuit, status.answer.reason], [1, 'open', 'max_per_minute']);
  const resumed = await command(cluster, ['resume', '--yes']);
  assert.deepEqual([resumed.code, resumed.answer.result], [0, 'done']);
  await strike(cluster, struck[2]);
  await outcome(daemon, 'removed', 1);
  assert.equal((await quarantineOf(daemon)).state, 'ready');
  assert.equal((await command(cluster, ['status'], ROLE)).answer.circuit, 'closed');
  await assertTruth(daemon, { atLeast: 980 });
});

/** Holds what every act on the run waits for, while `meanwhile` changes the log. */
async function between(cluster, run, meanwhile) {
  const client = await cluster.client();
  await client.query('BEGIN');
  await client.query("SELECT pg_advisory_xact_lock(hashtextextended($1::text || ' ' || $2::text, 25717))", [TABLE, run]);
  try {
    await meanwhile();
  } finally {
    await client.query('COMMIT');
    await client.end();
  }
}

/** Until an act waits for a lock of the test. */
const waits = (cluster) => until('an act that waits', async () => (await cluster.query(
  'SELECT 1 FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = \'Lock\'', [ROLE])).length > 0);

test('what changes between judgement and act is seen: the run ends, the row goes, the table is locked', async (t) => {
  const { cluster, daemon } = await scene(t, { mode: 'remove' });
  const ended = await openRun(cluster);
  const deleted = await openRun(cluster);
  const locked = await openRun(cluster);
  let kept;
  await between(cluster, ended.run, async () => {
    kept = await strike(cluster, ended);
    await waits(cluster);
    await insertEvents(cluster, [{ run: ended.run, type: 'run_completed', id: eventId(40) }]);
  });
  await outcome(daemon, 'refused', 1);
  assert.equal(await refusals(daemon, 'run_ended'), 1);
  assert.ok((await idsOf(cluster, ended.run)).includes(kept));

  await between(cluster, deleted.run, async () => {
    await strike(cluster, deleted);
    await waits(cluster);
    await cluster.query(`DELETE FROM ${EVENTS} WHERE run_id = $1`, [deleted.run]);
  });
  await outcome(daemon, 'refused', 2);
  assert.equal(await refusals(daemon, 'changed'), 1);

  const client = await cluster.client();
  const fatal = await strike(cluster, locked);
  await client.query(`BEGIN; LOCK TABLE ${EVENTS} IN ACCESS EXCLUSIVE MODE`);
  await client.query('COMMIT');
  await outcome(daemon, 'removed', 1);
  const again = await openRun(cluster);
  await client.query(`BEGIN; LOCK TABLE ${EVENTS} IN ACCESS EXCLUSIVE MODE`);
  const struck = strike(cluster, again);
  await sleep(300);
  await client.query('COMMIT');
  await client.end();
  await struck;
  await outcome(daemon, 'removed', 2);
  assert.ok(!(await idsOf(cluster, locked.run)).includes(fatal));
  const now = await quarantineOf(daemon);
  assert.deepEqual([now.state, now.failed, now.removed, now.refused], ['ready', 0, 2, 2]);
});

test('a lock that lasts is waited for a few times and then left', async (t) => {
  const { cluster, daemon } = await scene(t, { mode: 'remove' });
  const hit = await openRun(cluster);
  let fatal;
  await between(cluster, hit.run, async () => {
    fatal = await strike(cluster, hit);
    await outcome(daemon, 'failed', 1);
  });
  const now = await quarantineOf(daemon);
  assert.deepEqual([now.failed_attempts, now.waiting, now.state], [8, 0, 'ready']);
  assert.equal(stateOf(daemon, fatal), 'open');
  assert.ok((await idsOf(cluster, hit.run)).includes(fatal));
});

test('without the right it says so and goes on observing; with it, it acts again', async (t) => {
  const { cluster, daemon } = await scene(t, { mode: 'remove' });
  const first = await openRun(cluster);
  await strike(cluster, first);
  await outcome(daemon, 'removed', 1);
  await cluster.query(`REVOKE DELETE ON ${EVENTS} FROM ${ROLE}`);
  const second = await openRun(cluster);
  const fatal = await strike(cluster, second);
  const now = await outcome(daemon, 'failed', 1);
  assert.deepEqual([now.state, now.failed_attempts], ['unavailable', 1]);
  assert.ok((await idsOf(cluster, second.run)).includes(fatal));
  await daemon.line('the missing right', (line) => line.event === 'quarantine_unavailable' && line.sqlstate === '42501' && /setup --print-sql --quarantine/.test(line.remedy));
  assert.equal((await daemon.status()).ready, true);
  await assertTruth(daemon, { atLeast: 1 });
  await cluster.query(`GRANT DELETE ON ${EVENTS} TO ${ROLE}`);
  await until('the right to be noticed', async () => (await quarantineOf(daemon)).state === 'ready');
  await strike(cluster, second);
  await outcome(daemon, 'removed', 2);
});

test('a server that was restarted is found again without an act', async (t) => {
  const { cluster, daemon } = await scene(t, { mode: 'remove' });
  const hit = await openRun(cluster);
  await strike(cluster, hit);
  await outcome(daemon, 'removed', 1);
  await cluster.stop();
  await daemon.until('the loss', async () => (await daemon.fetch('/readyz')).status === 503);
  await cluster.start();
  await daemon.ready();
  await strike(cluster, hit);
  const now = await outcome(daemon, 'removed', 2);
  assert.deepEqual([now.failed, now.failed_attempts, now.reason], [0, 0, '']);
});

test('two daemons at once: every row goes once', async (t) => {
  const { cluster, daemon } = await scene(t, { mode: 'remove', max_per_minute: 1000, max_per_hour: 1000 });
  const twin = await daemonFor(t, cluster, {
    connection: { dsn: cluster.dsn({ user: ROLE }) }, slot: { name: 'twin' }, recheck: { interval: '0s' },
    quarantine: { mode: 'remove', max_per_minute: 1000, max_per_hour: 1000 },
  });
  await twin.start();
  await twin.caughtUp();
  const struck = [];
  for (let i = 0; i < 60; i += 1) struck.push(await openRun(cluster));
  const before = await wholeLog(cluster);
  for (let i = 0; i < struck.length; i += 10) await Promise.all(struck.slice(i, i + 10).map((run) => strike(cluster, run)));
  const done = (which) => until('all of them', async () => {
    const now = await quarantineOf(which);
    return now.waiting === 0 && now.removed + now.already === 60 && now;
  });
  const [one, two] = [await done(daemon), await done(twin)];
  assert.equal(one.removed + two.removed, 60);
  assert.deepEqual([one.refused, two.refused, one.failed, two.failed], [0, 0, 0, 0]);
  assert.deepEqual(await wholeLog(cluster), before);
  assert.equal((await entries(cluster)).length, 60);
  for (const which of [daemon, twin]) await assertTruth(which, { atLeast: 0 });
});
