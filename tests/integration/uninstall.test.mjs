// What setup, the findings table, the quarantine and the guard leave on the server after they were undone: nothing.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { runCommand } from './daemon.mjs';
import { guard } from './guard_scene.mjs';
import { daemonFor, EVENTS, eventId, insertEvents, serverWithSchema } from './scene.mjs';
import { assertSame, catalogue } from './server_catalogue.mjs';

/** psql as the guide uses it: resolves {status, stderr}. */
function psql(cluster, sql, user = 'postgres') {
  return spawnSync('psql', ['-X', '-v', 'ON_ERROR_STOP=1', '-d', cluster.dsn({ user })], { input: sql, encoding: 'utf8' });
}

function assertRuns(cluster, sql, user) {
  const { status, stderr } = psql(cluster, sql, user);
  assert.equal(status, 0, stderr);
  return stderr;
}

const RUN = 'wrun_01K00000000000000000000001';

/** A daemon with everything that can be installed, whose role is `user`. */
async function installed(t, cluster, { user = 'dupwatch', by = 'postgres', plugin = 'pgoutput' } = {}) {
  const daemon = await daemonFor(t, cluster, {
    connection: { dsn: cluster.dsn({ user }) },
    slot: { plugin: 'wal2json' }, // Until setup is run here, by another role than daemonFor's.
    findings: { table: 'dupwatch.findings' },
    quarantine: { mode: 'remove' },
  });
  daemon.configure({ ...daemon.config, slot: { ...daemon.config.slot, plugin } });
  const print = async (...options) => {
    const { code, stdout, stderr } = await runCommand(['setup', '--print-sql', ...options, '--config', daemon.configFile]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assertRuns(cluster, await print('--quarantine'), by);
  return { daemon, print };
}

/** The daemon takes a fatal row out; its entry's number. */
async function takeOut(cluster, daemon) {
  const correlation = 'step_01K00000000000000000000001';
  await insertEvents(cluster, [{ run: RUN, type: 'run_created', id: eventId(0) }]);
  await insertEvents(cluster, ['step_created', 'step_completed', 'step_created'].map((type, order) => ({ run: RUN, type, correlation, id: eventId(order + 1) })));
  const kept = () => cluster.query('SELECT id FROM dupwatch.quarantine WHERE restored_at IS NULL');
  await daemon.until('the act', async () => (await kept()).length === 1);
  await daemon.until('the finding in the table', async () => (await cluster.query("SELECT FROM dupwatch.findings WHERE state = 'quarantined'")).length === 1);
  return (await kept())[0].id;
}

for (const [major, plugin] of [[15, 'wal2json'], [15, 'pgoutput'], [16, 'pgoutput'], [18, 'pgoutput']]) {
  test(`Postgres ${major}, ${plugin}: the catalogues are as before setup`, { timeout: 120_000 }, async (t) => {
    const cluster = await serverWithSchema(t, { major });
    const before = await catalogue(cluster);
    const { daemon, print } = await installed(t, cluster, { plugin });
    assert.equal((await guard(cluster, ['install', '--yes'])).code, 0);
    assert.equal((await guard(cluster, ['remove', '--yes'])).code, 0);
    await daemon.start();
    const entry = await takeOut(cluster, daemon);
    assert.equal((await guard(cluster, ['install', '--yes'])).code, 0);

    // A slot in use: nothing is removed.
    const between = await catalogue(cluster);
    const busy = psql(cluster, await print('--uninstall', '--drop-tables', '--discard-quarantined'));
    assert.equal(busy.status, 3);
    assert.match(busy.stderr, /the replication slot dupwatch is in use, so nothing is removed\nHINT:  Stop dupwatch/);
    assertSame(await catalogue(cluster), between);
    await daemon.stop();

    // The only copy of a row: nothing is removed either.
    const idle = await catalogue(cluster);
    const refused = psql(cluster, await print('--uninstall', '--drop-tables'));
    assert.equal(refused.status, 3);
    assert.match(refused.stderr, /dupwatch\.quarantine holds the only copy of 1 rows of the log, so nothing is removed/);
    assertSame(await catalogue(cluster), idle);

    const restored = await runCommand(['quarantine', 'restore', String(entry), '--yes', '--dsn', cluster.dsn()]);
    assert.equal(restored.code, 0, restored.stderr);
    assert.match(assertRuns(cluster, await print('--uninstall', '--drop-tables')), /the guard stays on the table; dupwatch guard remove takes it off/);
    assert.equal((await guard(cluster, ['remove', '--yes'])).code, 0);
    assertSame(await catalogue(cluster), before);
    assertRuns(cluster, await print('--uninstall', '--drop-tables')); // Twice, and nothing is missed.
    assertSame(await catalogue(cluster), before);
  });
}

test('by the owner of the tables, who is no superuser', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t, { major: 16 });
  await cluster.query(`CREATE ROLE dba LOGIN CREATEROLE REPLICATION; ALTER DATABASE app OWNER TO dba; ALTER SCHEMA workflow OWNER TO dba;
    DO $$ DECLARE name text; BEGIN FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'workflow' LOOP
      EXECUTE format('ALTER TABLE workflow.%I OWNER TO dba', name); END LOOP; END $$`);
  const before = await catalogue(cluster);
  const { daemon, print } = await installed(t, cluster, { by: 'dba' });
  await daemon.start();
  await daemon.stop();
  assertRuns(cluster, await print('--uninstall', '--drop-tables'), 'dba');
  assertSame(await catalogue(cluster), before);
});

