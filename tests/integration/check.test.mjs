// `dupwatch check` against servers and roles that are not ready: the right line fails, its fix is SQL that mends it, the
// exit code is the documented one, and nothing is left behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../postgres/cluster.mjs';
import { CLEAN, FINDINGS, OPERATOR, TEMPORARY, check, expectLine, withSchema } from './check_scene.mjs';

describe('rights', () => {
  let cluster;
  before(async () => {
    cluster = await withSchema({ hba: ['local all all trust', 'host all locked 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 trust'] });
    await cluster.query("CREATE ROLE plain LOGIN; CREATE ROLE locked LOGIN PASSWORD 'right'");
  });
  after(() => cluster?.destroy());

  test('a role without any right: each fix, run as it stands, mends its line', async () => {
    const report = await check(cluster, { user: 'plain' });
    assert.equal(report.code, FINDINGS);
    assert.equal(report.ok, false);
    const right = expectLine(report, 'replication_right', 'fail', /ALTER ROLE "?plain"? REPLICATION/);
    expectLine(report, 'replication_connection', 'fail');
    expectLine(report, 'plugin', 'skip');
    const select = expectLine(report, 'select_right', 'fail', /GRANT SELECT/);
    await cluster.query(right.fix);
    await cluster.query(select.fix);
    const mended = await check(cluster, { user: 'plain' });
    assert.equal(mended.code, CLEAN, mended.text);
    for (const name of ['replication_right', 'replication_connection', 'select_right', 'xmin_right', 'runs_right']) expectLine(mended, name, 'pass');
  });

  test('SELECT on the columns without xmin is a warning', async () => {
    await cluster.query('CREATE ROLE narrow LOGIN REPLICATION; GRANT USAGE ON SCHEMA workflow TO narrow; GRANT SELECT (run_id, id, type, correlation_id) ON workflow.workflow_events TO narrow');
    const report = await check(cluster, { user: 'narrow' });
    assert.equal(report.code, CLEAN, report.text);
    expectLine(report, 'xmin_right', 'warn', /xmin/);
    expectLine(report, 'runs_right', 'warn');
  });

  test('a superuser is a warning', async () => {
    expectLine(await check(cluster), 'replication_right', 'warn', /superuser/);
  });

  test('a role that may open one session only', async () => {
    await cluster.query('CREATE ROLE single LOGIN REPLICATION CONNECTION LIMIT 1');
    const report = await check(cluster, { user: 'single' });
    expectLine(report, 'connections', 'fail', /CONNECTION LIMIT -1/);
  });

  test('wrong password: exit code 3, one line', async () => {
    const report = await check(cluster, { user: 'locked', password: 's3cret' });
    assert.equal(report.code, OPERATOR);
    expectLine(report, 'reachable', 'fail');
    assert.deepEqual(report.names, ['reachable', 'findings_file', 'http_listen']);
  });

  test('nobody listens: exit code 4', async () => {
    const report = await check(cluster, { port: 1 });
    assert.equal(report.code, TEMPORARY);
    expectLine(report, 'reachable', 'fail');
  });
});

