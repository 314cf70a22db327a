// `dupwatch check` against servers that are not ready: the right line fails, its fix is SQL that mends it, the exit
// code is the documented one, and nothing is left behind. `setup` and its undoing, as a DBA would run them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createCluster, freePort } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { runCommand } from './daemon.mjs';
import { slots } from './scene.mjs';

const CLEAN = 0;
const FINDINGS = 1;
const OPERATOR = 3;
const TEMPORARY = 4;

const run = (command, cluster, over = {}, more = []) =>
  runCommand([command, '--dsn', cluster.dsn(over), ...more]);

/** Runs check and returns {code, ok, line(name)}; no slot may be left and no password be told. */
async function check(cluster, over = {}, more = []) {
  const had = cluster.running() ? await slots(cluster) : [];
  const ended = await run('check', cluster, over, ['--json', ...more]);
  assert.doesNotMatch(ended.stdout + ended.stderr, /s3cret/);
  if (cluster.running()) assert.deepEqual((await slots(cluster)).map((slot) => slot.slot_name), had.map((slot) => slot.slot_name));
  const report = JSON.parse(ended.stdout);
  const lines = new Map(report.lines.map((line) => [line.name, line]));
  for (const line of report.lines) {
    assert.ok(['pass', 'warn', 'fail', 'skip'].includes(line.verdict), JSON.stringify(line));
    if (line.verdict === 'fail') assert.ok(line.fix, `no fix: ${JSON.stringify(line)}`);
  }
  const line = (name) => {
    assert.ok(lines.has(name), `no line ${name} in ${ended.stdout}`);
    return lines.get(name);
  };
  return { code: ended.code, ok: report.ok, line, names: [...lines.keys()], text: ended.stdout };
}

const expectLine = (report, name, verdict, words) => {
  const line = report.line(name);
  assert.equal(line.verdict, verdict, JSON.stringify(line));
  if (words) assert.match(`${line.found} ${line.fix}`, words);
  return line;
};

/** Runs the SQL that setup prints, as the superuser. */
async function setUp(cluster, over, more = []) {
  const printed = await run('setup', cluster, over, ['--print-sql', ...more]);
  assert.equal(printed.code, CLEAN, printed.stderr);
  await cluster.query(printed.stdout);
  return printed.stdout;
}

async function withSchema(options, world = '4.1.1') {
  const cluster = await createCluster(options);
  if (world) await installSchema(world, cluster.uri());
  return cluster;
}

