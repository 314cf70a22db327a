// What of repeated work dupwatch sees: runs of the real engine, three processes that are stopped and woken, and step bodies that leave a
// trace in a table of their own. A step was repeated when its body was begun for the second
// time before a first retry was recorded, for the third before a second, and so on.
//   node tests/runtime/repeated.mjs [--version 4.2.4] [--runs N] [--seed N] [--quiet]
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Daemon } from '../integration/daemon.mjs';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { build, endOf, prng, raced, startWorker } from './runtime.mjs';

/** The world that each version of workflow comes with. */
export const WORLDS = { '4.2.4': '4.1.1', '4.8.9': '4.3.7' };
const WORKERS = 3;
const SHAPE = { name: 'effects', args: (file) => [4, 6, 20, file] };

// By what the traces say, and by what the log says; what is not in the log can't be seen.
const TRUTH = `
  WITH traces AS (SELECT step, pid, at, row_number() OVER (PARTITION BY step ORDER BY at) AS n FROM public.effects),
  retries AS (SELECT correlation_id AS step, extract(epoch FROM created_at AT TIME ZONE current_setting('TimeZone')) * 1000 AS at,
      row_number() OVER (PARTITION BY correlation_id ORDER BY created_at) AS n FROM workflow.workflow_events WHERE type = 'step_retrying'),
  starts AS (SELECT correlation_id AS step, count(*)::int AS starts FROM workflow.workflow_events WHERE type = 'step_started' GROUP BY 1)
  SELECT step, count(*)::int AS bodies, count(DISTINCT pid)::int AS processes, max(coalesce(starts, 0)) AS starts,
      (SELECT count(*)::int FROM retries r WHERE r.step = t.step) AS retries,
      count(*) FILTER (WHERE n > 1 AND NOT EXISTS (SELECT FROM retries r WHERE r.step = t.step AND r.n = t.n - 1 AND r.at <= t.at))::int AS again
  FROM traces t LEFT JOIN starts USING (step) GROUP BY step`;

/** What the bodies of `effects` left in `file`: all traces, and {step, bodies, processes, starts, retries, again} of each step. */
export async function traced(cluster, file) {
  const traces = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  await cluster.query('CREATE TABLE public.effects (step text, pid int, at float8)');
  await cluster.query('INSERT INTO public.effects SELECT step, pid, at FROM jsonb_to_recordset($1::jsonb) AS t(step text, pid int, at float8)', [JSON.stringify(traces)]);
  return { traces, steps: await cluster.query(TRUTH) };
}

/** {version, steps, repeated, told, right, missed} of `runs` runs; `quiet`: nobody is stopped. */
export async function repeatedWork({ version, runs, seed, quiet = false, plugin = 'wal2json' }) {
  build(version);
  const cluster = await createCluster();
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-effects-')), 'effects.jsonl');
  fs.writeFileSync(file, '');
  const workers = [];
  let daemon;
  try {
    await installSchema(WORLDS[version], cluster.uri());
    if (!process.env.DUPWATCH_NO_DAEMON) {
      daemon = new Daemon(cluster, { slot: { plugin } });
      await daemon.start();
    }
    for (let i = 0; i < WORKERS; i += 1) workers.push(await startWorker(version, cluster.uri()));
    const shape = { name: SHAPE.name, args: SHAPE.args(file) };
    const ids = quiet ? await calm(cluster, workers, runs, shape) : await raced(cluster, workers, runs, prng(seed), shape);
    await daemon?.caughtUp();
    const { traces, steps } = await traced(cluster, file);
    const told = daemon ? new Set(daemon.lines.filter(({ event }) => event === 'repeated_work').map(({ correlation_id: step }) => step))
      : new Set(steps.filter(({ starts, retries }) => starts > retries + 1).map(({ step }) => step));
    const repeated = steps.filter(({ again }) => again > 0);
    return {
      version, runs: ids.length, steps: steps.length, bodies: traces.length, repeated: repeated.length, told: told.size,
      right: repeated.filter(({ step }) => told.has(step)).length,
      /** Told, and each body but the first had its retry. */
      false_: steps.filter(({ step, again }) => told.has(step) && again === 0),
      missed: repeated.filter(({ step }) => !told.has(step)),
      two_processes: repeated.filter(({ processes }) => processes > 1).length,
      counted: await daemon?.metric('dupwatch_repeated_work_total'),
      crashed: workers.filter(({ ended }) => ended).length,
    };
  } finally {
    for (const worker of workers) worker.kill();
    await daemon?.destroy();
    await cluster.destroy();
    fs.rmSync(path.dirname(file), { recursive: true, force: true });
  }
}

/** The same runs one after the other, nobody stopped. */
async function calm(cluster, workers, runs, { name, args }) {
  const ids = [];
  for (let i = 0; i < runs; i += 1) {
    const id = await workers[i % workers.length].start(name, args);
    if (!id) continue;
    ids.push(id);
    await endOf(cluster, [id], 60_000);
  }
  return ids;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { values } = parseArgs({ options: { version: { type: 'string', default: '4.2.4' }, runs: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' }, quiet: { type: 'boolean' } } });
  console.log(JSON.stringify(await repeatedWork({ version: values.version, runs: Number(values.runs), seed: Number(values.seed), quiet: values.quiet }), undefined, 1));
}
