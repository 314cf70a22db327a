// What `dupwatch quarantine apply` makes of damaged logs, by the word of the real engines: each log is replayed as it was,
// and again without the rows that were taken out of the table.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { replayAll } from '../engines/replay.mjs';
import { shapeLogs } from '../engines/shapes.mjs';
import { runId } from './audit_shapes.mjs';
import { audit } from './audit_truth.mjs';
import { runCommand } from './daemon.mjs';
import { daemonFor, EVENTS, full, insertEvents, serverWithSchema } from './scene.mjs';

const ROLE = 'keeper';
const installed = (version) => fs.existsSync(new URL(`../engines/${version}/node_modules`, import.meta.url));

/** The logs go into the table, each under a run id of its own, and every fatal finding is applied. */
async function cure(cluster, logs) {
  const runs = logs.map((_, number) => runId(number));
  for (const [number, { log }] of logs.entries()) {
    await insertEvents(cluster, log.events.map(({ id, type, corr }) => ({ run: runs[number], id, type, correlation: corr ?? null })));
  }
  const refused = new Map();
  const fatal = (await audit(cluster)).findings.filter(({ severity }) => severity === 'fatal');
  for (const { run_id: run, finding_id: finding } of fatal) {
    const { code, stdout, stderr } = await runCommand(['quarantine', 'apply', run, finding, '--yes', '--json', '--dsn', cluster.dsn({ user: ROLE })]);
    if (code === 1) refused.set(run, JSON.parse(stdout).reason);
    else assert.ok(code === 0 || /no such finding/.test(stderr), stderr);
  }
  const left = new Map(runs.map((run) => [run, new Set()]));
  for (const { run_id: run, id } of await cluster.query(`SELECT run_id, id FROM ${EVENTS}`)) left.get(run).add(id);
  return logs.map(({ name, log }, number) => {
    const events = log.events.filter(({ id }) => left.get(runs[number]).has(id));
    return { name, removed: log.events.length - events.length, refused: refused.get(runs[number]), log: { ...log, events } };
  });
}

for (const version of ['4.2.4', '4.8.9']) {
  const skip = !full ? 'only in ./test --full' : !installed(version) && 'the engine is not installed (./test installs it)';
  test(`${version}: a log replays once its fatal rows are taken out`, { skip }, async (t) => {
    const cluster = await serverWithSchema(t);
    await cluster.query(`ALTER TABLE ${EVENTS} DROP CONSTRAINT workflow_events_pkey; ALTER TABLE ${EVENTS} ADD PRIMARY KEY (run_id, id)`);
    const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: ROLE }) } });
    const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
    await cluster.query(setup.stdout);
    const logs = await shapeLogs(version);
    const cured = await cure(cluster, logs);
    const before = await replayAll(version, logs.map(({ log }) => log));
    const after = await replayAll(version, cured.map(({ log }) => log));
    const touched = cured.map((cure, i) => ({ ...cure, before: before[i].outcome, after: after[i].outcome, message: after[i].message }))
      .filter(({ removed }) => removed > 0);
    const healed = touched.filter((log) => log.before === 'fatal' && log.after === 'ok');
    t.diagnostic(`${logs.length} logs, ${before.filter(({ outcome }) => outcome === 'fatal').length} fatal; rows taken out of ${touched.length}, ${healed.length} healed`);
    for (const log of touched.filter((other) => !healed.includes(other))) {
      t.diagnostic(`  ${log.before} -> ${log.after} (${log.message}): ${log.name}${log.refused ? `; another row was refused: ${log.refused}` : ''}`);
    }
    assert.ok(healed.length >= 8, `only ${healed.length}`);
    assert.deepEqual(touched.filter((log) => log.before === 'ok' && log.after !== 'ok').map(({ name }) => name), [], 'a removal must not break a log');
    assert.deepEqual(touched.filter((log) => log.after === 'fatal' && !log.refused).map(({ name }) => name), [], 'what is left of a log must have a reason');
  });
}
