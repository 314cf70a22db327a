// What an operator can get wrong: one clear line with a remedy, the documented exit code, and no slot left behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemBinaries, systemMajor } from '../postgres/binaries.mjs';
import { createCluster, freePort } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { Daemon } from './daemon.mjs';
import { slots } from './scene.mjs';

const OPERATOR = 3;
const TEMPORARY = 4;

const ROLES = `
  CREATE ROLE good LOGIN REPLICATION PASSWORD 'right'; GRANT USAGE ON SCHEMA workflow TO good; GRANT SELECT ON ALL TABLES IN SCHEMA workflow TO good;
  CREATE ROLE plain LOGIN; GRANT USAGE ON SCHEMA workflow TO plain; GRANT SELECT ON ALL TABLES IN SCHEMA workflow TO plain;
  CREATE ROLE blind LOGIN REPLICATION;
  CREATE ROLE nologin REPLICATION`;

/** Starts a daemon that cannot succeed and checks how it says so. */
async function expectRefusal(t, cluster, config, { reason, code, remedy = /\S/, env = {} }) {
  const daemon = new Daemon(cluster, { connection: { startup_timeout: '1500ms', connect_timeout: '2s' }, ...config });
  t.after(() => daemon.destroy());
  await daemon.start({ ready: false, env });
  const timer = setTimeout(() => daemon.child.kill('SIGKILL'), 30_000);
  const exit = await daemon.ended;
  clearTimeout(timer);
  const errors = daemon.lines.filter((line) => line.level === 'error');
  const all = daemon.tail();
  assert.equal(errors.length, 1, `one error line, got ${errors.length}:\n${all}`);
  const [line] = errors;
  assert.equal(line.reason, reason, all);
  assert.deepEqual(exit, { code, signal: null }, all);
  assert.equal(Number(line.exit_code), code, all);
  assert.match(line.remedy ?? '', remedy, all);
  assert.ok(line.msg, all);
  assert.doesNotMatch(all, /s3cret|password=\S/, 'a password reached the log');
  return line;
}

/** Cases that only differ in the configuration, on one server. */
function cases(title, options, list) {
  describe(title, () => {
    let cluster;
    before(async () => {
      cluster = await createCluster(options);
      await installSchema('4.1.1', cluster.uri());
      await cluster.query(ROLES);
    });
    after(() => cluster?.destroy());
    for (const { name, config, prepare, ...expected } of list) {
      test(name, async (t) => {
        await prepare?.(cluster, t);
        const had = (await slots(cluster)).map((slot) => slot.slot_name).sort();
        await expectRefusal(t, cluster, config(cluster), expected);
        assert.deepEqual((await slots(cluster)).map((slot) => slot.slot_name).sort(), had, 'a slot was left behind');
      });
    }
  });
}

const dsn = (over) => (cluster) => ({ connection: { dsn: cluster.dsn(over), startup_timeout: '1500ms', connect_timeout: '2s' } });

cases('login and rights', {
  settings: {},
  hba: ['local all all trust', 'host all good 127.0.0.1/32 scram-sha-256', 'host all stranger 127.0.0.1/32 reject', 'host all all 127.0.0.1/32 trust'],
}, [
  { name: 'wrong password', config: dsn({ user: 'good', password: 's3cret' }), reason: 'wrong_password', code: OPERATOR },
  { name: 'refused by pg_hba.conf', config: dsn({ user: 'stranger' }), reason: 'auth_refused', code: OPERATOR },
  { name: 'unknown role', config: dsn({ user: 'nobody_here' }), reason: 'unknown_role', code: OPERATOR, remedy: /CREATE ROLE/ },
  { name: 'role without login', config: dsn({ user: 'nologin' }), reason: 'role_without_login', code: OPERATOR, remedy: /LOGIN/ },
  { name: 'unknown database', config: dsn({ dbname: 'elsewhere' }), reason: 'unknown_database', code: OPERATOR },
  { name: 'no REPLICATION right', config: dsn({ user: 'plain' }), reason: 'no_replication_right', code: OPERATOR, remedy: /REPLICATION/ },
  { name: 'no SELECT right', config: dsn({ user: 'blind' }), reason: 'no_select_right', code: OPERATOR, remedy: /setup --print-sql|GRANT/i },
]);

cases('host', {}, [
  { name: 'unknown host', config: dsn({ host: 'no-such-host.invalid' }), reason: 'unknown_host', code: TEMPORARY },
  {
    name: 'nobody listens', reason: 'connection_refused', code: TEMPORARY,
    config: (cluster) => ({ connection: { dsn: cluster.dsn({ port: 1 }), startup_timeout: '1500ms' } }),
  },
]);

const table = (name, extra = {}) => () => ({ table: { name, ...extra } });

