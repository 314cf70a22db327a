// One table with the runs of several generations of the engine: each is judged as the engine that began it does, the same in the
// stream of both plugins, in `audit` and in `explain`.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ulid } from '../engines/ids.mjs';
import { runCommand } from './daemon.mjs';
import { engines, GENERATION, missingEngines, SEVERITIES, survived } from './engine_verdicts.mjs';
import { daemonFor, EVENTS, full, runSetup, serverWithSchema } from './scene.mjs';

const PLUGINS = ['wal2json', 'pgoutput'];
// What each engine stamps on the runs that it begins; 9 is of no engine that is installed here.
const SPEC = { '4.2.4': 2, '4.8.9': 3, '5.0.0-beta.41': 5, '5.0.0-beta.55': 7, '5.2.0': 8 };
const BY_SPEC = { 2: 'v4', 3: 'v4', 5: 'v5-before-class-skip', 6: 'v5-before-attribute-skip', 7: 'v5', 8: 'v5', 9: 'v5-single-orchestrator', 10: 'unknown' };
const slot = (number) => `evnt_${String(number).padStart(26, '0')}`;
const jsonLines = (text) => text.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));

/** A schema of 5.x as far as dupwatch looks at it. specs: the tables that have the column. */
async function scene(t, { specs = ['workflow_events', 'workflow_runs'] } = {}) {
  const cluster = await serverWithSchema(t, { world: null });
  const column = (table, type) => (specs.includes(table) ? `, spec_version ${type}` : '');
  await cluster.query(`CREATE SCHEMA workflow; CREATE TABLE ${EVENTS} (id varchar NOT NULL, type varchar NOT NULL, correlation_id varchar,
    run_id varchar NOT NULL${column('workflow_events', 'integer')}, PRIMARY KEY (run_id, id));
    CREATE TABLE workflow.workflow_runs (id varchar PRIMARY KEY, status varchar NOT NULL${column('workflow_runs', 'varchar')}, error_code text);
    CREATE TABLE workflow.workflow_event_slots (run_id varchar PRIMARY KEY)`);
  return { cluster, specs };
}

/** Each run in a transaction of its own, its row in the table of runs in the same one. logs: {run, spec, events}. */
async function write({ cluster, specs }, logs) {
  const client = await cluster.client();
  for (const { run, spec, events } of logs) {
    const own = (table) => (specs.includes(table) ? [', spec_version', `, ${spec ?? 'NULL'}`] : ['', '']);
    const [runColumn, runValue] = own('workflow_runs');
    const [eventColumn, eventValue] = own('workflow_events');
    await client.query('BEGIN');
    await client.query(`INSERT INTO workflow.workflow_runs (id, status${runColumn}) VALUES ($1, 'running'${runValue})`, [run]);
    await client.query(`INSERT INTO ${EVENTS} (run_id, id, type, correlation_id${eventColumn}) SELECT $1, *${eventValue} FROM unnest($2::text[], $3::text[], $4::text[])`,
      [run, ...['id', 'type', 'correlation_id'].map((name) => events.map((event) => event[name]))]);
    await client.query('COMMIT');
  }
  await client.end();
}

let clock = Date.UTC(2026, 10, 1);
const random = { int: (below) => Math.floor(Math.random() * below) };
const runId = () => `wrun_${ulid((clock += 1000), random)}`;
/** A step that is completed twice and started after it, and one that is open. */
function damaged(spec, { slots = true, run = runId() } = {}) {
  const types = [['run_created', null], ['step_created', 'step_a'], ['step_started', 'step_a'], ['step_completed', 'step_a'], ['step_completed', 'step_a'], ['step_created', 'step_b']];
  const events = types.map(([type, correlation_id], i) => ({ id: slots ? slot(i + 1) : `wevt_${ulid((clock += 10), random)}`, type, correlation_id }));
  return { run, spec, events };
}

/** finding -> what is said of it, whoever says it. */
const said = (findings) => Object.fromEntries(findings.filter(({ event }) => event === 'finding')
  .map((finding) => [`${finding.run_id} ${finding.rule} ${finding.duplicate.id}`, `${finding.severity} ${finding.engine} by ${finding.engine_from}`]).sort());
