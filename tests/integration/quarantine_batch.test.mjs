// dupwatch quarantine apply --from-audit and purge: many rows at once, each act undone alone, and a table made ready for the
// engine's own unique-index migration.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { replayAll } from '../engines/replay.mjs';
import { shapeLogs } from '../engines/shapes.mjs';
import { insertShapes, runId } from './audit_shapes.mjs';
import { audit } from './audit_truth.mjs';
import { binary, runCommand } from './daemon.mjs';
import { daemonFor, EVENTS, eventId, insertEvents, race, serverWithSchema } from './scene.mjs';

const ROLE = 'keeper';
const ENGINES = ['4.2.4', '4.8.9'];
const installed = (version) => fs.existsSync(new URL(`../engines/${version}/node_modules`, import.meta.url));
const UNIQUE_INDEX = fs.readFileSync(new URL('../writers/4.3.7/node_modules/@workflow/world-postgres/src/drizzle/migrations/'
  + '0010_add_events_entity_creation_unique_index.sql', import.meta.url), 'utf8');

/** A server whose role ROLE has exactly the rights that `setup --print-sql --quarantine` gives, and a scratch folder. */
async function scene(t) {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: ROLE }) } });
  const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
  await cluster.query(setup.stdout);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-batch-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = (text, name = 'audit.jsonl') => {
    fs.writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  return { cluster, file };
}

const command = (cluster, args, user = ROLE) => ['quarantine', ...args, '--json', '--dsn', cluster.dsn({ user })];

async function quarantine(cluster, args, user) {
  return withRecords(await runCommand(command(cluster, args, user)));
}

function withRecords(ended) {
  const records = ended.stdout.split('\n').filter(Boolean).map((text) => JSON.parse(text));
  return { ...ended, acts: records.filter(({ event }) => event === 'act'), summary: records.find(({ event }) => event === 'apply_summary'), answer: records.at(-1) };
}