cases('table and slot', {}, [
  { name: 'missing table', config: table('workflow.no_such_table'), reason: 'table_missing', code: OPERATOR },
  { name: 'table without the columns', config: table('workflow.workflow_steps'), reason: 'column_missing', code: OPERATOR },
  {
    name: 'missing publication', config: () => ({ slot: { plugin: 'pgoutput' } }), reason: 'publication_missing', code: OPERATOR,
    remedy: /setup --print-sql/,
  },
  {
    name: 'slot of another plugin', config: () => ({ slot: { name: 'foreign', plugin: 'wal2json' } }), reason: 'slot_wrong_plugin', code: OPERATOR,
    prepare: (cluster) => cluster.query("SELECT pg_create_logical_replication_slot('foreign', 'test_decoding')"),
  },
  {
    name: 'slot missing where creating is forbidden', config: () => ({ slot: { create: false } }), reason: 'slot_missing', code: OPERATOR,
  },
  {
    name: 'slot in use', config: () => ({}), reason: 'slot_in_use', code: OPERATOR,
    async prepare(cluster, t) {
      // By a stranger: a second dupwatch would stand by.
      await cluster.query("SELECT pg_create_logical_replication_slot('dupwatch', 'wal2json')");
      const other = spawn(`${systemBinaries}/pg_recvlogical`, ['-d', cluster.dsn(), '-S', 'dupwatch', '--start', '-f', '-'], { stdio: 'ignore' });
      t.after(async () => {
        other.kill();
        for (let tries = 0; tries < 100 && (await slots(cluster)).some((slot) => slot.active); tries += 1) await new Promise((r) => { setTimeout(r, 50); });
        await cluster.query("SELECT pg_drop_replication_slot('dupwatch')");
      });
      for (let tries = 0; tries < 100 && !(await slots(cluster)).some((slot) => slot.active); tries += 1) await new Promise((r) => { setTimeout(r, 50); });
    },
  },
]);

cases('all slots used', { settings: { max_replication_slots: 1 } }, [{
  name: 'all slots used', config: () => ({}), reason: 'slots_exhausted', code: OPERATOR, remedy: /max_replication_slots/,
  prepare: (cluster) => cluster.query("SELECT pg_create_physical_replication_slot('taken')"),
}]);

cases('wal_level', { settings: { wal_level: 'replica' } }, [
  { name: 'wal_level = replica', config: () => ({}), reason: 'not_logical', code: OPERATOR, remedy: /wal_level/ },
]);

cases('plugin', { major: 16 }, [
  { name: 'wal2json is not installed', config: () => ({ slot: { plugin: 'wal2json' } }), reason: 'plugin_missing', code: OPERATOR, remedy: /wal2json|pgoutput/ },
]);

describe('plugin that the server does not trust', () => {
  test('wal2json is not in output_plugin_libraries', async (t) => {
    const cluster = await createCluster();
    t.after(() => cluster.destroy());
    if (!cluster.restrictsPlugins) return t.skip('this minor of Postgres loads every plugin');
    await installSchema('4.1.1', cluster.uri());
    await cluster.query("ALTER SYSTEM SET output_plugin_libraries = 'pgoutput'");
    await cluster.query('SELECT pg_reload_conf()');
    await expectRefusal(t, cluster, { slot: { plugin: 'wal2json' } },
      { reason: 'plugin_not_allowed', code: OPERATOR, remedy: /output_plugin_libraries/ });
    return undefined;
  });
});

describe('pooler', () => {
  test('pgbouncer in between', async (t) => {
    const cluster = await createCluster();
    t.after(() => cluster.destroy());
    await installSchema('4.1.1', cluster.uri());
    const port = await freePort();
    const ini = path.join(cluster.dir, 'pgbouncer.ini');
    fs.writeFileSync(ini, [
      '[databases]', `app = host=127.0.0.1 port=${cluster.port} dbname=app user=postgres`, '[pgbouncer]',
      `listen_addr = 127.0.0.1`, `listen_port = ${port}`, 'auth_type = any', 'unix_socket_dir =', '',
    ].join('\n'));
    fs.chmodSync(ini, 0o644);
    const pooler = spawn('/usr/sbin/pgbouncer', [ini], { ...cluster.owner, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    pooler.stderr.on('data', (data) => { said += data; });
    t.after(() => new Promise((resolve) => {
      pooler.once('exit', resolve);
      pooler.kill('SIGINT');
    }));
    for (let tries = 0; tries < 100 && !/process up/.test(said); tries += 1) await new Promise((r) => { setTimeout(r, 50); });
    const line = await expectRefusal(t, cluster, { connection: { dsn: cluster.dsn({ port }), startup_timeout: '1500ms' } }, {
      reason: 'pooler', code: OPERATOR, remedy: /direct/,
    });
    assert.ok(line);
    assert.deepEqual(await slots(cluster), []);
  });
});

describe('configuration', () => {
  const refuse = async (t, text, words, env = {}) => {
    const fake = { dsn: () => 'host=127.0.0.1', major: systemMajor };
    const daemon = new Daemon(fake);
    t.after(() => daemon.destroy());
    fs.writeFileSync(daemon.configFile, text);
    await daemon.start({ ready: false, env });
    assert.deepEqual(await daemon.ended, { code: 2, signal: null }, daemon.tail());
    assert.match(daemon.tail(), words);
  };
  test('unknown key', (t) => refuse(t, 'slott:\n  name: x\n', /slott/));
  test('value out of range', (t) => refuse(t, 'index:\n  memory_max: 3\n', /memory_max/));
  test('not YAML', (t) => refuse(t, 'slot: [\n', /yaml|line/i));
  test('unset variable', (t) => refuse(t, 'connection:\n  dsn: "password=${DUPWATCH_NOT_SET}"\n', /DUPWATCH_NOT_SET/));
});