describe('a server that setup has prepared', () => {
  for (const major of [15, 16, 17, 18]) {
    test(`Postgres ${major}: clean after setup, nothing but the role's own rights`, async (t) => {
      const cluster = await withSchema({ major, settings: { max_slot_wal_keep_size: '1GB' } });
      t.after(() => cluster.destroy());
      const watcher = { user: 'watcher' };
      await setUp(cluster, watcher);
      await setUp(cluster, watcher);
      const report = await check(cluster, watcher);
      assert.equal(report.code, CLEAN, report.text);
      assert.equal(report.ok, true);
      expectLine(report, 'replication_right', 'pass');
      expectLine(report, 'plugin', 'pass', /pgoutput/);
      for (const name of ['publication', 'publication_actions', 'publication_columns', 'publication_filter', 'select_right', 'xmin_right', 'runs_right', 'max_slot_wal_keep_size', 'primary_key']) {
        expectLine(report, name, 'pass');
      }
      expectLine(report, 'unique_index', 'warn', /4\.1\.2/);
      assert.doesNotMatch(report.line('unique_index').fix, /CREATE UNIQUE INDEX/);

      const client = await cluster.client({ user: 'watcher' });
      t.after(() => client.end());
      await client.query('SELECT run_id, id, type, correlation_id, xmin FROM workflow.workflow_events');
      await assert.rejects(client.query('SELECT payload_cbor FROM workflow.workflow_events'), { code: '42501' });
      await assert.rejects(client.query('SELECT input FROM workflow.workflow_runs'), { code: '42501' });
    });
  }

  test('the undoing takes all of it away, twice if asked', async (t) => {
    const cluster = await withSchema();
    t.after(() => cluster.destroy());
    const watcher = { user: 'watcher' };
    await setUp(cluster, watcher);
    await cluster.query("SELECT pg_create_logical_replication_slot('dupwatch', 'pgoutput')");
    for (let times = 0; times < 2; times += 1) await setUp(cluster, watcher, ['--uninstall']);
    assert.deepEqual(await slots(cluster), []);
    assert.deepEqual(await cluster.query('SELECT pubname FROM pg_publication'), []);
    assert.deepEqual(await cluster.query("SELECT rolname FROM pg_roles WHERE rolname = 'watcher'"), []);
  });

  test('the undoing leaves a role alone that setup did not make', async (t) => {
    const cluster = await withSchema();
    t.after(() => cluster.destroy());
    await cluster.query('CREATE ROLE app LOGIN REPLICATION; GRANT USAGE ON SCHEMA workflow TO app; GRANT SELECT ON ALL TABLES IN SCHEMA workflow TO app');
    await setUp(cluster, { user: 'app' });
    await setUp(cluster, { user: 'app' }, ['--uninstall']);
    const client = await cluster.client({ user: 'app' });
    t.after(() => client.end());
    await client.query('SELECT * FROM workflow.workflow_events');
  });

  test('names that need quotes', async (t) => {
    const cluster = await withSchema({}, null);
    t.after(() => cluster.destroy());
    await cluster.query(`CREATE SCHEMA "Sch""ema"; CREATE TABLE "Sch""ema"."ta'ble $dupwatch$" ("Run" uuid, id bigint PRIMARY KEY, "a b" text)`);
    const dir = fs.mkdtempSync(path.join(cluster.dir, 'config-'));
    const file = path.join(dir, 'dupwatch.yaml');
    fs.writeFileSync(file, JSON.stringify({
      connection: { dsn: cluster.dsn({ user: 'we"ird $dupwatch$' }) },
      profile: 'generic',
      table: { name: `"Sch""ema"."ta'ble $dupwatch$"`, run_column: 'Run', id_column: 'id', identity_columns: ['a b'] },
      slot: { publication: `it's "$dupwatch$"` },
    }));
    const printed = await runCommand(['setup', '--print-sql', '--config', file]);
    assert.equal(printed.code, CLEAN, printed.stderr);
    await cluster.query(printed.stdout);
    const ended = await runCommand(['check', '--json', '--config', file]);
    assert.equal(ended.code, CLEAN, ended.stdout);
    await cluster.query((await runCommand(['setup', '--print-sql', '--uninstall', '--config', file])).stdout);
    assert.deepEqual(await cluster.query('SELECT pubname FROM pg_publication'), []);
  });
});

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
    assert.deepEqual(report.names, ['reachable']);
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

