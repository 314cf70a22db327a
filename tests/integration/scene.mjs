// What most integration tests begin with: a server with the event log's schema, a daemon, writers, and the verdict.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createCluster } from '../postgres/cluster.mjs';
import { schemaOf } from '../writers/install_schema.mjs';
import { Daemon, runCommand } from './daemon.mjs';
import { compare, describe, latestFindings } from './ground_truth.mjs';

export const EVENTS = 'workflow.workflow_events';

/** True in ./test --full: the long proofs. */
export const full = Boolean(process.env.DUPWATCH_FULL);

/** A cluster with the schema of one package version, removed at the end of test `t`. */
export async function serverWithSchema(t, { world = '4.1.1', ...options } = {}) {
  const cluster = await createCluster({ ...options, content: world ? schemaOf(world) : undefined });
  t.after(() => cluster.destroy());
  return cluster;
}

/**
 * A daemon over the cluster, not started yet, removed at the end of `t`. For pgoutput the SQL that the daemon itself
 * prints makes the publication.
 */
export async function daemonFor(t, cluster, config = {}) {
  const daemon = new Daemon(cluster, config);
  t.after(() => daemon.destroy());
  if (daemon.config.slot.plugin === 'pgoutput') await runSetup(cluster, daemon);
  return daemon;
}

/** Runs the SQL of `dupwatch setup --print-sql` as the superuser. */
export async function runSetup(cluster, daemon) {
  const setup = await runCommand(['setup', '--print-sql', '--config', daemon.configFile]);
  assert.equal(setup.code, 0, setup.stderr);
  await cluster.query(setup.stdout);
}

/** Starts writers; `ended` resolves their summary, `stop()` asks them to end and does the same. */
export function startRace(cluster, options = {}) {
  const race = fileURLToPath(new URL('../writers/race.mjs', import.meta.url));
  const args = Object.entries({ dsn: cluster.uri(), ...options })
    .flatMap(([key, value]) => (value === true ? [`--${key}`] : [`--${key}`, String(value)]));
  const child = spawn(process.execPath, [race, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data) => { output += data; });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(JSON.parse(output)) : reject(new Error(`writers ended with ${code}: ${output}`))));
  });
  ended.catch(() => {}); // Reported to whoever awaits it.
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { ended, stop };
}

/** Runs writers to their end and returns their summary. */
export const race = (cluster, options) => startRace(cluster, options).ended;

/** Judges the daemon's findings file against the table; at least `atLeast` findings, or the test proves nothing. */
export async function assertTruth(daemon, { atLeast = 1, caughtUp = true, timeoutMs = 60_000, ...options } = {}) {
  if (caughtUp) await daemon.caughtUp(timeoutMs);
  const client = await daemon.cluster.client();
  try {
    const result = await compare(daemon.findingsFile, client, options);
    assert.ok(result.ok, `${describe(result)}\n${daemon.tail(10)}`);
    assert.ok(result.expected >= atLeast, `the table calls for only ${result.expected} findings, wanted ${atLeast}`);
    return result;
  } finally {
    await client.end();
  }
}

/** How many lines the findings file has, and how many findings they are about. */
export function findingCounts(daemon) {
  const text = fs.existsSync(daemon.findingsFile) ? fs.readFileSync(daemon.findingsFile, 'utf8') : '';
  return { lines: text.split('\n').filter(Boolean).length, findings: latestFindings(daemon.findingsFile).length };
}

let counter = 0;

/** An id in the shape the package gives (prefix + 26 characters) that sorts by `order`, then by time of the call. */
export function eventId(order = 0, prefix = 'wevt') {
  counter += 1;
  return `${prefix}_01K${String(order).padStart(11, '0')}${String(counter).padStart(12, '0')}`;
}

/** Inserts events as given ({run, type, correlation, id}) in one statement, so in one transaction; returns the ids. */
export async function insertEvents(cluster, events) {
  const rows = events.map(({ run, type, correlation = null, id = eventId() }) => ({ run, type, correlation, id }));
  await cluster.query(
    `INSERT INTO ${EVENTS} (run_id, type, correlation_id, id)
     SELECT run, type, correlation, id FROM jsonb_to_recordset($1::jsonb) AS rows(run text, type text, correlation text, id text)`,
    [JSON.stringify(rows)],
  );
  return rows.map((row) => row.id);
}

export async function slots(cluster) {
  return cluster.query('SELECT slot_name, plugin, active, active_pid, temporary, confirmed_flush_lsn, restart_lsn FROM pg_replication_slots');
}
