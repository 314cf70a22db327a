// findings.table and findings.file as a memory: every finding and change is there before its position is confirmed, a
// table that refuses holds the slot, and after a restart an open finding is known again.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { lsn } from '../postgres/client.mjs';
import { compare, describe, latestFindings } from './ground_truth.mjs';
import { runCommand } from './daemon.mjs';
import { assertTruth, daemonFor, EVENTS, eventId, insertEvents, runSetup, serverWithSchema, slots } from './scene.mjs';

const TABLE = { findings: { table: 'dupwatch.findings' }, recheck: { interval: '1s' } };
// The least there is: a role of its own, with what `setup` grants.
const asWatcher = (cluster) => ({ connection: { dsn: cluster.dsn({ user: 'watcher' }), backoff_max: '1s' } });

const NASTY = `wrun_'"\\; DROP TABLE x; --\n\u001b[31m é`;
const pair = (run) => [{ run, type: 'run_created' }, { run, type: 'run_created' }];
const fatal = (run) => [1, 2, 3].map((order) => ({ run, type: order === 2 ? 'step_completed' : 'step_created', correlation: 'step_1', id: eventId(order) }));

const rows = (cluster) => cluster.query('SELECT *, record::jsonb AS json FROM dupwatch.findings ORDER BY finding_id');
const recordedAs = (daemon, id, state) => daemon.until(`row ${id} ${state}`, async () => (
  (await rows(daemon.cluster)).find((row) => row.finding_id === id && row.state === state)), 30_000);

async function assertTable(daemon) {
  await assertTruth(daemon);
  const client = await daemon.cluster.client();
  try {
    const records = (await rows(daemon.cluster)).map(({ json }) => json);
    const result = await compare(records, client);
    assert.ok(result.ok, describe(result));
    return records;
  } finally {
    await client.end();
  }
}

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`every finding and change is in the table, and known after a restart, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t);
    const daemon = await daemonFor(t, cluster, { ...TABLE, ...asWatcher(cluster), slot: { plugin } });
    await runSetup(cluster, daemon);
    await daemon.start();
    const [, , late] = await insertEvents(cluster, fatal('wrun_a'));
    await insertEvents(cluster, [...fatal('wrun_b'), ...pair(NASTY)]);
    await daemon.until('three rows', async () => (await rows(cluster)).length === 3);
    const records = await assertTable(daemon);
    const files = latestFindings(daemon.findingsFile);
    const sorted = (list) => list.map((entry) => JSON.stringify(entry, Object.keys(entry).sort())).sort();
    assert.deepEqual(sorted(records), sorted(files), 'table and file hold the same records');

    // The run ends: the row changes with it, and keeps its first time.
    const before = (await rows(cluster)).find(({ run_id: run }) => run === 'wrun_b');
    await insertEvents(cluster, [{ run: 'wrun_b', type: 'run_completed', id: eventId(9) }]);
    const ended = await recordedAs(daemon, before.finding_id, 'run_ended');
    assert.deepEqual([ended.first_flagged_at, ended.severity], [before.first_flagged_at, before.severity]);
    assert.ok(ended.flagged_at > before.flagged_at);

    await daemon.kill();
    // Its row goes away while nobody looks, and one more finding comes.
    await cluster.query(`DELETE FROM ${EVENTS} WHERE id = $1`, [late]);
    await insertEvents(cluster, pair('wrun_c'));
    const mark = daemon.lines.length;
    await daemon.start();
    await daemon.line('the memory', ({ event }) => event === 'findings_restored', { from: mark });
    const gone = (await rows(cluster)).find(({ run_id: run }) => run === 'wrun_a');
    await recordedAs(daemon, gone.finding_id, 'gone');
    await assertTable(daemon);
    const told = daemon.lines.slice(mark).filter(({ event }) => event === 'finding');
    assert.deepEqual(told.filter(({ change }) => change === 'new').map(({ run_id: run }) => run), ['wrun_c'], 'only what is new is told as new');
    await daemon.until('the count of findings', async () => await daemon.metric('dupwatch_findings_total') === 1);
    const { findings } = await daemon.json('/api/findings');
    assert.ok(findings.some(({ run_id: run }) => run === NASTY), 'what is open is shown');
  });
}

test('a table that is missing, forbidden or too full holds the slot, and says so', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { ...TABLE, ...asWatcher(cluster), slot: { plugin: 'pgoutput' } });
  await cluster.query('DROP TABLE dupwatch.findings');
  await daemon.start({ ready: false });
  const first = await daemon.line('the complaint', ({ reason }) => reason === 'findings_table');
  assert.deepEqual([first.sqlstate, first.level], ['42P01', 'error']);
  assert.match(first.remedy, /setup --print-sql/);
  await insertEvents(cluster, pair('wrun_d'));
  await daemon.line('the finding, told all the same', ({ event }) => event === 'finding');
  await daemon.until('the reason in /readyz', async () => /findings.table can't be/.test((await daemon.status()).reason));
  assert.equal((await daemon.fetch('/readyz')).status, 503);
  assert.equal(await daemon.metric('dupwatch_findings_durable'), 0);
  const [{ at }] = await cluster.query('SELECT pg_current_wal_flush_lsn() AS at');
  const held = async () => lsn((await slots(cluster))[0].confirmed_flush_lsn) < lsn(at);
  await daemon.until('more attempts', async () => (await daemon.metric('dupwatch_findings_write_failures_total')) >= 3);
  assert.ok(await held(), 'the position is held');

  // Made again, but not for this role.
  await runSetup(cluster, daemon);
  await cluster.query('REVOKE INSERT ON dupwatch.findings FROM watcher');
  await daemon.line('the refusal', ({ reason, sqlstate }) => reason === 'findings_table' && sqlstate === '42501');
  assert.ok(await held(), 'the position is still held');
  await cluster.query('GRANT INSERT ON dupwatch.findings TO watcher');
  // As a full disk says it.
  await daemon.ready();
  await cluster.query(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END$$;
    CREATE TRIGGER full_disk BEFORE INSERT ON dupwatch.findings EXECUTE FUNCTION full_disk()`);
  await insertEvents(cluster, pair('wrun_e'));
  await daemon.line('the full disk', ({ reason, sqlstate }) => reason === 'findings_table' && sqlstate === '53100');
  await cluster.query('DROP TRIGGER full_disk ON dupwatch.findings');
  await daemon.ready();
  await daemon.until('two rows', async () => (await rows(cluster)).length === 2);
  await assertTable(daemon);
  assert.equal(await daemon.metric('dupwatch_findings_durable'), 1);
});