/** apply --from-audit as a child: {child, ended, until(reached)}; `reached` is asked with the lines so far. */
function startApply(cluster, args) {
  const child = spawn(binary(), command(cluster, ['apply', ...args]), { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => { stdout += data; });
  child.stderr.on('data', (data) => { stderr += data; });
  const ended = new Promise((resolve) => { child.on('close', (code, signal) => resolve({ code, signal, stderr, stdout })); });
  /** Until `reached()`; a child that ends before fails the test. */
  const until = async (reached) => {
    while (!(await reached(stdout.split('\n').length - 1))) {
      assert.equal(child.exitCode, null, `ended early: ${stdout}${stderr}`);
      await sleep(5);
    }
  };
  return { child, ended, until };
}

/** Every row of the log with every column, as the types' own output functions write them. */
const wholeLog = (cluster) => cluster.query(`SELECT id, run_id, md5(record_send(e)) AS bytes FROM ${EVENTS} e ORDER BY run_id, id`);
const entries = (cluster) => cluster.query('SELECT id, run_id, event_id FROM dupwatch.quarantine WHERE restored_at IS NULL ORDER BY id');
const keyOf = ({ run_id: run, id, event_id: event }) => `${run} ${event ?? id}`;

// What the migration's own statement would leave of each identity, but for the choice of the row: by the smallest id.
const SECOND_ROWS = `SELECT run_id, id FROM (SELECT run_id, id, row_number() OVER (PARTITION BY run_id, correlation_id, type ORDER BY id COLLATE "C") AS n
  FROM ${EVENTS} WHERE type IN ('step_created', 'hook_created', 'wait_created')) ranked WHERE n > 1`;

/** A run with one fatal step_created. */
async function fatalRun(cluster, number) {
  const run = `wrun_01KQ3V6T0A7M2N5P8R1S4V${String(number).padStart(4, '0')}`;
  const step = `step_01KQ3V6T0BYD5Q8WEHZ3KT${String(number).padStart(4, '0')}`;
  const events = [['run_created', null], ['step_created', step], ['step_started', step], ['step_completed', step], ['step_created', step]];
  const ids = await insertEvents(cluster, events.map(([type, correlation], order) => ({ run, type, correlation, id: eventId(order) })));
  return { run, ids, duplicate: ids.at(-1) };
}

async function fatalRuns(cluster, count) {
  const runs = [];
  for (let i = 0; i < count; i += 1) runs.push(await fatalRun(cluster, i));
  return runs;
}

/** Duplicates of every kind: the engines' shapes, what racing writers of the real package leave, and rows whose ctid sorts the other way. */
async function dirtyTable(cluster, logs) {
  await cluster.query(`ALTER TABLE ${EVENTS} SET (autovacuum_enabled = off);
    ALTER TABLE ${EVENTS} DROP CONSTRAINT workflow_events_pkey; ALTER TABLE ${EVENTS} ADD PRIMARY KEY (run_id, id)`);
  await insertEvents(cluster, Array.from({ length: 300 }, (_, i) => ({ run: 'wrun_old', type: 'step_started', correlation: `step_${i}` })));
  const events = logs.flatMap(({ run, log }) => log.events.map(({ id, type, corr }) => ({ run, id, type, correlation: corr ?? null })));
  const created = ({ type }) => type.endsWith('_created');
  await insertEvents(cluster, events.filter((event) => !created(event)));
  await cluster.query(`DELETE FROM ${EVENTS} WHERE run_id = 'wrun_old'`);
  await cluster.query(`VACUUM ${EVENTS}`);
  // Larger ids into the freed space first: the migration would keep those.
  await insertEvents(cluster, events.filter(created).sort((a, b) => (a.id < b.id ? 1 : -1)));
  await race(cluster, { runs: 40, steps: 3, late: 0.3 });
  const ended = runId(9001);
  await insertEvents(cluster, [
    { run: ended, type: 'step_created', correlation: 'step_e' }, { run: ended, type: 'step_created', correlation: 'step_e' },
    { run: ended, type: 'hook_created' }, { run: ended, type: 'hook_created' }, { run: ended, type: 'run_completed' },
    { run: ended, type: 'step_created', correlation: 'step_e' },
  ]);
}

const versions = ENGINES.filter(installed);
test('a table is made ready for the unique-index migration: killed, gone on with, migrated, replayed and undone', async (t) => {
  const { cluster, file } = await scene(t);
  const logs = (await Promise.all(versions.map(async (version) => (await shapeLogs(version)).map((log) => ({ version, ...log })))))
    .flat().map((log, number) => ({ ...log, run: runId(number) }));
  await dirtyTable(cluster, logs);
  const before = await wholeLog(cluster);
  const toGo = (await cluster.query(SECOND_ROWS)).map(keyOf).sort();
  const foretold = await audit(cluster, ['--before-migration', '--json']);
  const from = file(foretold.stdout);
  const args = ['--from-audit', from, '--before-migration'];
  assert.ok(foretold.stdout.includes('"differs":true') && foretold.stdout.includes('"correlation_id":null'));
  assert.ok(toGo.length > 60, `only ${toGo.length} rows to move`);

  const dry = await quarantine(cluster, ['apply', ...args, '--dry-run', '--rate', '0']);
  assert.deepEqual([dry.code, dry.summary.dry_run, dry.summary.done], [0, toGo.length, 0], dry.stderr);
  assert.deepEqual(await wholeLog(cluster), before);

  await t.test('killed in the middle, each row is in the log or kept', async () => {
    const apply = startApply(cluster, [...args, '--yes', '--rate', '200']);
    await apply.until((acts) => acts >= 20);
    apply.child.kill('SIGKILL');
    assert.equal((await apply.ended).signal, 'SIGKILL');
    while ((await cluster.query(`SELECT FROM pg_stat_activity WHERE usename = '${ROLE}'`)).length > 0);
    const kept = new Set((await entries(cluster)).map(keyOf));
    assert.ok(kept.size >= 20 && kept.size < toGo.length, `${kept.size} of ${toGo.length}`);
    assert.deepEqual((await wholeLog(cluster)).map(keyOf), before.map(keyOf).filter((key) => !kept.has(key)));

    const rest = await quarantine(cluster, ['apply', ...args, '--yes', '--rate', '0']);
    assert.equal(rest.code, 0, rest.stdout.slice(-600) + rest.stderr);
    assert.deepEqual([rest.summary.rows, rest.summary.done, rest.summary.already_done, rest.summary.refused, rest.summary.not_reached],
      [toGo.length, toGo.length - kept.size, kept.size, 0, 0]);
    t.diagnostic(`${before.length} rows, ${toGo.length} moved, of them ${kept.size} before the kill`);
  });

  await t.test('exactly the second rows of each identity are kept, none of the canonical ones', async () => {
    assert.deepEqual((await entries(cluster)).map(keyOf).sort(), toGo);
    const gone = new Set(toGo);
    assert.deepEqual(await wholeLog(cluster), before.filter((row) => !gone.has(keyOf(row))));
    const clean = await audit(cluster, ['--before-migration', '--json']);
    assert.equal(clean.code, 0, clean.stdout);
  });

  const cleaned = await wholeLog(cluster);
  await t.test('the real migration succeeds and deletes nothing', async () => {
    await cluster.query(UNIQUE_INDEX);
    assert.deepEqual(await wholeLog(cluster), cleaned);
    assert.equal((await cluster.query("SELECT FROM pg_indexes WHERE indexname = 'workflow_events_entity_creation_unique' AND indexdef LIKE '%UNIQUE%'")).length, 1);
  });

  for (const version of ENGINES) {
    await t.test(`${version} replays what is left`, { skip: !versions.includes(version) && 'the engine is not installed (./test installs it)' }, async (sub) => {
      const ours = logs.filter((log) => log.version === version);
      const left = new Set(cleaned.map(keyOf));
      const pruned = ours.map(({ run, log }) => ({ ...log, events: log.events.filter(({ id }) => left.has(`${run} ${id}`)) }));
      const was = await replayAll(version, ours.map(({ log }) => log));
      const is = await replayAll(version, pruned);
      const touched = ours.map(({ name, log }, i) => ({ name, removed: log.events.length - pruned[i].events.length, was: was[i].outcome, is: is[i].outcome }))
        .filter(({ removed }) => removed > 0);
      sub.diagnostic(`${ours.length} logs, rows moved out of ${touched.length}: ${touched.filter((log) => log.was === 'fatal' && log.is === 'ok').length} healed`);
      assert.ok(touched.some((log) => log.was === 'ok') && touched.filter((log) => log.was === 'fatal').length >= 4, JSON.stringify(touched));
      assert.deepEqual(touched.filter((log) => log.was === 'ok' && log.is !== 'ok'), [], 'a move must not break a log');
      // What is still fatal has another row at fault, which `apply` without --before-migration is for.
      const faults = (await audit(cluster)).findings.filter(({ severity }) => severity === 'fatal').map(({ run_id: run }) => run);
      const silent = ours.filter(({ run }, i) => is[i].outcome === 'fatal' && pruned[i].events.length < ours[i].log.events.length && !faults.includes(run));
      assert.deepEqual(silent.map(({ name }) => name), []);
    });
  }

  await t.test('every entry comes back, and the table is what it was', async () => {
    const kept = await entries(cluster);
    const stopped = await quarantine(cluster, ['restore', String(kept[0].id), '--yes'], 'postgres');
    assert.deepEqual([stopped.code, stopped.answer.reason], [1, 'collision'], 'the new index keeps it out');
    await cluster.query('DROP INDEX workflow.workflow_events_entity_creation_unique');
    for (const { id } of kept) assert.equal((await quarantine(cluster, ['restore', String(id), '--yes'], 'postgres')).code, 0);
    assert.deepEqual(await wholeLog(cluster), before);
  });
});

test('of a whole audit the fatal rows go, in order, and the rest is refused with its reason', async (t) => {
  const { cluster, file } = await scene(t);
  await insertShapes(cluster);
  const { stdout, findings } = await audit(cluster);
  const from = file(stdout);
  const before = await wholeLog(cluster);
  const limited = await quarantine(cluster, ['apply', '--from-audit', from, '--yes', '--limit', '2', '--rate', '0']);
  assert.deepEqual([limited.code, limited.summary.done, limited.summary.not_reached > 0], [1, 2, true], limited.stderr);
  const all = await quarantine(cluster, ['apply', '--from-audit', from, '--yes', '--rate', '0']);
  assert.equal(all.code, 1, all.stderr);
  assert.deepEqual(all.acts.map(({ finding_id: id }) => id), findings.map(({ finding_id: id }) => id), 'one line for each finding, in order');
  const { summary } = all;
  assert.equal(summary.rows, findings.length);
  assert.equal(summary.rows, summary.done + summary.already_done + summary.gone + summary.refused);
  assert.equal(summary.refused, summary.by_reason.reduce((sum, { rows }) => sum + rows, 0));
  for (const { result, finding_id: id } of all.acts.filter(({ result }) => result !== 'refused')) {
    const { severity, rule } = findings.find((finding) => finding.finding_id === id);
    assert.ok(severity === 'fatal' && /^(duplicate_created|second_terminal|lifecycle_after_close)$/.test(rule), `${result}: ${severity} ${rule}`);
  }
  const reasons = Object.fromEntries(summary.by_reason.map(({ reason, rows }) => [reason, rows]));
  const notFatal = findings.filter(({ severity, duplicate, canonical }) => severity !== 'fatal' && duplicate.id > canonical.id
    && !duplicate.id.startsWith('evnt_0')).length;
  assert.ok(reasons.not_fatal >= notFatal && notFatal > 3, JSON.stringify(reasons));
  for (const reason of ['rule', 'outcome', 'canonical', 'run_ended']) assert.ok(reasons[reason] > 0, `${reason}: ${JSON.stringify(reasons)}`);
  const kept = new Set((await entries(cluster)).map(keyOf));
  assert.equal(kept.size, limited.summary.done + summary.done);
  assert.ok(kept.size >= 5);
  assert.deepEqual((await wholeLog(cluster)).map(keyOf), before.map(keyOf).filter((key) => !kept.has(key)));

  const again = await quarantine(cluster, ['apply', '--from-audit', from, '--yes']);
  assert.deepEqual([again.summary.done, again.summary.already_done, again.summary.refused], [0, summary.done + summary.already_done, summary.refused]);
  for (const { id } of await entries(cluster)) assert.equal((await quarantine(cluster, ['restore', String(id), '--yes'], 'postgres')).code, 0);
  assert.deepEqual(await wholeLog(cluster), before);
});

test('a row that went by another hand is gone, one that has no fault any more stays, and slots are never touched', async (t) => {
  const { cluster, file } = await scene(t);
  const [gone, healed] = await fatalRuns(cluster, 2);
  const slotRun = runId(7);
  const slots = await insertEvents(cluster, ['run_created', 'step_created', 'step_created'].map((type, i) => ({
    run: slotRun, type, correlation: i ? 'step_s' : null, id: `evnt_${String(i + 1).padStart(26, '0')}` })));
  const findings = (await audit(cluster)).stdout;
  const foretold = (await audit(cluster, ['--before-migration', '--json'])).stdout;
  await cluster.query(`DELETE FROM ${EVENTS} WHERE id = ANY ($1)`, [[gone.duplicate, healed.ids[1]]]);
  const before = await wholeLog(cluster);
  const plain = await quarantine(cluster, ['apply', '--from-audit', file(findings), '--yes']);
  assert.deepEqual([plain.summary.gone, plain.summary.done, plain.code], [1, 0, 1], plain.stdout);
  assert.equal(plain.acts.find(({ run_id: run }) => run === healed.run).reason, 'no_finding');
  const moved = await quarantine(cluster, ['apply', '--from-audit', file(foretold), '--before-migration', '--yes']);
  const ofRun = (run) => moved.acts.filter((act) => act.run_id === run).map(({ result, reason, event_id: id }) => [result, reason, id]);
  assert.deepEqual([ofRun(gone.run), ofRun(healed.run), ofRun(slotRun)],
    [[['gone', null, gone.duplicate]], [['refused', 'canonical', healed.duplicate]], [['refused', 'slot_numbered', slots[2]]]]);
  assert.deepEqual(await wholeLog(cluster), before);
  assert.deepEqual(await entries(cluster), []);
});

test('findings serve for --before-migration too, without their rule on', async (t) => {
  const { cluster, file } = await scene(t);
  const run = runId(1);
  const ids = await insertEvents(cluster, ['step_created', 'step_created', 'step_completed', 'step_completed'].map((type, i) => ({ run, type, correlation: 'step_a', id: eventId(i) })));
  const { stdout } = await audit(cluster);
  const config = file(`connection:\n  dsn: "${cluster.dsn({ user: ROLE })}"\nrules:\n  duplicate_created: off\n`, 'dupwatch.yaml');
  const done = withRecords(await runCommand(['quarantine', 'apply', '--from-audit', file(stdout), '--before-migration', '--yes', '--json', '--config', config]));
  assert.deepEqual(done.acts.map(({ result, reason, event_id: id }) => [result, reason, id]).sort(),
    [['done', null, ids[1]], ['refused', 'not_indexed', ids[3]]], done.stderr);
  const [{ finding }] = await cluster.query('SELECT finding FROM dupwatch.quarantine');
  assert.deepEqual([finding.rule, finding.canonical.id, finding.duplicate.id, finding.correlation_id, finding.finding_id],
    ['duplicate_created', ids[0], ids[1], 'step_a', done.acts.find(({ result }) => result === 'done').finding_id]);
});

test('a file that is no audit changes nothing, and the error says where and what', async (t) => {
  const { cluster, file } = await scene(t);
  await fatalRuns(cluster, 2);
  const { stdout } = await audit(cluster);
  const foretold = (await audit(cluster, ['--before-migration', '--json'])).stdout;
  const csv = (await audit(cluster, ['--format', 'csv'])).stdout;
  const [first, second] = stdout.split('\n');
  const before = await wholeLog(cluster);
  const cases = [
    [`${first}\nnonsense\n`, [], /audit\.jsonl:2: found "nonsense", expected one JSON object a line, as dupwatch audit --format json/],
    [`${first}\n${second.slice(0, 100)}`, [], /audit\.jsonl:2: found "/],
    [`${first}\n${second.replace('"fatal"', '"deadly"')}\n`, [], /audit\.jsonl:2: found a finding that lacks a field or has a value/],
    [`${first.replaceAll('workflow.workflow_events', 'public.log')}\n`, [], /:1: found a finding about table "public\.log", expected findings about workflow\.workflow_events/],
    [foretold, [], /:1: found a line of dupwatch audit --before-migration, expected findings, or --before-migration on this command line too/],
    [foretold.replace('"canonical_id"', '"canonical"'), ['--before-migration'], /:1: found a line about the migration without all of run_id, canonical_id/],
    [csv, [], /:1: found "/],
    ['', [], /:1: found nothing, expected/],
    [`${first}\n${'x'.repeat(3 << 20)}`, [], /:2: found a line longer than 1048576 bytes/],
    [`${'\u0000'.repeat(50)}\n`, [], /:1: found "/],
  ];
  for (const [text, args, message] of cases) {
    const { code, stderr, stdout: said } = await quarantine(cluster, ['apply', '--from-audit', file(text), '--yes', ...args]);
    assert.deepEqual([code, said], [2, ''], `${message}: ${stderr}`);
    assert.match(stderr, message);
    assert.match(stderr, /nothing was changed\n$/);
  }
  const missing = await quarantine(cluster, ['apply', '--from-audit', '/nonexistent/audit', '--yes']);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /\/nonexistent\/audit can't be read: No such file or directory/);
  const folder = await quarantine(cluster, ['apply', '--from-audit', '/tmp', '--yes']);
  assert.deepEqual([folder.code, /can't be read: Is a directory/.test(folder.stderr)], [2, true], folder.stderr);
  const from = file(stdout);
  for (const [args, message] of [
    [['apply'], /name RUN_ID and FINDING, or --from-audit FILE/],
    [['apply', 'wrun_x'], /RUN_ID requires FINDING/],
    [['apply', 'wrun_x', '0123456789abcdef', '--from-audit', from], /excludes/],
    [['apply', 'wrun_x', '0123456789abcdef', '--before-migration'], /--before-migration requires --from-audit/],
    [['apply', '--from-audit', from, '--rate', '-1'], /--rate/],
    [['apply', '--from-audit', from, '--limit', '0'], /--limit/],
    [['apply', '--from-audit', from], /there is no terminal to ask; remedy: add --yes/],
  ]) {
    const { code, stderr } = await quarantine(cluster, args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  }
  assert.deepEqual(await wholeLog(cluster), before);
  assert.deepEqual(await entries(cluster), []);

  const cut = await quarantine(cluster, ['apply', '--from-audit', file(stdout.replace('"complete":true', '"complete":false')), '--yes', '--dry-run']);
  assert.deepEqual([cut.code, cut.summary.dry_run], [0, 2]);
  assert.match(cut.stderr, /warning: the audit that wrote .* was cut short/);
  const only = await quarantine(cluster, ['apply', '--from-audit', file(`${stdout.split('\n').at(-2)}\n`)]);
  assert.deepEqual([only.code, only.summary.rows], [0, 0], 'an audit without findings asks nothing');
});

test('an audit is taken from standard input, at the rate that was asked for', async (t) => {
  const { cluster } = await scene(t);
  await fatalRuns(cluster, 5);
  const { stdout } = await audit(cluster);
  const child = spawn(binary(), command(cluster, ['apply', '--from-audit', '-', '--yes', '--rate', '5']), { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(stdout);
  let said = '';
  child.stdout.on('data', (data) => { said += data; });
  const began = performance.now();
  const code = await new Promise((resolve) => { child.on('close', resolve); });
  const seconds = (performance.now() - began) / 1000;
  assert.deepEqual([code, withRecords({ stdout: said }).summary.done], [0, 5]);
  assert.ok(seconds >= 0.8, `5 rows at 5 a second within ${seconds} s`);
});

test('a lock is waited out or ends it, Ctrl-C lets the act in flight come to its end', async (t) => {
  const { cluster, file } = await scene(t);
  const runs = await fatalRuns(cluster, 3);
  const from = file((await audit(cluster)).stdout);
  const holder = await cluster.client();
  t.after(() => holder.end());
  const waits = async () => (await cluster.query(`SELECT FROM pg_stat_activity WHERE usename = '${ROLE}' AND wait_event_type = 'Lock'`)).length > 0;
  const hold = async (row) => { await holder.query(`BEGIN; SELECT FROM ${EVENTS} WHERE id = '${row}' FOR UPDATE`); };

  await hold(runs[0].duplicate);
  const held = await quarantine(cluster, ['apply', '--from-audit', from, '--yes']);
  assert.deepEqual([held.code, held.summary.done, held.summary.not_reached], [4, 0, 3], held.stderr);
  assert.match(held.stderr, /lock timeout/);
  const patient = startApply(cluster, ['--from-audit', from, '--yes', '--limit', '1']);
  await patient.until(waits);
  await sleep(700); // Past the first lock timeout of half a second.
  await holder.query('ROLLBACK');
  const limited = withRecords(await patient.ended);
  assert.deepEqual([limited.code, limited.summary.done, limited.summary.not_reached], [1, 1, 2], limited.stderr);

  let stopped;
  for (let tries = 0; tries < 20 && !stopped?.summary?.done; tries += 1) { // The half second may pass on a busy machine.
    await hold(runs[1].duplicate);
    const apply = startApply(cluster, ['--from-audit', from, '--yes']);
    await apply.until(waits);
    apply.child.kill('SIGINT');
    await sleep(20);
    await holder.query('ROLLBACK');
    stopped = withRecords(await apply.ended);
    assert.equal(stopped.code, 4);
    assert.match(stopped.stderr, /interrupted; go on with the same command/);
  }
  assert.deepEqual([stopped.summary.already_done, stopped.summary.done, stopped.summary.not_reached], [1, 1, 1]);

  await cluster.query(`REVOKE DELETE ON ${EVENTS} FROM ${ROLE}`);
  const without = await quarantine(cluster, ['apply', '--from-audit', from, '--yes']);
  assert.deepEqual([without.code, without.summary.already_done, without.summary.not_reached], [3, 2, 1]);
  assert.match(without.stderr, /setup --print-sql --quarantine/);
  await cluster.query(`GRANT DELETE ON ${EVENTS} TO ${ROLE}`);
  assert.equal((await quarantine(cluster, ['apply', '--from-audit', from, '--yes'])).code, 0);
});

test('a session that the server ends is replaced', async (t) => {
  const { cluster, file } = await scene(t);
  await fatalRuns(cluster, 6);
  const from = file((await audit(cluster)).stdout);
  const apply = startApply(cluster, ['--from-audit', from, '--yes', '--rate', '3']);
  for (const wanted of [1, 3]) {
    await apply.until((acts) => acts >= wanted);
    assert.equal((await cluster.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE}'`)).length, 1);
  }
  const ended = withRecords(await apply.ended);
  assert.deepEqual([ended.code, ended.summary.done + ended.summary.already_done], [0, 6], ended.stderr);
  assert.equal((await entries(cluster)).length, 6);
});

test('purge deletes old entries for good, and says which were the only copy', async (t) => {
  const { cluster, file } = await scene(t);
  await fatalRuns(cluster, 4);
  await quarantine(cluster, ['apply', '--from-audit', file((await audit(cluster)).stdout), '--yes', '--rate', '0']);
  const [first, second, third, fourth] = (await entries(cluster)).map(({ id }) => id);
  assert.equal((await quarantine(cluster, ['restore', String(first), '--yes'], 'postgres')).code, 0);
  await cluster.query("UPDATE dupwatch.quarantine SET removed_at = now() - interval '31 days' WHERE id = ANY ($1)", [[first, second, third]]);
  await cluster.query("UPDATE dupwatch.quarantine SET table_name = 'public.other' WHERE id = $1", [third]);
  const left = async () => (await cluster.query('SELECT id FROM dupwatch.quarantine ORDER BY id')).map(({ id }) => id);

  const dry = await quarantine(cluster, ['purge', '--older-than', '30d', '--dry-run']);
  assert.deepEqual([dry.code, dry.answer.result, dry.answer.entries, dry.answer.never_restored, dry.answer.deleted], [0, 'dry_run', 2, 1, 0], dry.stderr);
  const text = await runCommand(['quarantine', 'purge', '--older-than', '30d', '--dry-run', '--dsn', cluster.dsn({ user: ROLE })]);
  assert.match(text.stdout, /^would delete 2 entries made before .*\. 1 of them was never restored and hold/);
  const forbidden = await quarantine(cluster, ['purge', '--older-than', '30d', '--yes']);
  assert.equal(forbidden.code, 3);
  assert.match(forbidden.stderr, /permission denied .*remedy: purge with --dsn as a role that may DELETE from dupwatch\.quarantine/);
  const unasked = await quarantine(cluster, ['purge', '--older-than', '30d'], 'postgres');
  assert.equal(unasked.code, 2);
  assert.match(unasked.stderr, /this changes dupwatch\.quarantine and there is no terminal to ask/);
  for (const age of ['30', '0d', 'd', '5m', '-1d', '99999999999d']) {
    const { code, stderr } = await quarantine(cluster, ['purge', `--older-than=${age}`, '--yes'], 'postgres');
    assert.equal(code, 2, age);
    assert.match(stderr, /--older-than: expected an age like 12h or 30d/);
  }
  assert.equal((await quarantine(cluster, ['purge', '--yes'], 'postgres')).code, 2);
  assert.deepEqual(await left(), [first, second, third, fourth]);

  const done = await quarantine(cluster, ['purge', '--older-than', '30d', '--yes'], 'postgres');
  assert.deepEqual([done.code, done.answer.result, done.answer.deleted, done.answer.never_restored], [0, 'done', 2, 1], done.stderr);
  assert.deepEqual(await left(), [third, fourth], 'young entries and those of another table stay');
  const nothing = await quarantine(cluster, ['purge', '--older-than', '30d'], 'postgres');
  assert.deepEqual([nothing.code, nothing.answer.deleted], [0, 0], 'nothing to do asks nothing');

  await cluster.query(`INSERT INTO dupwatch.quarantine (finding_id, rule, table_name, run_id, event_id, finding, kept, removed_at)
    SELECT 'f', 'r', '${EVENTS}', 'run', i::text, '{}', '{}', now() - interval '13 hours' FROM generate_series(1, 2500) i`);
  const many = await quarantine(cluster, ['purge', '--older-than', '12h', '--yes'], 'postgres');
  assert.deepEqual([many.code, many.answer.deleted], [0, 2500]);
  assert.deepEqual(await left(), [third, fourth]);
  await cluster.query('DROP TABLE dupwatch.quarantine');
  const missing = await quarantine(cluster, ['purge', '--older-than', '12h', '--yes'], 'postgres');
  assert.equal(missing.code, 3);
  assert.match(missing.stderr, /setup --print-sql --quarantine/);
});