describe('server settings', () => {
  test('wal_level, no free slot, no limit on retained WAL, wal_sender_timeout off', async (t) => {
    const cluster = await withSchema({ settings: { wal_level: 'replica', max_replication_slots: 1, max_slot_wal_keep_size: -1, wal_sender_timeout: 0 } });
    t.after(() => cluster.destroy());
    await cluster.query("SELECT pg_create_physical_replication_slot('taken')");
    const report = await check(cluster);
    assert.equal(report.code, FINDINGS);
    const level = expectLine(report, 'wal_level', 'fail', /ALTER SYSTEM SET wal_level = 'logical'/);
    expectLine(report, 'replication_slots', 'fail', /taken/);
    const keep = expectLine(report, 'max_slot_wal_keep_size', 'warn', /ALTER SYSTEM SET max_slot_wal_keep_size/);
    const sender = expectLine(report, 'wal_sender_timeout', 'warn', /ALTER SYSTEM SET wal_sender_timeout/);

    // ALTER SYSTEM may not share a string with another statement, as a DBA's psql would not make it do.
    for (const fix of [level.fix.split(';')[0], ...keep.fix.split(';'), ...sender.fix.split(';')]) {
      if (fix.trim()) await cluster.query(fix);
    }
    await cluster.query("SELECT pg_drop_replication_slot('taken')");
    await cluster.restart();
    const mended = await check(cluster);
    assert.equal(mended.code, CLEAN, mended.text);
    for (const name of ['wal_level', 'replication_slots', 'max_slot_wal_keep_size', 'wal_sender_timeout']) expectLine(mended, name, 'pass');
  });

  test('no free WAL sender', async (t) => {
    const cluster = await withSchema({ settings: { max_wal_senders: 0 } });
    t.after(() => cluster.destroy());
    const report = await check(cluster);
    assert.equal(report.code, FINDINGS);
    expectLine(report, 'wal_senders', 'fail', /ALTER SYSTEM SET max_wal_senders/);
  });

  test('wal2json is not installed', async (t) => {
    const cluster = await withSchema({ major: 17 });
    t.after(() => cluster.destroy());
    const report = await check(cluster, {}, ['--plugin', 'wal2json']);
    assert.equal(report.code, FINDINGS);
    expectLine(report, 'plugin', 'fail', /wal2json/);
  });

  test('a pooler in between', async (t) => {
    const cluster = await withSchema();
    t.after(() => cluster.destroy());
    const port = await freePort();
    const ini = path.join(cluster.dir, 'pgbouncer.ini');
    fs.writeFileSync(ini, [
      '[databases]', `app = host=127.0.0.1 port=${cluster.port} dbname=app user=postgres`, '[pgbouncer]',
      'listen_addr = 127.0.0.1', `listen_port = ${port}`, 'auth_type = any', 'unix_socket_dir =', '',
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
    const report = await check(cluster, { port });
    assert.equal(report.code, OPERATOR);
    expectLine(report, 'not_a_pooler', 'fail', /direct/);
  });

  test('a transaction that has written and stays open: named, waited for briefly, nothing left behind', async (t) => {
    const cluster = await withSchema({ settings: { max_prepared_transactions: 2 } });
    t.after(() => cluster.destroy());
    const writer = await cluster.client({ application_name: 'forgotten' });
    t.after(() => writer.end());
    await writer.query('CREATE TABLE scratch (a int); BEGIN; INSERT INTO scratch VALUES (1)');
    const started = Date.now();
    const report = await check(cluster);
    assert.ok(Date.now() - started < 15_000);
    assert.equal(report.code, CLEAN, report.text);
    expectLine(report, 'plugin', 'warn', /open transactions/);
    await writer.query('ROLLBACK');
    expectLine(await check(cluster), 'plugin', 'pass');
  });

  test('a standby before Postgres 16 cannot decode', async (t) => {
    const cluster = await withSchema();
    t.after(() => cluster.destroy());
    // A server in recovery without a primary is enough: it answers, and says that it is a standby.
    await cluster.stop();
    cluster.writeFile('standby.signal', '');
    await cluster.start();
    const report = await check(cluster);
    assert.equal(report.code, FINDINGS);
    expectLine(report, 'server_role', 'fail', /primary/);
  });
});

describe('slot', () => {
  let cluster;
  before(async () => {
    cluster = await withSchema();
    await cluster.createDatabase('other');
    await cluster.query("SELECT pg_create_logical_replication_slot('decoding', 'test_decoding'); SELECT pg_create_physical_replication_slot('physical')");
    const other = await cluster.client({ database: 'other' });
    await other.query("SELECT pg_create_logical_replication_slot('elsewhere', 'pgoutput')");
    await other.end();
  });
  after(() => cluster?.destroy());

  for (const [slot, name, words] of [
    ['decoding', 'plugin', /test_decoding/],
    ['physical', 'slot', /physical/],
    ['elsewhere', 'slot', /belongs to database/],
  ]) {
    test(`slot ${slot}`, async () => {
      const report = await check(cluster, {}, ['--slot', slot]);
      assert.equal(report.code, FINDINGS);
      expectLine(report, name, 'fail', words);
    });
  }
});

describe('lost slot', () => {
  test('is a fail that names the way out', async (t) => {
    const cluster = await withSchema({ settings: { max_slot_wal_keep_size: '1MB', min_wal_size: '32MB', max_wal_size: '32MB', wal_keep_size: 0 } });
    t.after(() => cluster.destroy());
    await cluster.query("SELECT pg_create_logical_replication_slot('dupwatch', 'wal2json')");
    for (let round = 0; round < 8; round += 1) {
      await cluster.query("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 4000000)) FROM generate_series(1, 5)");
      await cluster.query('SELECT pg_switch_wal()');
      await cluster.query('CHECKPOINT');
    }
    const [{ wal_status: status }] = await cluster.query('SELECT wal_status FROM pg_replication_slots');
    assert.equal(status, 'lost');
    const report = await check(cluster);
    assert.equal(report.code, FINDINGS);
    expectLine(report, 'slot', 'fail', /dupwatch drop/);
  });
});
