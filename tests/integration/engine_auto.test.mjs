// `engine: auto`: what it takes from schema and spec versions, and that it says so, in check, log, metrics, explain and audit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand } from './daemon.mjs';
import { daemonFor, EVENTS, insertEvents, runSetup, serverWithSchema } from './scene.mjs';

const slot = (number) => `evnt_${String(number).padStart(26, '0')}`;
const RUN = 'wrun_01KQ3V6T0A7M2N5P8R1S4V0001';

/** Tables of 5.x as far as dupwatch looks at them, and one run whose step starts after its end: harmless to spec 9 alone. */
async function scene(t) {
  const cluster = await serverWithSchema(t, { world: null });
  await cluster.query(`CREATE SCHEMA workflow; CREATE TABLE ${EVENTS} (id varchar NOT NULL, type varchar NOT NULL, correlation_id varchar,
    run_id varchar NOT NULL, PRIMARY KEY (run_id, id));
    CREATE TABLE workflow.workflow_runs (id varchar PRIMARY KEY, status varchar NOT NULL, spec_version varchar, error_code text);
    CREATE TABLE workflow.workflow_event_slots (run_id varchar PRIMARY KEY)`);
  const types = [['run_created', null], ['step_created', 'step_a'], ['step_completed', 'step_a'], ['step_started', 'step_a'], ['step_created', 'step_b']];
  await insertEvents(cluster, types.map(([type, correlation], i) => ({ run: RUN, type, correlation, id: slot(i + 1) })));
  const spec = (...versions) => cluster.query(`TRUNCATE workflow.workflow_runs; INSERT INTO workflow.workflow_runs (id, status, spec_version)
    SELECT CASE WHEN n = 1 THEN '${RUN}' ELSE 'wrun_01KQ3V6T0A7M2N5P8R1S4V000' || n END, 'running', v FROM unnest('{${versions.join()}}'::text[]) WITH ORDINALITY u(v, n)`);
  return { cluster, spec };
}

test('check by the spec versions of the newest runs, audit and explain by the run\'s own', async (t) => {
  const { cluster, spec } = await scene(t);
  const audit = async () => JSON.parse((await runCommand(['audit', '--format', 'json', '--dsn', cluster.dsn()])).stdout.split('\n')[0]);
  const explain = async () => JSON.parse((await runCommand(['explain', RUN, '--json', '--dsn', cluster.dsn()])).stdout);
  const check = async () => JSON.parse((await runCommand(['check', '--json', '--dsn', cluster.dsn()])).stdout).lines.find(({ name }) => name === 'engine');
  const cases = [
    [['5'], 'v5-before-class-skip', 'fatal', 'pass'],
    [['6'], 'v5-before-attribute-skip', 'fatal', 'pass'],
    [['8', '3'], 'v5', 'fatal', 'pass'],
    [['9'], 'v5-single-orchestrator', 'harmless', 'warn'],
    [['10'], 'unknown', 'unknown', 'warn'],
    [['8', '9'], 'v5', 'fatal', 'warn', 'unknown'],
    [['9', '8'], 'v5-single-orchestrator', 'harmless', 'warn', 'unknown'],
    [['other', '7'], 'v5', 'fatal', 'pass'],
    [[], 'v5', 'fatal', 'warn'],
  ];
  for (const [versions, engine, severity, verdict, log = engine] of cases) {
    await spec(...versions);
    const found = await audit();
    assert.deepEqual([found.rule, found.engine, found.severity], ['lifecycle_after_close', engine, severity], versions.join());
    const line = await check();
    assert.equal(line.verdict, verdict, `${versions}: ${JSON.stringify(line)}`);
    assert.ok(line.found.includes(`slot numbers for ${log}: `), line.found);
    assert.match(line.found, /; a run with a spec version in workflow\.workflow_runs is taken for what that says(;|$)/);
    const story = await explain();
    assert.deepEqual([story.engine, story.engine_from], [found.engine, found.engine_from], versions.join());
  }
  await cluster.query('ALTER TABLE workflow.workflow_event_slots ADD seq_in_band int; TRUNCATE workflow.workflow_runs');
  assert.match((await runCommand(['explain', RUN, '--dsn', cluster.dsn()])).stdout, /\n {2}> unknown +can't be decided from the log alone\n/);
  assert.equal((await audit()).engine, 'unknown', 'the schema of spec 9, and no run to go by');
});

test('the daemon says what it took, with the rights of setup', async (t) => {
  const { cluster, spec } = await scene(t);
  await spec('9');
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: 'watcher' }) } });
  await runSetup(cluster, daemon);
  await cluster.query('ALTER ROLE watcher REPLICATION');
  await daemon.start();
  await insertEvents(cluster, [{ run: RUN, type: 'step_retrying', correlation: 'step_a', id: slot(6) }]);
  await daemon.caughtUp();
  const metrics = await (await daemon.fetch('/metrics')).text();
  const value = (series) => Number(metrics.split('\n').find((line) => line.startsWith(`${series} `))?.split(' ')[1]);
  assert.equal(value('dupwatch_engine_generation{ids="slot",generation="v5-single-orchestrator"}'), 1, metrics.split('\n').filter((line) => /engine/.test(line)).join('\n'));
  assert.equal(value('dupwatch_engine_generation{ids="slot",generation="v5"}'), 0);
  assert.equal(value('dupwatch_engine_unreplayed'), 1);
  const said = await daemon.line('the generation', ({ event }) => event === 'engine');
  assert.deepEqual([said.slots, said.why], ['v5-single-orchestrator', 'runs have spec version 9']);
});
