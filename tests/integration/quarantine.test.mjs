// dupwatch quarantine: one row out of the log and back, every column as it was; what may not be removed stays.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { insertShapes } from './audit_shapes.mjs';
import { audit } from './audit_truth.mjs';
import { binary, runCommand } from './daemon.mjs';
import { daemonFor, EVENTS, eventId, full, insertEvents, serverWithSchema } from './scene.mjs';

const ROLE = 'keeper';

/** A server whose role ROLE has exactly the rights that `setup --print-sql --quarantine` gives. */
async function scene(t, options) {
  const cluster = await serverWithSchema(t, options);
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: ROLE }) } });
  const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
  assert.equal(setup.code, 0, setup.stderr);
  await cluster.query(setup.stdout);
  await cluster.query(setup.stdout); // May be run again.
  return cluster;
}

async function quarantine(cluster, args, user = ROLE) {
  const [action, ...rest] = args;
  const ended = await runCommand(['quarantine', action, ...rest, '--json', '--dsn', cluster.dsn({ user })]);
  return { ...ended, answer: ended.stdout ? JSON.parse(ended.stdout) : undefined };
}

/** A run with one fatal step_created; the ids in order. */
async function fatalRun(cluster, number) {
  const run = `wrun_01KQ3V6T0A7M2N5P8R1S4V${String(number).padStart(4, '0')}`;
  const step = `step_01KQ3V6T0BYD5Q8WEHZ3KT${String(number).padStart(4, '0')}`;
  const events = [['run_created', null], ['run_started', null], ['step_created', step], ['step_started', step],
    ['step_completed', step], ['step_created', step]];
  const ids = await insertEvents(cluster, events.map(([type, correlation], order) => ({ run, type, correlation, id: eventId(order) })));
  return { run, step, ids, duplicate: ids.at(-1) };
}

const findingOf = async (cluster, { run, duplicate }) => (await audit(cluster)).findings
  .find((finding) => finding.run_id === run && finding.duplicate.id === duplicate).finding_id;

/** Every row of the log with every column, as the types' own output functions write them. */
const wholeLog = (cluster) => cluster.query(`SELECT id, run_id, md5(record_send(e)) AS bytes FROM ${EVENTS} e ORDER BY run_id, id`);

const idsOf = async (cluster, run) => (await cluster.query(`SELECT id FROM ${EVENTS} WHERE run_id = $1 ORDER BY id COLLATE "C"`, [run])).map(({ id }) => id);

