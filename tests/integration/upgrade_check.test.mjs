// What dupwatch upgrade-check says of an upgrade, held against the engine's own migrator run over the same database.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { installSchema } from '../writers/install_schema.mjs';
import { audit } from './audit_truth.mjs';
import { runCommand } from './daemon.mjs';
import { EVENTS, full, race, serverWithSchema } from './scene.mjs';
import { applied, dirtyLog, losses, migrationsOf, rowsOf, writeLog } from './upgrade_world.mjs';

async function check(cluster, to, { dsn = {}, args = ['--json'] } = {}) {
  const ended = await runCommand(['upgrade-check', '--dsn', cluster.dsn(dsn), '--to', to, ...args]);
  if (args[0] !== '--json') return ended;
  assert.ok(ended.code === 0 || ended.code === 1, ended.stderr);
  const report = JSON.parse(ended.stdout);
  assert.equal(report.go, ended.code === 0);
  assert.equal(report.go, report.lines.every(({ verdict }) => verdict !== 'fail'));
  return { ...report, line: (name) => report.lines.find((line) => line.name === name), failed: report.lines.filter(({ verdict }) => verdict === 'fail').map(({ name }) => name).sort() };
}

/** Runs the migrator of that package; undefined, or the error. */
const migrate = (cluster, world) => installSchema(world, cluster.uri()).then(() => undefined, (error) => error.message);

/** The open runs that a 5.0 beta refuses: the seed of its correlation ids is another, so those that have one. */
const withEntities = ({ rows, late, states }) => {
  const busy = new Set([...rows, ...late].filter(({ type }) => /^(step|wait|hook)_created$/.test(type)).map(({ run }) => run));
  return states.filter(({ run, status }) => ['pending', 'running'].includes(status) && busy.has(run)).length;
};

const ROUTES = [
  ['4.1.1', '4.1.4'], ['4.1.1', '4.2.0'], ['4.1.1', '4.3.7'], ['4.1.1', '5.0.0-beta.27'], ['4.1.1', '5.0.0-beta.29'],
  ['4.2.0', '4.3.7'], ['4.2.0', '5.0.0-beta.29'], ['4.3.7', '5.0.0-beta.29'],
];
const table = [];

for (const [from, to] of ROUTES) {
  test(`${from} to ${to}: the rows that go and stay, what fails and what is passed over are as foretold`, async (t) => {
    const cluster = await serverWithSchema(t, { world: from });
    const unique = from !== '4.1.1';
    for (let seed = 1; seed <= (full ? 12 : 2); seed += 1) {
      const attributes = to.startsWith('5') && seed % 2 === 0 ? 3 : 0;
      const log = dirtyLog(`${from}-${to}-${seed}`, { runs: full ? 400 : 60, attributes, duplicates: unique ? 0 : 0.35 });
      await cluster.query(`TRUNCATE ${EVENTS}, workflow.workflow_runs`);
      await writeLog(cluster, log);
      const before = await rowsOf(cluster);
      const count = await applied(cluster);
      const report = await check(cluster, to);
      const { findings: named } = await audit(cluster, ['--before-migration', '--json']).then(({ stdout }) => (
        { findings: stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter(({ event }) => event === 'migration') }));

      // The journal of the package tells which of its migrations its migrator will look at, and it passes over what is older.
      const known = new Set(migrationsOf(from));
      const wanted = migrationsOf(to).filter((tag) => !known.has(tag));
      assert.deepEqual([...report.pending, ...report.skipped].sort(), wanted.sort());
      const open = log.states.filter(({ status }) => ['pending', 'running'].includes(status)).length;
      assert.deepEqual([report.line('open_runs').numbers.open, report.line('open_runs').numbers.refused], [open, to.startsWith('5') ? withEntities(log) : 0]);

      const error = await migrate(cluster, to);
      const after = await rowsOf(cluster);
      const fails = report.line('attributes')?.verdict === 'fail' && report.pending.includes('0014_add_attr_set_event_unique_index');
      assert.equal(Boolean(error), fails, error);
      if (error) {
        assert.match(error, /could not create unique index|23505/);
        assert.deepEqual(after, before);
        assert.equal(await applied(cluster), count);
      } else {
        assert.equal(await applied(cluster) - count, report.pending.length);
        const gone = before.filter((line) => !after.includes(line)).map((line) => line.split(' ')[3]).sort();
        assert.deepEqual(unique ? [] : named.flatMap(({ deleted_ids: ids }) => ids).sort(), gone);
        if (!unique) {
          const { identities, rows_deleted: deleted, other_row_kept: otherKept, left_fatal: leftFatal } = report.line('duplicates').numbers;
          const truth = losses(before, after);
          assert.deepEqual({ identities, deleted, otherKept, leftFatal }, truth);
          assert.ok(truth.otherKept > 0 && truth.leftFatal > 0, JSON.stringify(truth));
          assert.equal(report.line('duplicates').verdict, 'fail');
        }
      }
      table.push({ route: `${from} to ${to}`, rows: before.length, deleted: before.length - after.length, failed: Boolean(error) });
      // What was passed over is missing, and what is not is there.
      const [{ found }] = await cluster.query(`SELECT count(*)::int AS found FROM information_schema.columns WHERE table_schema = 'workflow' AND
        (table_name, column_name) IN (('workflow_runs', 'error_code'), ('workflow_runs', 'attributes'), ('workflow_hooks', 'is_system'))`);
      if (to.startsWith('5')) assert.equal(found, error || report.skipped.length ? 0 : 3);
      if (seed === (full ? 12 : 2) || !error) {
        // Back to the start for the next log.
        await cluster.query('DROP SCHEMA workflow CASCADE; DROP SCHEMA workflow_drizzle CASCADE; DROP TYPE IF EXISTS public.status, public.step_status, public.wait_status');
        await installSchema(from, cluster.uri());
      }
    }
  });
}

