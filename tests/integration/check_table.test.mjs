// What `dupwatch check` says of the table, its publication and its unique index: the right line fails, and its fix is SQL
// that mends it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CLEAN, FINDINGS, check, expectLine, setUp, withSchema } from './check_scene.mjs';

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