test('killed while the table is locked: nothing is lost', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { ...TABLE, ...asWatcher(cluster), slot: { plugin: 'pgoutput' } });
  await runSetup(cluster, daemon);
  await daemon.start();
  const lock = await cluster.client();
  await lock.query('BEGIN; LOCK dupwatch.findings IN EXCLUSIVE MODE');
  await insertEvents(cluster, pair('wrun_f'));
  await daemon.line('the finding', ({ event }) => event === 'finding');
  await daemon.kill();
  fs.rmSync(daemon.findingsFile); // The table must do without it.
  // Its session would wait for the lock and write the row without it.
  const sessions = () => cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'watcher'");
  while ((await sessions()).length > 0) await sleep(50);
  await lock.query('ROLLBACK');
  await lock.end();
  assert.equal((await rows(cluster)).length, 0);
  await daemon.start();
  await daemon.until('its row', async () => (await rows(cluster)).length === 1);
  await assertTable(daemon);
});

test('without a table the end of the findings file is the memory', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'pgoutput' }, recheck: { interval: '1s' } });
  await daemon.start();
  const [, , late] = await insertEvents(cluster, fatal('wrun_g'));
  await insertEvents(cluster, [...fatal('wrun_h'), ...pair('wrun_i')]);
  await assertTruth(daemon, { atLeast: 3 });
  await daemon.kill();
  fs.appendFileSync(daemon.findingsFile, '{"event":"finding","finding_id":"torn');
  await cluster.query(`DELETE FROM ${EVENTS} WHERE id = $1`, [late]);
  const mark = daemon.lines.length;
  await daemon.start();
  assert.equal(await daemon.metric('dupwatch_findings_total'), 0);
  await daemon.until('what went away meanwhile', () => latestFindings(daemon.findingsFile).find(({ run_id: run, state }) => run === 'wrun_g' && state === 'gone'));
  await assertTruth(daemon, { atLeast: 2 });
  assert.deepEqual(daemon.lines.slice(mark).filter(({ event, change }) => event === 'finding' && change === 'new'), []);
  // The numbers are published a moment after the line is written.
  await daemon.until('two open findings', async () => (await daemon.metric('dupwatch_open_findings')) === 2);
});

test('config/findings.sql is what setup prints, and its rights are the least that do', async (t) => {
  const printed = async (cluster, config) => {
    const daemon = await daemonFor(t, cluster, { ...TABLE, ...config, slot: { plugin: 'wal2json' } });
    return [daemon, (await runCommand(['setup', '--print-sql', '--config', daemon.configFile])).stdout];
  };
  const cluster = await serverWithSchema(t);
  const [daemon, sql] = await printed(cluster, { connection: { dsn: cluster.dsn({ user: 'dupwatch' }) } });
  const shipped = fs.readFileSync(new URL('../../config/findings.sql', import.meta.url), 'utf8').replaceAll(/^--.*\n/gm, '');
  assert.ok(shipped.includes('CREATE TABLE') && sql.includes(shipped), sql);
  await cluster.query(sql);
  await cluster.query(sql); // May be run again.
  const rights = (await cluster.query("SELECT privilege_type AS right FROM information_schema.role_table_grants WHERE grantee = 'dupwatch' AND table_schema = 'dupwatch'")).map(({ right }) => right).sort();
  assert.deepEqual(rights, ['INSERT', 'SELECT']);
  // Undone again, the table stays: it is evidence.
  const undo = await runCommand(['setup', '--print-sql', '--uninstall', '--config', daemon.configFile]);
  await cluster.query(undo.stdout);
  assert.equal((await cluster.query("SELECT FROM pg_roles WHERE rolname = 'dupwatch'")).length, 0, undo.stdout);
  assert.equal((await rows(cluster)).length, 0);
});