test('without --drop-tables the evidence stays, and with --discard-quarantined it goes', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const before = await catalogue(cluster);
  const { daemon, print } = await installed(t, cluster);
  await daemon.start();
  await takeOut(cluster, daemon);
  await daemon.stop();
  assertRuns(cluster, await print('--uninstall'));
  assert.deepEqual(await cluster.query('SELECT rolname FROM pg_roles WHERE rolname = \'dupwatch\' UNION ALL SELECT slot_name FROM pg_replication_slots UNION ALL SELECT pubname FROM pg_publication'), []);
  const [{ findings, quarantine }] = await cluster.query('SELECT (SELECT count(*)::int FROM dupwatch.findings) AS findings, (SELECT count(*)::int FROM dupwatch.quarantine) AS quarantine');
  assert.deepEqual([findings, quarantine], [1, 1]);
  assertRuns(cluster, await print('--uninstall', '--drop-tables', '--discard-quarantined'));
  assertSame(await catalogue(cluster), before);
  assert.equal((await cluster.query(`SELECT FROM ${EVENTS}`)).length, 3, 'the row that was taken out is lost, as asked');
});

test('what was there before setup stays: role, publication, schema', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.query(`CREATE SCHEMA dupwatch; CREATE ROLE dupwatch LOGIN REPLICATION; GRANT CONNECT ON DATABASE app TO dupwatch;
    CREATE PUBLICATION dupwatch FOR TABLE ${EVENTS}`);
  const names = () => cluster.query("SELECT nspname AS name FROM pg_namespace UNION ALL SELECT rolname FROM pg_roles UNION ALL SELECT pubname FROM pg_publication ORDER BY 1");
  const before = await names();
  const { print } = await installed(t, cluster);
  const said = assertRuns(cluster, await print('--uninstall', '--drop-tables'));
  assert.match(said, /the publication dupwatch was not made by setup: it stays/);
  assert.match(said, /the role dupwatch was not made by setup: it keeps its rights/);
  assert.deepEqual(await names(), before);
  // The printed comments take the role's rights back.
  const byHand = (await print('--uninstall')).split('\n').filter((line) => /^-- {3}(REVOKE|ALTER ROLE)/.test(line));
  assert.ok(byHand.length >= 5, byHand.join('\n'));
  for (const line of byHand) if (!line.includes('"dupwatch"."')) await cluster.query(line.slice(2));
  assert.deepEqual(await cluster.query("SELECT FROM information_schema.table_privileges WHERE grantee = 'dupwatch'"), []);
  assert.deepEqual(await cluster.query("SELECT FROM information_schema.column_privileges WHERE grantee = 'dupwatch'"), []);
});

test('a role that something else needs is kept, with the reason', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const { print } = await installed(t, cluster);
  await cluster.query('CREATE TABLE public.mine (a int); GRANT SELECT ON public.mine TO dupwatch; CREATE VIEW dupwatch.mine AS SELECT 1 AS a');
  const said = assertRuns(cluster, await print('--uninstall', '--drop-tables'));
  assert.match(said, /the role is kept, other objects or databases still need it: privileges for table mine\n/);
  assert.match(said, /the schema dupwatch is kept: there are other objects in it/);
  assert.equal((await cluster.query("SELECT FROM information_schema.column_privileges WHERE grantee = 'dupwatch' AND table_schema = 'workflow'")).length, 0);
});

test('the options of the undoing are refused without it', async () => {
  for (const options of [['--drop-tables'], ['--uninstall', '--discard-quarantined']]) {
    const { code, stderr } = await runCommand(['setup', '--print-sql', ...options]);
    assert.equal(code, 2);
    assert.match(stderr, /requires --(uninstall|drop-tables)/);
  }
});
