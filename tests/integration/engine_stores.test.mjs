// The built-in profiles of durable engines and of an outbox, over the tables that the packages make and write: nothing is found in
// a healthy load, every planted fault of every rule is, by the stream, by audit and by `profile test`, as SQL says.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { failOpenWorkflow, openDbos, runOpenWorkflow } from '../profiles/engines.mjs';
import { OUTBOX, writeOutbox } from '../profiles/stores.mjs';
import { runCommand } from './daemon.mjs';
import { latestFindings } from './ground_truth.mjs';
import { assertRules } from './rules_sql.mjs';
import { daemonFor, full, serverWithSchema } from './scene.mjs';

const ROWS = full ? 100_000 : 3000;

const DBOS = {
  name: 'dbos.operation_outputs', run_column: 'workflow_uuid', id_column: 'function_id', type_column: 'function_name',
  rules: { step_missing: { dense: 'function_id', severity: 'unknown' } },
};
const OPENWORKFLOW = {
  name: 'openworkflow.step_attempts', scope_columns: ['namespace_id'], run_column: 'workflow_run_id', id_column: 'id', type_column: 'kind',
  rules: { step_begun_again: { unique: ['step_name'], severity: 'unknown' } },
};
const OUTBOX_PROFILE = {
  name: 'public.outbox', scope_columns: ['aggregate_type'], run_column: 'aggregate_id', id_column: 'id', type_column: 'event_type',
  rules: { message_twice: { unique: ['message_id'], severity: 'conflict' }, behind_readers: { increasing: true, severity: 'fatal' } },
};

/** A daemon over the profile, started; `check` refuses nothing. */
async function watching(t, cluster, profile, plugin) {
  const daemon = await daemonFor(t, cluster, { profile, slot: { plugin }, baseline: 'all', recheck: { interval: '1s' } });
  const check = await runCommand(['check', '--json', '--config', daemon.configFile]);
  assert.ok(JSON.parse(check.stdout).lines.every(({ verdict }) => verdict !== 'fail'), check.stdout);
  await daemon.start();
  return daemon;
}

async function assertHealthy(daemon, profile) {
  await daemon.caughtUp(120_000);
  await sleep(6000);
  assert.deepEqual(latestFindings(daemon.findingsFile), []);
  const [{ n }] = await daemon.cluster.query(`SELECT count(*)::int AS n FROM ${profile.name}`);
  return n;
}

/** audit, and the dry run of the profile, say what the table shows: all but the order of commits. */
async function assertCommands(daemon, profile, builtin) {
  const audit = await runCommand(['audit', '--json', '--config', daemon.configFile]);
  assert.equal(audit.code, 1, audit.stderr);
  const findings = audit.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter(({ event }) => event === 'finding');
  await assertRules(daemon, profile, { source: findings, without: ['behind_readers'] });
  const dry = await runCommand(['profile', 'test', builtin, '--dsn', daemon.cluster.dsn(), '--json']);
  assert.equal(dry.code, 1, dry.stderr);
  assert.equal(JSON.parse(dry.stdout).findings, findings.length);
}

let dbos;
test.after(() => dbos?.close());

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`DBOS, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null });
    dbos = await openDbos(cluster);
    const daemon = await watching(t, cluster, 'dbos', plugin);
    await dbos.run(ROWS / 8);
    await dbos.close();
    dbos = undefined;
    assert.ok(await assertHealthy(daemon, DBOS) >= ROWS / 2);

    const [{ old }] = await cluster.query('SELECT workflow_uuid AS old FROM dbos.operation_outputs WHERE function_id = 5 LIMIT 1');
    await cluster.query(`INSERT INTO dbos.workflow_status SELECT (jsonb_populate_record(s, jsonb_build_object('workflow_uuid', 'fault-' || n))).*
      FROM dbos.workflow_status s, generate_series(1, 2) n WHERE workflow_uuid = $1`, [old]);
    const write = (workflow, step) => cluster.query(`INSERT INTO dbos.operation_outputs (workflow_uuid, function_id, function_name) VALUES ($1, $2, 'charge')`, [workflow, step]);
    await write('fault-1', 0);
    await write('fault-1', 2);
    await write('fault-2', 1);
    await write(old, 99);
    // One that is set right within seconds is none.
    await write('fault-2', 3);
    await write('fault-2', 2);
    await daemon.caughtUp();
    await sleep(6000);
    assert.equal(await assertRules(daemon, DBOS), 3);
    await assertCommands(daemon, DBOS, 'dbos');
  });

  test(`OpenWorkflow, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null });
    await runOpenWorkflow(cluster, { workflows: 1 });
    const daemon = await watching(t, cluster, 'openworkflow', plugin);
    await runOpenWorkflow(cluster, { workflows: ROWS / 10, namespaces: ['default', 'eu/1'] });
    assert.ok(await assertHealthy(daemon, OPENWORKFLOW) >= ROWS / 2);

    // A retry that was meant, and a second worker's attempt.
    const run = await failOpenWorkflow(cluster, 2);
    const copy = (namespace, step) => cluster.query(`INSERT INTO openworkflow.step_attempts SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid()))).*
      FROM openworkflow.step_attempts s WHERE namespace_id = $1 AND step_name = $2 ORDER BY id LIMIT 1`, [namespace, step]);
    await copy('eu/1', 'mail');
    await copy('default', 'charge');
    // One run id in two namespaces is two runs.
    await cluster.query(`INSERT INTO openworkflow.workflow_runs SELECT (jsonb_populate_record(r, jsonb_build_object('namespace_id', 'eu/1'))).*
      FROM openworkflow.workflow_runs r WHERE id = $1`, [run]);
    await cluster.query(`INSERT INTO openworkflow.step_attempts SELECT (jsonb_populate_record(s, jsonb_build_object('namespace_id', 'eu/1'))).*
      FROM openworkflow.step_attempts s WHERE workflow_run_id = $1 ORDER BY id LIMIT 1`, [run]);
    await daemon.caughtUp();
    assert.equal(await assertRules(daemon, OPENWORKFLOW), 4);
    await assertCommands(daemon, OPENWORKFLOW, 'openworkflow');
    const explain = await runCommand(['explain', `default/${run}`, '--config', daemon.configFile]);
    assert.match(explain.stdout, new RegExp(`^workflow default/${run}: 3 attempts`, 'm'));
  });

  test(`an outbox, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null, settings: { track_commit_timestamp: 'on' } });
    await cluster.query(OUTBOX);
    const daemon = await watching(t, cluster, 'outbox', plugin);
    await writeOutbox(cluster, { messages: ROWS, aggregates: 200 });
    assert.ok(await assertHealthy(daemon, OUTBOX_PROFILE) >= ROWS);
    assert.equal((await daemon.status()).order_watch.enabled, true);

    const write = (client, aggregate, message = 'gen_random_uuid()') => client.query(
      `INSERT INTO outbox (aggregate_type, aggregate_id, event_type, message_id) VALUES ('order', '${aggregate}', 'Changed', ${message})`);
    for (const aggregate of ['fault-1', 'fault-1', 'fault-2']) await write(cluster, aggregate, `'00000000-0000-0000-0000-000000000001'`);
    const slow = await cluster.client();
    await slow.query('BEGIN');
    await write(slow, 'fault-3');
    await write(cluster, 'fault-3');
    await slow.query('COMMIT');
    await slow.end();
    await daemon.caughtUp();
    assert.equal(await assertRules(daemon, OUTBOX_PROFILE), 2);
    assert.ok((await daemon.status()).order_watch.behind >= 1);
    await assertCommands(daemon, OUTBOX_PROFILE, 'outbox');
  });
}