test.after(() => {
  if (!process.env.DUPWATCH_UPGRADE_TABLE) return;
  const sums = new Map();
  for (const { route, rows, deleted, failed } of table) {
    const sum = sums.get(route) ?? { logs: 0, rows: 0, deleted: 0, failed: 0 };
    sums.set(route, { logs: sum.logs + 1, rows: sum.rows + rows, deleted: sum.deleted + deleted, failed: sum.failed + Number(failed) });
  }
  fs.writeFileSync(process.env.DUPWATCH_UPGRADE_TABLE, [...sums].map(([route, sum]) => `| ${route} | ${Object.values(sum).join(' | ')} |\n`).join(''));
});

test('the journal gap from 4.3 to 5: the migrator is silent, the engine fails, and the SQL of the check fills it', async (t) => {
  const cluster = await serverWithSchema(t, { world: '4.3.7' });
  const before = await check(cluster, '5.0.0-beta.27');
  assert.deepEqual([before.failed, before.pending, before.skipped.length], [['journal'], [], 4]);
  await installSchema('5.0.0-beta.27', cluster.uri());
  await assert.rejects(race(cluster, { world: '5.0.0-beta.27', runs: 3, steps: 2 }));
  await cluster.query(before.line('journal').fix);
  const after = await check(cluster, '5.0.0-beta.27');
  assert.deepEqual([after.go, after.skipped], [true, []]);
  await cluster.query(`TRUNCATE ${EVENTS}, workflow.workflow_runs, workflow.workflow_steps`);
  const summary = await race(cluster, { world: '5.0.0-beta.27', runs: 3, steps: 2 });
  assert.ok(summary, 'the engine of 5.0 writes');
});

test('a lost journal: the migrator begins anew and fails', async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.query('TRUNCATE workflow_drizzle.workflow_migrations');
  assert.deepEqual((await check(cluster, '4.3.7')).failed, ['journal']);
  assert.match(await migrate(cluster, '4.3.7'), /already exists/);
  await cluster.query('DROP SCHEMA workflow_drizzle CASCADE');
  assert.deepEqual((await check(cluster, '4.3.7')).failed, ['journal']);
});

test('a writer that adds a duplicate while 0010 runs makes it fail', async (t) => {
  const cluster = await serverWithSchema(t);
  const row = (id) => `INSERT INTO ${EVENTS} (run_id, type, correlation_id, id) VALUES ('wrun_1', 'step_created', 'step_1', '${id}')`;
  await cluster.query(row('wevt_1'));
  assert.ok((await check(cluster, '4.3.7')).go);
  const writer = await cluster.client({ application_name: 'old worker' });
  t.after(() => writer.end());
  await writer.query('BEGIN');
  await writer.query(row('wevt_2'));
  const report = await check(cluster, '4.3.7');
  assert.deepEqual([report.failed, report.line('writers').numbers.sessions], [['writers'], 1]);
  assert.match(report.line('writers').found, /1 of postgres \(old worker\), up to \d+ s old/);
  const migrated = migrate(cluster, '4.3.7');
  for (;;) {
    const [{ n }] = await cluster.query(`SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted AND relation = '${EVENTS}'::regclass`);
    if (n) break;
  }
  await writer.query('COMMIT');
  assert.match(await migrated, /could not create unique index|23505/);
});