test('a fatal row is taken out and put back, with the rights of setup', async (t) => {
  const cluster = await scene(t);
  const fatal = await fatalRun(cluster, 1);
  const finding = await findingOf(cluster, fatal);
  const before = await wholeLog(cluster);

  const dry = await quarantine(cluster, ['apply', fatal.run, finding, '--dry-run']);
  assert.deepEqual([dry.code, dry.answer.result, dry.answer.event_id], [0, 'dry_run', fatal.duplicate], dry.stderr);
  const unasked = await quarantine(cluster, ['apply', fatal.run, finding]);
  assert.equal(unasked.code, 2);
  assert.match(unasked.stderr, /remedy: add --yes/);
  assert.deepEqual(await wholeLog(cluster), before);

  const done = await quarantine(cluster, ['apply', fatal.run, finding, '--yes']);
  assert.deepEqual([done.code, done.answer.result, done.answer.event_id], [0, 'done', fatal.duplicate], done.stderr);
  assert.deepEqual(await idsOf(cluster, fatal.run), fatal.ids.slice(0, -1));
  assert.deepEqual((await audit(cluster)).findings, []);
  const again = await quarantine(cluster, ['apply', fatal.run, finding, '--yes']);
  assert.deepEqual([again.code, again.answer.result, again.answer.id], [0, 'already_done', done.answer.id]);

  const list = await quarantine(cluster, ['list']);
  assert.deepEqual(list.answer.entries.map((entry) => [entry.id, entry.finding_id, entry.rule, entry.run_id, entry.event_id, entry.removed_by, entry.restored_at]),
    [[done.answer.id, finding, 'duplicate_created', fatal.run, fatal.duplicate, ROLE, null]]);
  assert.deepEqual((await quarantine(cluster, ['list', '--run', 'another'])).answer, { matched: 0, entries: [] });
  const shown = await quarantine(cluster, ['show', String(done.answer.id)]);
  assert.deepEqual([shown.answer.row.id, shown.answer.row.correlation_id, shown.answer.finding.canonical.id], [fatal.duplicate, fatal.step, fatal.ids[2]]);

  const forbidden = await quarantine(cluster, ['restore', String(done.answer.id), '--yes']);
  assert.equal(forbidden.code, 3);
  assert.match(forbidden.stderr, /dupwatch's own role gets no INSERT/);
  const restored = await quarantine(cluster, ['restore', String(done.answer.id), '--yes'], 'postgres');
  assert.deepEqual([restored.code, restored.answer.result], [0, 'done'], restored.stderr);
  assert.deepEqual(await wholeLog(cluster), before);
  assert.equal((await quarantine(cluster, ['restore', String(done.answer.id), '--yes'], 'postgres')).answer.result, 'already_done');
  assert.equal((await quarantine(cluster, ['restore', '99', '--yes'], 'postgres')).code, 2);
  assert.equal((await quarantine(cluster, ['apply', fatal.run, '0123456789abcdef', '--yes'])).code, 2);
});

/** A relay before the cluster; `flights` is what the client sent between two answers of the server, one text each. */
async function relayTo(t, cluster) {
  const flights = [];
  const server = net.createServer((client) => {
    const upstream = net.connect(cluster.port, '127.0.0.1');
    let answered = true;
    client.on('data', (chunk) => {
      if (answered) flights.push('');
      answered = false;
      flights[flights.length - 1] += chunk.toString('latin1');
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      answered = true;
      client.write(chunk);
    });
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { flights, port: server.address().port };
}

test('an act waits for the server three times: to judge the run, to move the row, to commit', async (t) => {
  const cluster = await scene(t);
  const fatal = await fatalRun(cluster, 1);
  const finding = await findingOf(cluster, fatal);
  const relay = await relayTo(t, cluster);
  const done = await runCommand(['quarantine', 'apply', fatal.run, finding, '--yes', '--json', '--dsn', cluster.dsn({ user: ROLE, port: relay.port })]);
  assert.equal(JSON.parse(done.stdout).result, 'done', done.stderr);
  const begun = relay.flights.findIndex((flight) => flight.includes('BEGIN ISOLATION'));
  const flights = relay.flights.slice(begun).filter((flight) => flight !== 'X\0\0\0\x04'); // Terminate.
  // The act is done; the fourth asks a running daemon to look at the run.
  assert.match(flights[3], /pg_logical_emit_message/);
  assert.equal(flights.length, 4, flights.join('\n'));
  assert.match(flights[0], /pg_advisory_xact_lock/);
  assert.match(flights[1], /DELETE FROM/);
  assert.match(flights[2], /COMMIT/);
  assert.deepEqual(await idsOf(cluster, fatal.run), fatal.ids.slice(0, -1));
});

test('every column type comes back byte for byte, also of columns that dupwatch does not know', async (t) => {
  const cluster = await scene(t);
  const fatal = await fatalRun(cluster, 1);
  await cluster.query(`CREATE TYPE workflow.mood AS ENUM ('so', 'la la'); CREATE TYPE workflow.pair AS (a int, b text);
    CREATE DOMAIN workflow.short AS varchar(9);
    ALTER TABLE ${EVENTS} ADD "a ""b' c" text, ADD padded char(9), ADD flag boolean, ADD exact numeric(40,20), ADD nan numeric, ADD minus float8,
      ADD small float4, ADD at timestamptz, ADD ever timestamp, ADD day date, ADD span interval, ADD bits bit(5), ADD varbits varbit(9), ADD raw bytea,
      ADD doc json, ADD docb jsonb, ADD null_doc jsonb, ADD list text[], ADD grid int[], ADD pair workflow.pair, ADD empty_pair workflow.pair,
      ADD mood workflow.mood, ADD short workflow.short, ADD addr inet, ADD uid uuid, ADD ranges int4range, ADD nothing text, ADD one "char",
      ADD price money, ADD words tsvector, ADD big bigint GENERATED ALWAYS AS IDENTITY, ADD twice int GENERATED ALWAYS AS (length(id) * 2) STORED`);
  await cluster.query(`ALTER TABLE ${EVENTS} DROP COLUMN varbits`);
  await cluster.query(`UPDATE ${EVENTS} SET "a ""b' c" = E'quote " \\\\ \\n ü 🦆', padded = ' x', flag = true, exact = 0.10000000000000000000, nan = 'NaN',
    minus = '-0', small = 0.1, at = '2026-11-24 05:21:38.123456+03', ever = 'infinity', day = '0044-03-15 BC', span = '1 mon -3 days 00:00:00.000001',
    bits = B'10110', raw = decode(repeat('00ff5c27', 20000), 'hex'), doc = '{ "b":1,  "a":2, "b":null }', docb = '{"n":1.500}', null_doc = 'null',
    list = '[5:7]={NULL,"NULL","a,\\"b"}', grid = '{{1,2},{3,4}}', pair = ROW(1, 'x,"y'), empty_pair = ROW(NULL, NULL), mood = 'la la', short = ' s ',
    addr = '10.0.0.1/8', uid = '5b3f0f8e-0000-4000-8000-00000000000a', ranges = '[1,9)', one = 'x', price = 12.34,
    words = 'fat:2,4 cat:3B', payload = 'null', payload_cbor = '\\x00ff', created_at = '2026-04-24 03:06:40.457001' WHERE id = $1`, [fatal.duplicate]);
  const before = await wholeLog(cluster);
  const finding = await findingOf(cluster, fatal);
  const done = await quarantine(cluster, ['apply', fatal.run, finding, '--yes']);
  assert.equal(done.code, 0, done.stderr);
  assert.equal((await wholeLog(cluster)).length, before.length - 1);
  const id = String(done.answer.id);
  await cluster.query(`ALTER TABLE ${EVENTS} ADD later int DEFAULT 7`);
  await cluster.query(`ALTER TABLE ${EVENTS} DROP COLUMN later`);
  const restored = await quarantine(cluster, ['restore', id, '--yes'], 'postgres');
  assert.equal(restored.code, 0, restored.stdout + restored.stderr);
  assert.deepEqual(await wholeLog(cluster), before);

  await t.test('a row that would not be the same stays out', async () => {
    const taken = await quarantine(cluster, ['apply', fatal.run, finding, '--yes']);
    const entry = String(taken.answer.id);
    const refusal = async () => {
      const { code, answer } = await quarantine(cluster, ['restore', entry, '--yes'], 'postgres');
      assert.equal(code, 1);
      return answer.reason;
    };
    await cluster.query(`CREATE FUNCTION workflow.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.nothing := 'x'; RETURN NEW; END $$;
      CREATE TRIGGER meddle BEFORE INSERT ON ${EVENTS} FOR EACH ROW EXECUTE FUNCTION workflow.meddle()`);
    assert.equal(await refusal(), 'not_identical');
    await cluster.query(`DROP TRIGGER meddle ON ${EVENTS}`);
    await cluster.query(`INSERT INTO ${EVENTS} (id, run_id, type) VALUES ($1, 'another', 'run_created')`, [fatal.duplicate]);
    assert.equal(await refusal(), 'collision');
    await cluster.query(`DELETE FROM ${EVENTS} WHERE run_id = 'another'`);
    await cluster.query(`ALTER TABLE ${EVENTS} DROP COLUMN price`);
    assert.equal(await refusal(), 'column_missing');
    assert.equal((await quarantine(cluster, ['show', entry])).answer.restored_at, null);
  });
});

test('of every shape of damage only fatal rows with a canonical row before them are removed', async (t) => {
  const cluster = await scene(t);
  await insertShapes(cluster);
  const { findings } = await audit(cluster);
  const allowed = new Set(['duplicate_created', 'second_terminal', 'lifecycle_after_close']);
  const results = { done: 0, refused: {} };
  for (const finding of findings) {
    const rows = await cluster.query(`SELECT id, type, correlation_id FROM ${EVENTS} WHERE run_id = $1 ORDER BY id COLLATE "C"`, [finding.run_id]);
    const at = rows.findIndex(({ id }) => id === finding.duplicate.id);
    const twin = rows.slice(0, Math.max(at, 0)).some(({ type, correlation_id: entity }) => type === rows[at].type && entity === rows[at].correlation_id);
    const ended = rows.some(({ type }) => /^run_(completed|failed|cancelled)$/.test(type));
    const slots = rows.some(({ id }) => id.startsWith('evnt_0000000000'));
    const { code, answer, stderr } = await quarantine(cluster, ['apply', finding.run_id, finding.finding_id, '--yes']);
    if (answer === undefined || answer.result === 'already_done') continue; // Gone with an earlier finding about its row or its twin.
    const left = await cluster.query(`SELECT id FROM ${EVENTS} WHERE run_id = $1 ORDER BY id COLLATE "C"`, [finding.run_id]);
    if (answer.result === 'done') {
      assert.equal(code, 0, stderr);
      assert.ok(twin && !ended && !slots && allowed.has(finding.rule), `${finding.rule} ${finding.run_id} was removed`);
      assert.deepEqual(left.map(({ id }) => id), rows.map(({ id }) => id).filter((id) => id !== finding.duplicate.id));
      results.done += 1;
    } else {
      assert.deepEqual([code, left.length], [1, rows.length]);
      results.refused[answer.reason] = (results.refused[answer.reason] ?? 0) + 1;
    }
  }
  assert.ok(results.done >= 3, JSON.stringify(results));
  for (const reason of ['slot_numbered', 'run_ended', 'rule', 'outcome', 'canonical']) {
    assert.ok(results.refused[reason] > 0, `no case was refused for ${reason}: ${JSON.stringify(results)}`);
  }
});

test('a row stays where the run would die of another one all the same, unless it is asked for', async (t) => {
  const cluster = await scene(t);
  const log = (run, types) => insertEvents(cluster, types.map(([type, correlation], order) => ({ run, type, correlation, id: eventId(order) })));
  const begin = [['run_created', null], ['run_started', null]];
  const late = [['step_created', 'step_a'], ['step_started', 'step_a'], ['step_completed', 'step_a'], ['step_created', 'step_a'], ['step_created', 'step_b']];
  // The payload of a hook that was disposed of is not for a tool to drop.
  await log('wrun_delivered', [...begin, ...late, ['hook_created', 'hook_c'], ['hook_disposed', 'hook_c'], ['hook_received', 'hook_c']]);
  // Two equal outcomes, the first before the step's own rows: replay dies of the first.
  await log('wrun_skewed', [...begin, ['step_completed', 'step_a'], ['step_created', 'step_a'], ['step_started', 'step_a'], ['step_completed', 'step_a'], ['step_created', 'step_b']]);
  // Two rows that may both go: none of them is what the other waits for.
  await log('wrun_twice', [...begin, ...late, ['step_started', 'step_a']]);
  const before = await wholeLog(cluster);
  const { findings } = await audit(cluster);
  const removable = (run) => findings.filter(({ run_id: of, rule, canonical, duplicate }) => of === run && rule !== 'delivery_after_disposal' && rule !== 'lifecycle_after_close' && canonical.id < duplicate.id);
  for (const run of ['wrun_delivered', 'wrun_skewed']) {
    const [finding] = removable(run);
    const { code, answer } = await quarantine(cluster, ['apply', run, finding.finding_id, '--yes']);
    assert.deepEqual([code, answer.result], [1, 'refused'], run);
    assert.ok(['stays_fatal', 'rule'].includes(answer.reason), answer.reason);
  }
  const [delivered] = removable('wrun_delivered');
  const { answer } = await quarantine(cluster, ['apply', 'wrun_delivered', delivered.finding_id, '--yes']);
  assert.equal(answer.reason, 'stays_fatal');
  assert.deepEqual(await wholeLog(cluster), before);
  const asked = await quarantine(cluster, ['apply', 'wrun_delivered', delivered.finding_id, '--partial', '--yes']);
  assert.deepEqual([asked.code, asked.answer.result], [0, 'done'], asked.stderr);
  for (const finding of findings.filter(({ run_id: of }) => of === 'wrun_twice')) {
    const { answer: one } = await quarantine(cluster, ['apply', 'wrun_twice', finding.finding_id, '--yes']);
    assert.equal(one.result, 'done', `${finding.rule}: ${one.reason}`);
  }
  assert.deepEqual((await audit(cluster)).findings.filter(({ run_id: of }) => of === 'wrun_twice'), []);
});

test('locks, rights and races end in an error or a refusal, never in a wrong row', async (t) => {
  const cluster = await scene(t);
  const fatal = await fatalRun(cluster, 1);
  const finding = await findingOf(cluster, fatal);
  const args = ['apply', fatal.run, finding, '--yes'];
  const holder = await cluster.client();
  t.after(() => holder.end());

  await holder.query(`BEGIN; LOCK TABLE ${EVENTS} IN ACCESS EXCLUSIVE MODE`);
  assert.equal((await quarantine(cluster, args)).code, 4, 'a held table is a temporary failure');
  await holder.query('ROLLBACK');

  await holder.query(`BEGIN; DELETE FROM ${EVENTS} WHERE run_id = '${fatal.run}'`); // Retention, not yet committed.
  assert.equal((await quarantine(cluster, args)).code, 4, 'a held row is a temporary failure');
  await holder.query('ROLLBACK');

  await cluster.query(`REVOKE DELETE ON ${EVENTS} FROM ${ROLE}`);
  const without = await quarantine(cluster, args);
  assert.equal(without.code, 3);
  assert.match(without.stderr, /setup --print-sql --quarantine/);
  await cluster.query(`GRANT DELETE ON ${EVENTS} TO ${ROLE}`);
  assert.deepEqual(await idsOf(cluster, fatal.run), fatal.ids);
  assert.deepEqual(await cluster.query('SELECT id FROM dupwatch.quarantine'), []);

  const both = await Promise.all([1, 2, 3].map(() => quarantine(cluster, args)));
  assert.deepEqual(both.map(({ answer }) => answer.result).sort(), ['already_done', 'already_done', 'done'], both.map(({ stderr }) => stderr).join(''));
  assert.deepEqual(await idsOf(cluster, fatal.run), fatal.ids.slice(0, -1));

  const ended = await fatalRun(cluster, 2);
  const late = await findingOf(cluster, ended);
  await insertEvents(cluster, [{ run: ended.run, type: 'run_completed', id: eventId(9) }]);
  assert.equal((await quarantine(cluster, ['apply', ended.run, late, '--yes'])).answer.reason, 'run_ended');
});

/** Starts an act, kills it as soon as its session waits for a lock, and returns when the server has noticed. */
async function killedWhileWaiting(cluster, { run }, finding) {
  const child = spawn(binary(), ['quarantine', 'apply', run, finding, '--yes', '--dsn', cluster.dsn({ user: ROLE })], { stdio: 'ignore' });
  const ended = new Promise((resolve) => { child.on('close', (code, signal) => resolve({ code, signal })); });
  const waits = async () => (await cluster.query(`SELECT FROM pg_stat_activity WHERE usename = '${ROLE}' AND wait_event_type = 'Lock'`)).length > 0;
  while (child.exitCode === null && !(await waits()));
  child.kill('SIGKILL');
  return ended;
}

async function sessionsGone(cluster) {
  while ((await cluster.query(`SELECT FROM pg_stat_activity WHERE usename = '${ROLE}'`)).length > 0);
}

test('killed at each step, the row is in the log as before', async (t) => {
  const cluster = await scene(t);
  const fatal = await fatalRun(cluster, 1);
  const finding = await findingOf(cluster, fatal);
  const before = await wholeLog(cluster);
  const holder = await cluster.client();
  t.after(() => holder.end());
  const steps = {
    'before it reads the run': `SELECT pg_advisory_xact_lock(hashtextextended('${EVENTS} ${fatal.run}', 25717))`,
    'before it deletes': `SELECT FROM ${EVENTS} WHERE id = '${fatal.duplicate}' FOR UPDATE`,
    'between deleting and keeping': 'LOCK TABLE dupwatch.quarantine IN EXCLUSIVE MODE',
  };
  for (const [step, lock] of Object.entries(steps)) {
    let signal;
    while (signal !== 'SIGKILL') { // The act gives up after half a second; a slow machine may miss that.
      await holder.query('BEGIN');
      await holder.query(lock);
      ({ signal } = await killedWhileWaiting(cluster, fatal, finding));
      await holder.query('ROLLBACK');
      await sessionsGone(cluster);
    }
    assert.deepEqual(await wholeLog(cluster), before, step);
    assert.deepEqual(await cluster.query('SELECT id FROM dupwatch.quarantine'), [], step);
  }
  assert.equal((await quarantine(cluster, ['apply', fatal.run, finding, '--yes'])).answer.result, 'done');
});

test('300 acts killed at random: each row is in the log or kept, and all come back', { skip: full ? false : 'only in ./test --full' }, async (t) => {
  const cluster = await scene(t);
  const runs = [];
  for (let i = 0; i < 300; i += 1) runs.push(await fatalRun(cluster, i));
  const untouched = await wholeLog(cluster);
  const findings = new Map((await audit(cluster)).findings.map((finding) => [finding.run_id, finding.finding_id]));
  let killed = 0;
  let typical = 100; // Milliseconds an act takes here, from the last that was not killed.
  for (const { run } of runs) {
    const child = spawn(binary(), ['quarantine', 'apply', run, findings.get(run), '--yes', '--dsn', cluster.dsn({ user: ROLE })], { stdio: 'ignore' });
    const began = performance.now();
    const timer = setTimeout(() => child.kill('SIGKILL'), Math.random() * typical * 1.5);
    const signal = await new Promise((resolve) => { child.on('close', (_code, by) => resolve(by)); });
    clearTimeout(timer);
    if (signal) killed += 1;
    typical = signal ? typical * 1.02 : performance.now() - began;
  }
  await sessionsGone(cluster);
  const entries = await cluster.query('SELECT id, run_id FROM dupwatch.quarantine');
  const kept = new Set(entries.map(({ run_id: run }) => run));
  for (const { run, ids, duplicate } of runs) {
    assert.deepEqual(await idsOf(cluster, run), kept.has(run) ? ids.filter((id) => id !== duplicate) : ids);
  }
  t.diagnostic(`${runs.length} acts, ${killed} killed, ${kept.size} committed`);
  assert.ok(killed > 0 && kept.size > 0, 'a proof needs both');
  for (const { id } of entries) assert.equal((await quarantine(cluster, ['restore', String(id), '--yes'], 'postgres')).code, 0);
  assert.deepEqual(await wholeLog(cluster), untouched);
});

test('what may write entries can bring nothing into the log that was not there', async (t) => {
  const cluster = await scene(t);
  const fatal = await fatalRun(cluster, 1);
  const columns = (await cluster.query(`SELECT quote_ident(attname) AS name FROM pg_attribute WHERE attrelid = '${EVENTS}'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`)).map(({ name }) => name);
  const [real] = await cluster.query(`SELECT jsonb_object(ARRAY[${columns.map((name) => `'${name}'`)}], ARRAY[${columns.map((name) => `${name}::text`)}])::text AS kept FROM ${EVENTS} WHERE id = $1`, [fatal.ids[0]]);
  const before = await wholeLog(cluster);
  const client = await cluster.client({ user: ROLE });
  const entry = (changes) => {
    const row = { finding_id: 'f', rule: 'duplicate_created', table_name: EVENTS, run_id: fatal.run, event_id: fatal.ids[0], action: 'removed', requested_by: 'operator', finding: '{}', kept: real.kept, ...changes };
    const names = Object.keys(row);
    return client.query(`INSERT INTO dupwatch.quarantine (${names.join(', ')}) VALUES (${names.map((_, i) => `$${i + 1}`).join(', ')}) RETURNING id`, Object.values(row))
      .then(({ rowCount }) => rowCount, ({ code }) => code);
  };
  const other = (changes) => ({ kept: JSON.stringify({ ...JSON.parse(real.kept), ...changes }) });
  try {
    for (const [what, changes] of Object.entries({
      'a row that never was': { event_id: 'wevt_forged', ...other({ id: 'wevt_forged', type: 'run_failed' }) },
      'another type': other({ type: 'run_failed' }),
      'another payload': other({ payload_cbor: '\\x00' }),
      'a column too few': { kept: JSON.stringify({ id: fatal.ids[0], run_id: fatal.run }) },
      'no row at all': { kept: '{}' },
      'another table': { table_name: 'workflow.workflow_runs' },
      'no table': { table_name: 'nowhere' },
    })) assert.ok([0, '42501'].includes(await entry(changes)), what);
    assert.equal(await entry({ event_id: fatal.ids[1] }), '23514', 'the id of another row');
    assert.equal(await entry({ restored_at: '2026-01-01', restored_by: 'postgres' }), '23514', 'restored already');
    for (const sql of ['UPDATE dupwatch.quarantine SET restored_at = NULL', 'DELETE FROM dupwatch.quarantine', 'ALTER TABLE dupwatch.quarantine DISABLE TRIGGER ALL',
      'DROP TRIGGER quarantine_check ON dupwatch.quarantine', 'TRUNCATE dupwatch.quarantine', "SET session_replication_role = 'replica'"]) {
      assert.match(await client.query(sql).then(() => 'done', ({ code }) => code), /^(42501|42809)$/, sql);
    }
    // A row that is there may be named, by the name of who does it; putting it back finds it in its place.
    assert.equal(await entry({ removed_by: 'postgres', removed_at: '2020-01-01' }), 1);
  } finally {
    await client.end();
  }
  const [{ id, removed_by: by, fresh }] = await cluster.query("SELECT id, removed_by, removed_at > now() - interval '1 minute' AS fresh FROM dupwatch.quarantine");
  assert.deepEqual([by, fresh], [ROLE, true]);
  assert.notEqual((await quarantine(cluster, ['restore', String(id), '--yes'], 'postgres')).code, 0);
  assert.deepEqual(await wholeLog(cluster), before);
});

test('config/quarantine.sql is what setup prints, and gives the role no more than it needs', async (t) => {
  const bare = (sql) => sql.replaceAll(/^--.*\n/gm, '').trim();
  const shipped = bare(fs.readFileSync(new URL('../../config/quarantine.sql', import.meta.url), 'utf8'));
  const { stdout } = await runCommand(['setup', '--print-sql', '--quarantine', '--dsn', 'user=dupwatch dbname=app']);
  assert.ok(bare(stdout).endsWith(shipped));
  const cluster = await serverWithSchema(t);
  await cluster.query(`CREATE ROLE dupwatch LOGIN; ${shipped}`);
  const rights = await cluster.query(`SELECT table_schema || '.' || table_name AS name, string_agg(privilege_type, ' ' ORDER BY privilege_type) AS rights
    FROM information_schema.role_table_grants WHERE grantee = 'dupwatch' GROUP BY 1 ORDER BY 1`);
  assert.deepEqual(rights, [{ name: 'dupwatch.quarantine', rights: 'INSERT SELECT' },
    { name: 'dupwatch.quarantine_circuit', rights: 'SELECT' }, { name: EVENTS, rights: 'DELETE SELECT' }]);
});
