// What the tests of many acts of the quarantine begin with.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { binary, runCommand } from './daemon.mjs';
import { daemonFor, EVENTS, eventId, insertEvents, serverWithSchema } from './scene.mjs';

export const ROLE = 'keeper';

/** A server whose role ROLE has exactly the rights that `setup --print-sql --quarantine` gives, and a scratch folder. */
export async function scene(t, options) {
  const cluster = await serverWithSchema(t, options);
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: ROLE }) } });
  const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
  await cluster.query(setup.stdout);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-batch-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = (text, name = 'audit.jsonl') => {
    fs.writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  return { cluster, file };
}

export const command = (cluster, args, user = ROLE) => ['quarantine', ...args, '--json', '--dsn', cluster.dsn({ user })];

export async function quarantine(cluster, args, user) {
  return withRecords(await runCommand(command(cluster, args, user)));
}

export function withRecords(ended) {
  const records = ended.stdout.split('\n').filter(Boolean).map((text) => JSON.parse(text));
  return { ...ended, acts: records.filter(({ event }) => event === 'act'), summary: records.find(({ event }) => event === 'apply_summary'), answer: records.at(-1) };
}

/** apply --from-audit as a child: {child, ended, until(reached)}; `reached` is asked with the lines so far. */
export function startApply(cluster, args) {
  const child = spawn(binary(), command(cluster, ['apply', ...args]), { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => { stdout += data; });
  child.stderr.on('data', (data) => { stderr += data; });
  const ended = new Promise((resolve) => { child.on('close', (code, signal) => resolve({ code, signal, stderr, stdout })); });
  /** Until `reached()`; a child that ends before fails the test. */
  const until = async (reached) => {
    while (!(await reached(stdout.split('\n').length - 1))) {
      assert.equal(child.exitCode, null, `ended early: ${stdout}${stderr}`);
      await sleep(5);
    }
  };
  return { child, ended, until };
}

/** Every row of the log with every column, as the types' own output functions write them. */
export const wholeLog = (cluster) => cluster.query(`SELECT id, run_id, md5(record_send(e)) AS bytes FROM ${EVENTS} e ORDER BY run_id, id`);
export const entries = (cluster) => cluster.query('SELECT id, run_id, event_id FROM dupwatch.quarantine WHERE restored_at IS NULL ORDER BY id');
export const keyOf = ({ run_id: run, id, event_id: event }) => `${run} ${event ?? id}`;

/** A run with one fatal step_created. */
async function fatalRun(cluster, number) {
  const run = `wrun_01KQ3V6T0A7M2N5P8R1S4V${String(number).padStart(4, '0')}`;
  const step = `step_01KQ3V6T0BYD5Q8WEHZ3KT${String(number).padStart(4, '0')}`;
  const events = [['run_created', null], ['step_created', step], ['step_started', step], ['step_completed', step], ['step_created', step]];
  const ids = await insertEvents(cluster, events.map(([type, correlation], order) => ({ run, type, correlation, id: eventId(order) })));
  return { run, ids, duplicate: ids.at(-1) };
}

export async function fatalRuns(cluster, count) {
  const runs = [];
  for (let i = 0; i < count; i += 1) runs.push(await fatalRun(cluster, i));
  return runs;
}