// 0019 and 0026 are in no package of the registry: the statements that matter, by what was read of them.
const KEY_SWAP = `ALTER TABLE ${EVENTS} DROP CONSTRAINT workflow_events_pkey; ALTER TABLE ${EVENTS} ADD CONSTRAINT workflow_events_run_id_id_pk PRIMARY KEY (run_id, id)`;
const RETYPE = `SET TIME ZONE 'UTC'; ALTER TABLE ${EVENTS} ALTER COLUMN created_at TYPE timestamptz`;
const UPDATE = `UPDATE ${EVENTS} SET payload = NULL`;

for (const { name, line, make, breaks, quiet } of [
  { name: 'a foreign key on the log', line: 'key', make: `CREATE TABLE note (event varchar REFERENCES ${EVENTS} (id))`, breaks: [KEY_SWAP] },
  { name: 'a primary key of another name', line: 'key', make: `ALTER TABLE ${EVENTS} RENAME CONSTRAINT workflow_events_pkey TO other`, breaks: [KEY_SWAP] },
  { name: 'a publication of updates that lists id alone', line: 'publication', make: `CREATE PUBLICATION cdc FOR TABLE ${EVENTS} (id, type)`, breaks: [KEY_SWAP, UPDATE] },
  { name: 'a publication of updates that lists both', line: 'publication', make: `CREATE PUBLICATION cdc FOR TABLE ${EVENTS} (id, run_id, type)`, breaks: [KEY_SWAP, UPDATE], quiet: true },
  { name: 'the publication of inserts', line: 'publication', make: `CREATE PUBLICATION cdc FOR TABLE ${EVENTS} (id, type) WITH (publish = 'insert')`, breaks: [KEY_SWAP, UPDATE], quiet: true },
  { name: 'a replica identity by the old key', line: 'publication', make: `ALTER TABLE ${EVENTS} REPLICA IDENTITY USING INDEX workflow_events_pkey; CREATE PUBLICATION cdc FOR TABLE ${EVENTS}`, breaks: [KEY_SWAP, UPDATE] },
  { name: 'a publication that lists created_at', line: 'column_types', make: `CREATE PUBLICATION cdc FOR TABLE ${EVENTS} (id, created_at) WITH (publish = 'insert')`, breaks: [RETYPE] },
  { name: 'a row filter on created_at', line: 'column_types', make: `CREATE PUBLICATION cdc FOR TABLE ${EVENTS} WHERE (created_at > '2026-01-01') WITH (publish = 'insert')`, breaks: [RETYPE] },
  { name: 'a view on created_at', line: 'column_types', make: `CREATE VIEW note AS SELECT created_at FROM ${EVENTS}`, breaks: [RETYPE] },
  { name: 'a view on other columns', line: 'column_types', make: `CREATE VIEW note AS SELECT id FROM ${EVENTS}`, breaks: [RETYPE], quiet: true },
  { name: 'the publication of setup', line: 'column_types', make: `CREATE PUBLICATION cdc FOR TABLE ${EVENTS} (run_id, id, type, correlation_id) WITH (publish = 'insert')`, breaks: [RETYPE], quiet: true },
]) {
  test(`${name}: 0019 or 0026 ${quiet ? 'goes through' : 'breaks'}, as foretold`, async (t) => {
    const cluster = await serverWithSchema(t, { settings: { wal_level: 'logical', timezone: 'UTC' } });
    await cluster.query(`INSERT INTO ${EVENTS} (run_id, type, id) VALUES ('wrun_1', 'run_created', 'wevt_1')`);
    assert.ok((await check(cluster, '5.x')).go);
    await cluster.query(make);
    const report = await check(cluster, '5.x');
    assert.equal(report.line(line).verdict, quiet ? 'pass' : 'fail', JSON.stringify(report.line(line)));
    const failures = [];
    for (const statement of breaks) await cluster.query(statement).catch((error) => failures.push(error.message));
    assert.equal(failures.length > 0, !quiet, failures.join('; '));
  });
}