describe('table and publication', () => {
  let cluster;
  const pgoutput = ['--plugin', 'pgoutput'];
  before(async () => { cluster = await withSchema(); });
  after(() => cluster?.destroy());

  const publication = (sql) => cluster.query(`DROP PUBLICATION IF EXISTS dupwatch; ${sql}`);
  const TABLE = 'workflow.workflow_events';

  test('missing table', async () => {
    const report = await check(cluster, { dbname: 'postgres' });
    assert.equal(report.code, FINDINGS);
    expectLine(report, 'table', 'fail');
  });

  const bad = [
    ['is missing', '', 'publication'],
    ['lacks the table', 'CREATE PUBLICATION dupwatch FOR TABLE workflow.workflow_runs', 'publication'],
    ['does not publish inserts', `CREATE PUBLICATION dupwatch FOR TABLE ${TABLE} WITH (publish = 'update')`, 'publication_actions'],
    ['makes the application\'s DELETE fail', `CREATE PUBLICATION dupwatch FOR TABLE ${TABLE} (run_id, type, correlation_id)`, 'publication_actions'],
    ['lacks a column', `CREATE PUBLICATION dupwatch FOR TABLE ${TABLE} (id, type, run_id) WITH (publish = 'insert')`, 'publication_columns'],
    ['filters a needed type out', `CREATE PUBLICATION dupwatch FOR TABLE ${TABLE} (run_id, id, type, correlation_id) WHERE (type::text IN ('step_created', 'run_created')) WITH (publish = 'insert')`, 'publication_filter'],
    ['filters by another column', `CREATE PUBLICATION dupwatch FOR TABLE ${TABLE} (run_id, id, type, correlation_id) WHERE (run_id > 'x') WITH (publish = 'insert')`, 'publication_filter'],
  ];
  for (const [title, sql, name] of bad) {
    test(`a publication that ${title}: its fix mends it`, async () => {
      await publication(sql);
      let report = await check(cluster, {}, pgoutput);
      assert.equal(report.code, FINDINGS, report.text);
      assert.equal(report.line(name).verdict, 'fail', report.text);
      // One fix may lay open the next fault; three rounds must do.
      for (let round = 0; round < 3 && !report.ok; round += 1) {
        for (const line of report.names.map(report.line)) {
          if (line.verdict === 'fail') await cluster.query(line.fix);
        }
        report = await check(cluster, {}, pgoutput);
      }
      assert.equal(report.code, CLEAN, report.text);
    });
  }

  test('the application can delete under the publication that setup makes, and could not under the bad one', async () => {
    await publication(`CREATE PUBLICATION dupwatch FOR TABLE ${TABLE} (run_id, type, correlation_id)`);
    await assert.rejects(cluster.query(`DELETE FROM ${TABLE}`), /cannot delete from table/);
    await publication('');
    await setUp(cluster);
    await cluster.query(`DELETE FROM ${TABLE}`);
  });

  for (const [title, sql, name] of [
    ['holds all tables', 'CREATE PUBLICATION dupwatch FOR ALL TABLES', 'publication'],
    ['holds the schema', 'CREATE PUBLICATION dupwatch FOR TABLES IN SCHEMA workflow', 'publication'],
    ['sends whole rows', `CREATE PUBLICATION dupwatch FOR TABLE ${TABLE} WITH (publish = 'insert')`, 'publication_columns'],
    ['publishes deletes', `CREATE PUBLICATION dupwatch FOR TABLE ${TABLE} (run_id, id, type, correlation_id)`, 'publication_actions'],
  ]) {
    test(`a publication that ${title} is a warning`, async () => {
      await publication(sql);
      const report = await check(cluster, {}, pgoutput);
      assert.equal(report.code, CLEAN, report.text);
      expectLine(report, name, 'warn');
    });
  }

  test('the row filter that setup offers lets all needed types through', async () => {
    await publication('');
    const sql = await setUp(cluster);
    const offered = sql.split('\n').find((line) => line.startsWith('-- ALTER PUBLICATION'));
    await cluster.query(offered.slice(3));
    const report = await check(cluster, {}, pgoutput);
    assert.equal(report.code, CLEAN, report.text);
    expectLine(report, 'publication_filter', 'pass', /can't change its type/);
  });
});

describe('the engine\'s unique index', () => {
  test('is told with its WHERE, and the primary key with the engine\'s line', async (t) => {
    for (const [world, key] of [['4.3.7', '(id)'], ['5.0.0-beta.27', '(id)']]) {
      const cluster = await withSchema({}, world);
      t.after(() => cluster.destroy());
      const report = await check(cluster);
      expectLine(report, 'unique_index', 'pass', /step_created.*hook_created.*wait_created/);
      expectLine(report, 'primary_key', 'pass');
      assert.ok(report.line('primary_key').found.startsWith(key), report.line('primary_key').found);
    }
  });

  test('an invalid one is a warning', async (t) => {
    const cluster = await withSchema();
    t.after(() => cluster.destroy());
    await cluster.query("INSERT INTO workflow.workflow_events (id, run_id, type, correlation_id) VALUES ('a', 'r', 'step_created', 's'), ('b', 'r', 'step_created', 's')");
    await assert.rejects(cluster.query("CREATE UNIQUE INDEX CONCURRENTLY half ON workflow.workflow_events (run_id, correlation_id, type)"));
    const fix = expectLine(await check(cluster), 'unique_index', 'warn', /invalid/).fix;
    await cluster.query(fix.split(';')[0]);
    expectLine(await check(cluster), 'unique_index', 'warn', /none/);
  });
});