const audit = async (cluster, ...options) => said(jsonLines((await runCommand(['audit', '--format', 'json', '--dsn', cluster.uri(), ...options], { timeoutMs: 120_000 })).stdout));
const explain = async (cluster, run) => JSON.parse((await runCommand(['explain', run, '--json', '--dsn', cluster.uri()])).stdout);
const ofRun = (findings, run) => Object.entries(findings).filter(([key]) => key.startsWith(run)).map(([key, value]) => `${key.split(' ')[1]} ${value}`);

/** The daemon's own word, once it has stopped changing. */
async function streamed(daemon) {
  await daemon.caughtUp();
  const { findings } = await daemon.json('/api/findings?limit=1000');
  return said(findings.map((finding) => ({ event: 'finding', ...finding })));
}

for (const plugin of PLUGINS) {
  test(`each run is judged by its own spec version, ${plugin}`, async (t) => {
    const place = await scene(t);
    const { cluster } = place;
    const daemon = await daemonFor(t, cluster, { slot: { plugin }, connection: { dsn: cluster.dsn({ user: 'watcher' }) } });
    await runSetup(cluster, daemon);
    await cluster.query('ALTER ROLE watcher REPLICATION');
    await daemon.start();
    const logs = Object.keys(BY_SPEC).map((spec) => damaged(Number(spec), { slots: Number(spec) > 3 }));
    const silent = damaged(null);
    const ulids = damaged(8, { slots: false });
    await write(place, [...logs, ulids]);
    await daemon.line('the newest runs', ({ event, slots }) => event === 'engine' && slots === 'unknown');
    await write(place, [silent]);
    const found = await streamed(daemon);
    for (const { run, spec } of logs) {
      const engine = BY_SPEC[spec];
      const severity = { v4: 'fatal', 'v5-before-class-skip': 'fatal', unknown: 'unknown' }[engine] ?? 'harmless';
      assert.deepEqual(ofRun(found, run), [`second_terminal ${severity} ${engine} by run`], `spec ${spec}`);
      const story = await explain(cluster, run);
      assert.deepEqual([story.engine, story.engine_from], [engine, 'run']);
    }
    // Without a word of its own: the newest runs are of several generations, one of them unknown.
    assert.deepEqual(ofRun(found, silent.run), ['second_terminal unknown unknown by log']);
    // The engines of spec 8 refuse ULIDs, whatever they look like.
    assert.deepEqual(ofRun(found, ulids.run), ['id_scheme fatal v5 by run', 'second_terminal harmless v5 by run']);
    assert.deepEqual(await audit(cluster), found);
    // In the order of runs it is the same.
    assert.deepEqual(await audit(cluster, '--max-rate', '1000000'), found);
    for (const [series, value] of [['generation="v4",from="run"', 2], ['generation="v5",from="run"', 3], ['generation="unknown",from="log"', 1]]) {
      assert.equal(await daemon.metric(`dupwatch_engine_runs_total{${series}}`), value, series);
    }
    assert.match((await daemon.status()).engine, /^auto \(by each run; else ULIDs /);
    const line = await daemon.line('a finding', ({ event, run_id }) => event === 'finding' && run_id === logs[0].run);
    assert.deepEqual([line.engine, line.engine_from], ['v4', 'run']);
    // The recheck says nothing else: no finding was told a second time.
    await sleep(2500);
    assert.equal(await daemon.metric('dupwatch_finding_changes_total'), 0);
  });

  test(`rows that come later, and a hole, are of the same generation, ${plugin}`, async (t) => {
    const place = await scene(t);
    const { cluster } = place;
    const daemon = await daemonFor(t, cluster, { slot: { plugin } });
    await daemon.start();
    const logs = [damaged(3, { slots: false }), damaged(8), damaged(9)];
    const begun = logs.map((log) => ({ ...log, events: log.events.slice(0, 2) }));
    await write(place, begun);
    await daemon.caughtUp();
    const readBacks = await daemon.metric('dupwatch_read_back_runs_total');
    // No row says it again: in a table of one version the workers stamp each, but the run has said who it is.
    for (const { run, events } of logs) {
      for (const { id, type, correlation_id } of events.slice(2)) {
        await cluster.query(`INSERT INTO ${EVENTS} (run_id, id, type, correlation_id) VALUES ($1, $2, $3, $4)`, [run, id, type, correlation_id]);
      }
    }
    // Slot 8 without slot 7.
    for (const { run } of logs.slice(1)) await cluster.query(`INSERT INTO ${EVENTS} (run_id, id, type) VALUES ($1, $2, 'noop')`, [run, slot(8)]);
    const wanted = [['second_terminal fatal v4 by run'], ['second_terminal harmless v5 by run', 'slot_gap fatal v5 by run'],
      ['second_terminal harmless v5-single-orchestrator by run', 'slot_gap unknown v5-single-orchestrator by run']];
    const found = await daemon.until('both holes', async () => {
      const all = await streamed(daemon);
      return Object.keys(all).length === 5 && all;
    });
    assert.deepEqual(logs.map(({ run }) => ofRun(found, run)), wanted);
    assert.deepEqual(await audit(cluster), found);
    assert.equal(await daemon.metric('dupwatch_read_back_runs_total'), readBacks, 'nothing is asked for each event');
  });
}

test('without the column of events the table of runs is asked, and without both the log', async (t) => {
  for (const [specs, expected] of [[['workflow_runs'], ['v4 by run', 'v5-single-orchestrator by run']], [[], ['v5 by log', 'v5 by log']]]) {
    const place = await scene(t, { specs });
    const { cluster } = place;
    const daemon = await daemonFor(t, cluster);
    await daemon.start();
    const logs = [damaged(3, { slots: false }), damaged(9)];
    await write(place, logs);
    const found = await streamed(daemon);
    assert.deepEqual(logs.map(({ run }) => ofRun(found, run).at(-1).split(' ').slice(2).join(' ')), expected);
    assert.deepEqual(await audit(cluster), found);
    const readBacks = await daemon.metric('dupwatch_read_back_runs_total');
    for (let i = 0; i < 20; i += 1) await cluster.query(`INSERT INTO ${EVENTS} (run_id, id, type, correlation_id) VALUES ($1, $2, 'step_created', $3)`, [logs[1].run, slot(10 + i), `step_${i}`]);
    await daemon.caughtUp();
    assert.equal(await daemon.metric('dupwatch_read_back_runs_total'), readBacks, 'nothing is asked for each event');
  }
});

test('what is configured counts for every run', async (t) => {
  const place = await scene(t);
  const daemon = await daemonFor(t, place.cluster, { engine: 'v4' });
  await daemon.start();
  const log = damaged(8);
  await write(place, [log]);
  assert.deepEqual(ofRun(await streamed(daemon), log.run), ['second_terminal fatal v4 by configuration']);
  assert.equal(await daemon.metric('dupwatch_engine_runs_total{generation="v4",from="configuration"}'), 1);
});

test('an upgrade while the daemon streams: runs that were open before stay what they are', async (t) => {
  const place = await scene(t);
  const { cluster } = place;
  await cluster.query('DROP TABLE workflow.workflow_event_slots; ALTER TABLE workflow.workflow_runs DROP error_code');
  const daemon = await daemonFor(t, cluster, { recheck: { interval: '1s' } });
  await daemon.start();
  const old = damaged(3, { slots: false });
  await write(place, [old]);
  assert.deepEqual(ofRun(await streamed(daemon), old.run), ['second_terminal fatal v4 by log']);
  await cluster.query('ALTER TABLE workflow.workflow_runs ADD error_code text; CREATE TABLE workflow.workflow_event_slots (run_id varchar PRIMARY KEY)');
  const line = await daemon.line('the other generation', ({ event, by_run }) => event === 'engine' && by_run === 'events');
  assert.deepEqual([line.ulids, line.slots], ['v4', 'v5']);
  // The new workers begin runs of their own, and the old ones are not refused for it.
  const fresh = damaged(8);
  const later = damaged(3, { slots: false });
  await write(place, [fresh, later]);
  await daemon.line('the newest runs', ({ event, ulids }) => event === 'engine' && ulids === 'v5');
  await sleep(2500);
  const found = await streamed(daemon);
  assert.deepEqual(ofRun(found, fresh.run), ['second_terminal harmless v5 by run']);
  assert.deepEqual(ofRun(found, later.run), ['second_terminal fatal v4 by run']);
  assert.deepEqual(ofRun(found, old.run).map((text) => text.replace(/ by .*/, '')), ['second_terminal fatal v4']);
  assert.deepEqual(Object.keys(await audit(cluster)), Object.keys(found));
});

test('a commit that no other session sees yet is not judged by a guess', async (t) => {
  const place = await scene(t);
  const { cluster } = place;
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  // A standby that is not there has its commits wait: they are in the stream, and in no snapshot.
  await cluster.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  await cluster.query('SELECT pg_reload_conf()');
  await sleep(500);
  const log = damaged(3, { slots: false });
  const writing = write(place, [log]);
  await sleep(300);
  const before = await daemon.json('/api/findings');
  await cluster.query('ALTER SYSTEM RESET synchronous_standby_names');
  await cluster.query('SELECT pg_reload_conf()');
  await writing;
  const found = await streamed(daemon);
  assert.deepEqual(before.findings, [], 'nothing was said while the row could not be read');
  assert.deepEqual(ofRun(found, log.run), ['second_terminal fatal v4 by run']);
  assert.equal(await daemon.metric('dupwatch_finding_changes_total'), 0);
});

test('a table with the logs of five real engines, judged at once', async (t) => {
  const missing = missingEngines();
  if (missing.length) {
    t.skip(`the engines are not installed: ${missing.join(', ')} (./test installs them)`);
    return;
  }
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-by-run-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'logs.jsonl');
  execFileSync(process.execPath, [path.join(engines, 'logs.mjs'), '--engine', 'all', '--seed', '5', '--count', full ? '400' : '60', '--out', file], { stdio: 'ignore' });
  const logs = jsonLines(fs.readFileSync(file, 'utf8'));
  // Written in turns: the newest runs are of all of them.
  const turns = logs.map((log, i) => [i % 7, log]).sort(([a], [b]) => a - b).map(([, log]) => log);
  for (const specs of [['workflow_events'], ['workflow_runs']]) {
    const place = await scene(t, { specs });
    await write(place, turns.map((log) => ({ run: log.run.id, spec: SPEC[log.engine], events: log.events })));
    const findings = jsonLines((await runCommand(['audit', '--format', 'json', '--dsn', place.cluster.uri()], { timeoutMs: 120_000 })).stdout).filter(({ event }) => event === 'finding');
    const worst = new Map();
    for (const finding of findings) {
      const before = worst.get(finding.run_id);
      if (!before || SEVERITIES.indexOf(finding.severity) < SEVERITIES.indexOf(before.severity)) worst.set(finding.run_id, finding);
    }
    // What each engine's own setting says of it, run by run.
    const alone = new Map();
    for (const generation of new Set(Object.values(GENERATION))) {
      const config = path.join(directory, `${generation}.yaml`);
      fs.writeFileSync(config, `engine: ${generation}\n`);
      alone.set(generation, said(jsonLines((await runCommand(['audit', '--format', 'json', '--config', config, '--dsn', place.cluster.uri()], { timeoutMs: 120_000 })).stdout)));
    }
    const together = said(findings);
    const wrong = [];
    let fatal = 0;
    for (const log of turns) {
      const noted = (all) => Object.entries(all).filter(([key]) => key.startsWith(log.run.id)).map(([key, value]) => [key, value.replace(/ by .*/, '')]);
      // With the table of runs, one that has lost the rows of the run itself says nothing.
      const byRun = findings.filter(({ run_id }) => run_id === log.run.id).every(({ engine_from }) => engine_from === 'run');
      if (specs.includes('workflow_events')) assert.ok(byRun, `${log.engine}, ${log.mutation}`);
      if (byRun) assert.deepEqual(noted(together), noted(alone.get(GENERATION[log.engine])), `${log.engine}, ${log.mutation}`);
      const record = worst.get(log.run.id);
      if (log.ended || !record || record.severity !== 'fatal') continue;
      if (log.outcome === 'fatal') fatal += 1;
      else if (!survived(log, record)) wrong.push(`${log.mutation}: ${log.engine} ${log.outcome} (${log.message}), dupwatch ${record.rule} for ${record.engine} by ${record.engine_from}`);
    }
    t.diagnostic(`${specs}: ${logs.length} logs, ${findings.length} findings, ${fatal} fatal runs that their engine rejects`);
    assert.deepEqual(wrong, [], `${wrong.length} false alarms`);
    assert.ok(fatal > 50, `${fatal} runs only`);
  }
});
