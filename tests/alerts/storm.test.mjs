// A storm: 1,000 fatal findings at once, quarantine at its limit, and the person on call is told once by each alert.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../integration/daemon.mjs';
import { daemonFor, EVENTS, full, serverWithSchema } from '../integration/scene.mjs';
import { freePort } from '../postgres/cluster.mjs';
import { exampleFor, Prometheus, receiver, startAlertmanager, until } from './monitoring.mjs';

const RUNS = 1000;
const QUIET = 60; // seconds in which nothing more may come: far more than group_wait, scrape and evaluation

/** One event of `type` in each run, at `place` of its order. */
const inEach = (cluster, place, type) => cluster.query(
  `INSERT INTO ${EVENTS} (run_id, type, correlation_id, id)
   SELECT 'wrun_' || run, $2::text, CASE WHEN $2::text LIKE 'step%' THEN 'step_' || run END, 'wevt_01K' || lpad(run::text, 11, '0') || lpad($1::int::text, 12, '0')
   FROM generate_series(1, ${RUNS}) run`, [place, type]);

test('a storm of fatal findings pages once, and so does the circuit that it opens', { skip: !full && 'a long proof', timeout: 600_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const listen = `127.0.0.1:${await freePort()}`;
  const daemon = await daemonFor(t, cluster, { http: { listen }, quarantine: { mode: 'remove' } });
  const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
  await cluster.query(setup.stdout);
  await daemon.start();
  const webhook = await receiver(t);
  const alertmanager = await startAlertmanager(t, exampleFor(webhook.address));
  const rules = { 'dupwatch.rules.yml': fs.readFileSync(new URL('../../alerts/dupwatch.rules.yml', import.meta.url), 'utf8') };
  const prometheus = await Prometheus.start(t, { jobs: { dupwatch: listen }, rules, alertmanager });
  for (const [place, type] of ['run_created', 'step_created', 'step_started', 'step_completed'].entries()) await inEach(cluster, place, type);
  await daemon.caughtUp();
  await until('two scrapes', async () => (await prometheus.query('count_over_time(dupwatch_ready[1m])'))[0]?.value[1] >= 2);

  await inEach(cluster, 9, 'step_created');
  const committed = Date.now();
  const pages = () => webhook.received.filter(({ path }) => path === '/pager');
  const named = (name) => pages().filter(({ alerts }) => alerts.some(({ labels }) => labels.alertname === name));
  const first = await until('the page', () => named('DupwatchFatalFindings')[0]);
  const circuit = await until('the page of the circuit', () => named('DupwatchQuarantineTripped')[0]);
  await until('all findings', async () => (await daemon.metric('dupwatch_findings_total{rule="duplicate_created",severity="fatal",origin="stream"')) === RUNS);
  await sleep(QUIET * 1000);

  const told = pages().map(({ status, alerts }) => `${status}: ${alerts.map(({ labels }) => labels.alertname).join(', ')}`);
  t.diagnostic(`${RUNS} fatal findings: ${(first.at - committed)} ms from the commit to the page, ${circuit.at - committed} ms to that of the circuit; the pager had ${told.length} messages: ${told.join('; ')}`);
  assert.deepEqual(told.sort(), ['DupwatchFatalBurst', 'DupwatchFatalFindings', 'DupwatchQuarantineTripped'].map((name) => `firing: ${name}`));
  const [{ labels, annotations }] = first.alerts;
  assert.equal(labels.rule, 'duplicate_created');
  t.diagnostic(annotations.description);
  assert.ok(Number(/^\d+/.exec(annotations.description)[0]) > 500, annotations.description);
  assert.match(circuit.alerts[0].annotations.description, /dupwatch quarantine status/);
  const { removed, refused, state } = (await daemon.status()).quarantine;
  assert.deepEqual([state, removed, removed + refused], ['tripped', 20, RUNS]);
  const [{ count }] = await cluster.query(`SELECT count(*)::int FROM ${EVENTS}`);
  assert.equal(count, 5 * RUNS - removed);
});
