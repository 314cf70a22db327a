// `dupwatch setup --print-sql` and its undoing, as a DBA would run them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { runCommand } from './daemon.mjs';
import { CLEAN, check, expectLine, setUp, withSchema } from './check_scene.mjs';
import { slots } from './scene.mjs';

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
