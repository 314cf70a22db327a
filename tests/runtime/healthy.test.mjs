// Ten minutes of a healthy installation, two processes of the real engine whose log refuses a second row: nothing is found but in runs
// that the engine itself gave up, no step is called repeated that was not, and of the shipped alert rules none fires or waits, but the one
// about repeated work where there was some and those about a run that was lost.
//   DUPWATCH_FULL=1 node --test tests/runtime/healthy.test.mjs
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Prometheus, slotExporter, until } from '../alerts/monitoring.mjs';
import { latestFindings } from '../integration/ground_truth.mjs';
import { daemonFor, full, serverWithSchema } from '../integration/scene.mjs';
import { freePort } from '../postgres/cluster.mjs';
import { traced } from './repeated.mjs';
import { build, endOf, startWorker } from './runtime.mjs';

const MINUTES = Number(process.env.DUPWATCH_HEALTHY_MINUTES ?? 10);
const PROCESSES = 2;
const LANES = 1;
const PAUSE_MS = 1000;
const rules = Object.fromEntries(['dupwatch.rules.yml', 'slots.rules.yml'].map((name) => [name, fs.readFileSync(fileURLToPath(new URL(`../../alerts/${name}`, import.meta.url)), 'utf8')]));

/** Runs of every workflow, one after the other in each lane, until `deadline`; run -> status. */
async function load(cluster, workers, file, deadline) {
  const ended = new Map();
  let next = 0;
  const shapes = [
    () => ({ name: 'effects', args: [3, 3, 20, file] }),
    () => ({ name: 'rounds', args: [3, 4, 20] }),
    () => ({ name: 'sleeper', args: [1500] }),
    (token) => ({ name: 'parked', args: [token, 20], token }),
  ];
  await Promise.all(Array.from({ length: LANES }, async () => {
    while (Date.now() < deadline) {
      const [worker, resumer] = [workers[next % workers.length], workers[(next + 1) % workers.length]];
      const { name, args, token } = shapes[next % shapes.length](`token-${next}`);
      next += 1;
      const id = await worker.start(name, args);
      if (!id) continue;
      if (token) {
        await until('the hook', async () => (await cluster.query('SELECT FROM workflow.workflow_hooks WHERE run_id = $1', [id])).length === 1);
        await resumer.resume(token, { more: 1 });
      }
      for (const [run, status] of await endOf(cluster, [id], 60_000)) ended.set(run, status);
      await sleep(PAUSE_MS);
    }
  }));
  return ended;
}

test('a healthy installation of 4.3.7', { skip: !full && 'takes ten minutes: ./test --full', timeout: (MINUTES + 10) * 60_000 }, async (t) => {
  build('4.8.9');
  const cluster = await serverWithSchema(t, { world: '4.3.7' });
  const listen = `127.0.0.1:${await freePort()}`;
  const daemon = await daemonFor(t, cluster, { http: { listen } });
  await daemon.start();
  const prometheus = await Prometheus.start(t, { jobs: { dupwatch: listen, postgres: await slotExporter(t, cluster) }, rules });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-healthy-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'effects.jsonl');
  fs.writeFileSync(file, '');
  const workers = [];
  t.after(() => workers.forEach((worker) => worker.kill()));
  for (let i = 0; i < PROCESSES; i += 1) workers.push(await startWorker('4.8.9', cluster.uri()));

  const began = Date.now();
  const ended = await load(cluster, workers, file, began + MINUTES * 60_000);
  await daemon.caughtUp();
  const seconds = Math.ceil((Date.now() - began) / 1000);
  const alerts = await prometheus.range('ALERTS', seconds, 5);
  const events = await daemon.metric('dupwatch_events_received_total');
  const { traces, steps } = await traced(cluster, file);
  const repeated = new Set(steps.filter(({ again }) => again > 0).map(({ step }) => step));
  const told = new Set(daemon.lines.filter(({ event }) => event === 'repeated_work').map(({ correlation_id: step }) => step));
  t.diagnostic(`${seconds} s, ${ended.size} runs, ${events} events; of ${steps.length} traced steps ${repeated.size} were done twice, ${traces.length} bodies; ${told.size} steps told`);

  assert.ok(ended.size >= MINUTES * 20, `${ended.size} runs are too few to prove anything`);
  // On a slow machine both processes take up a step now and then, and a replay loses its bet on time: what is told must be just that.
  const failed = [...ended].filter(([, status]) => status !== 'completed').map(([run]) => run);
  if (failed.length > 0) t.diagnostic(`failed by themselves: ${JSON.stringify(await cluster.query('SELECT id, error FROM workflow.workflow_runs WHERE id = ANY ($1)', [failed]))}`);
  const findings = latestFindings(daemon.findingsFile);
  t.diagnostic(`findings: ${JSON.stringify(findings.map(({ rule, severity, run_id: run, type }) => `${severity} ${rule} ${type} ${run}`))}`);
  assert.deepEqual(findings.filter(({ run_id: run }) => !failed.includes(run)), []);
  assert.deepEqual(steps.filter(({ step, again }) => told.has(step) && again === 0), []);
  const waiting = alerts.map(({ metric }) => `${metric.alertname} ${metric.alertstate}`);
  if (failed.length === 0) assert.deepEqual(waiting.filter((alert) => repeated.size === 0 || alert !== 'DupwatchRepeatedWork pending'), []);
  else t.diagnostic(`alerts: ${waiting.join(', ')}`);
  // A rule that was not evaluated would be silent too.
  const evaluated = (await prometheus.api('rules')).groups.flatMap(({ rules: loaded }) => loaded);
  assert.deepEqual(evaluated.filter(({ health }) => health !== 'ok'), []);
  assert.ok(evaluated.length > 20, `${evaluated.length} rules`);
});
