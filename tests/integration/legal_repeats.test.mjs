// What healthy runs repeat must never give a finding: attempts, deliveries to a hook, a second cancellation, attributes
// without a correlation id. The logs are the real engines' own, multiplied with fresh ids (tests/engines/million.mjs).
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { createCluster } from '../postgres/cluster.mjs';
import { runCommand } from './daemon.mjs';
import { daemonFor, full } from './scene.mjs';

const engines = fileURLToPath(new URL('../engines/', import.meta.url));
const EVENTS = full ? 1_000_000 : 60_000;
// 31 characters a row and id; the whole file in one COPY, which is one transaction.
const TABLE = `CREATE SCHEMA workflow; CREATE TABLE workflow.workflow_events (run_id varchar NOT NULL, id varchar NOT NULL,
  type varchar NOT NULL, correlation_id varchar, PRIMARY KEY (run_id, id))`;

function psqlCopy(cluster, file) {
  return new Promise((resolve, reject) => {
    const child = spawn('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', cluster.uri(), '-c',
      'COPY workflow.workflow_events (run_id, id, type, correlation_id) FROM STDIN (FORMAT csv)'],
    { stdio: [fs.openSync(file, 'r'), 'inherit', 'inherit'] });
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`psql ended with ${code}`))));
  });
}

test(`${EVENTS} events of healthy runs give no finding`, async (t) => {
  if (!fs.existsSync(path.join(engines, '4.8.9', 'node_modules'))) {
    t.skip('the engines are not installed (./test installs them)');
    return;
  }
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-legal-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'events.csv');
  execFileSync(process.execPath, [path.join(engines, 'million.mjs'), '--out', file, '--events', String(EVENTS), '--scheme', 'both'],
    { stdio: ['ignore', 'ignore', 'inherit'] });
  const cluster = await createCluster();
  t.after(() => cluster.destroy());
  await cluster.query(TABLE);
  const daemons = [];
  for (const plugin of ['wal2json', 'pgoutput']) {
    const daemon = await daemonFor(t, cluster, { slot: { name: `legal_${plugin}`, plugin } });
    await daemon.start();
    daemons.push(daemon);
  }
  await psqlCopy(cluster, file);
  const [repeated] = await cluster.query(`SELECT count(*) FROM (SELECT FROM workflow.workflow_events
    GROUP BY run_id, correlation_id, type HAVING count(*) > 1) repeats`);
  t.diagnostic(`${repeated.count} identities with more than one row, all of them legal`);
  assert.ok(Number(repeated.count) > EVENTS / 100, 'the logs repeat too little to prove anything');
  await cluster.query('ANALYZE workflow.workflow_events');
  const audit = await runCommand(['audit', '--dsn', cluster.uri(), '--format', 'json'], { timeoutMs: 300_000 });
  assert.equal(audit.code, 0, audit.stdout.slice(0, 2000) + audit.stderr);
  const summary = JSON.parse(audit.stdout.trim().split('\n').at(-1));
  assert.ok(summary.complete && summary.findings === 0 && summary.rows >= EVENTS, audit.stdout);
  for (const daemon of daemons) {
    await daemon.caughtUp(300_000);
    assert.deepEqual(fs.existsSync(daemon.findingsFile) ? fs.readFileSync(daemon.findingsFile, 'utf8') : '', '');
  }
});
