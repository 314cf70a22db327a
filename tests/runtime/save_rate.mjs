// How many runs quarantine saves: batches of runs of the real engine with dupwatch in remove mode and without, in turn.
//   node tests/runtime/save_rate.mjs [--batches N] [--runs N] [--seed N]
// Prints what tests/RESULTS.md shows. Every figure comes from SQL over the log and dupwatch.quarantine.
import { parseArgs } from 'node:util';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { Daemon, runCommand } from '../integration/daemon.mjs';
import { build, endOf, installed, pauses, startWorker } from './runtime.mjs';

const EVENTS = 'workflow.workflow_events';
const WORKERS = 3;
const LANES = 3;
const WORKFLOW = { count: 6, width: 6, ms: 20 };

/** mulberry32: the same pauses for the same seed. */
function prng(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Fatal is a row of a step behind the step's closing event by id; the rows in quarantine were in the log as well.
const FACTS = `
  WITH log AS (
    SELECT run_id, correlation_id, type::text AS type, id, false AS removed FROM ${EVENTS} WHERE run_id = ANY ($1)
    UNION ALL
    SELECT run_id, kept ->> 'correlation_id', kept ->> 'type', event_id, true FROM dupwatch.quarantine WHERE run_id = ANY ($1)
  ), closed AS (
    SELECT run_id, correlation_id, min(id COLLATE "C") AS id FROM log WHERE type IN ('step_completed', 'step_failed') GROUP BY 1, 2
  ), fatal AS (
    SELECT l.* FROM log l JOIN closed c USING (run_id, correlation_id)
    WHERE l.type IN ('step_created', 'step_started') AND l.id COLLATE "C" > c.id
  )
  SELECT r.id, r.status::text AS status, (SELECT count(*) FROM fatal f WHERE f.run_id = r.id)::int AS fatal,
         (SELECT count(*) FROM fatal f WHERE f.run_id = r.id AND f.type = 'step_created')::int AS created,
         (SELECT count(*) FROM fatal f WHERE f.run_id = r.id AND f.type = 'step_started')::int AS started,
         (SELECT count(*) FROM log l WHERE l.run_id = r.id AND l.removed)::int AS removed,
         (SELECT count(*) FROM log l WHERE l.run_id = r.id AND l.removed
            AND NOT EXISTS (SELECT FROM fatal f WHERE f.run_id = l.run_id AND f.id = l.id))::int AS wrong,
         (SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM log l WHERE l.run_id = r.id AND l.type = 'step_created'
            GROUP BY l.correlation_id) groups)::int AS duplicates
  FROM workflow.workflow_runs r WHERE r.id = ANY ($1)`;

const LATENCY = `
  SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - (finding #>> '{duplicate,commit_time}')::timestamptz) * 1000 AS ms
  FROM dupwatch.quarantine WHERE finding #>> '{duplicate,commit_time}' IS NOT NULL ORDER BY 1`;

/** Starts `runs` runs, so many at a time that their steps do not queue for longer than a pause lasts. */
async function batch(cluster, workers, runs, random) {
  const ids = [];
  let next = 0;
  const lane = async () => {
    while (next < runs) {
      const worker = workers[next % workers.length];
      next += 1;
      // Now and then the engine itself refuses a start while a process is paused; that run does not count.
      const id = await worker.start(WORKFLOW).catch(() => undefined);
      if (!id) continue;
      ids.push(id);
      await endOf(cluster, [id], 60_000);
    }
  };
  const end = pauses(workers, random);
  try {
    await Promise.all(Array.from({ length: LANES }, lane));
  } finally {
    await end();
  }
  await endOf(cluster, ids, 30_000); // With nobody paused, what hangs hangs.
  return cluster.query(FACTS, [ids]);
}

const sum = (rows, pick) => rows.reduce((total, row) => total + Number(pick(row)), 0);

function report(name, rows) {
  const hit = rows.filter(({ fatal }) => fatal > 0);
  return {
    name,
    runs: rows.length,
    duplicates: sum(rows, (row) => row.duplicates),
    fatal_created: sum(rows, (row) => row.created),
    fatal_started: sum(rows, (row) => row.started),
    runs_hit: hit.length,
    completed: rows.filter(({ status }) => status === 'completed').length,
    failed: rows.filter(({ status }) => status === 'failed').length,
    unfinished: rows.filter(({ status }) => !['completed', 'failed'].includes(status)).length,
    hit_and_completed: hit.filter(({ status }) => status === 'completed').length,
    failed_without_fatal_row: rows.filter(({ status, fatal }) => status === 'failed' && fatal === 0).length,
    removed: sum(rows, (row) => row.removed),
    wrongly_removed: sum(rows, (row) => row.wrong),
  };
}

const quantile = (sorted, q) => (sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : undefined);

export async function saveRate({ batches, runs, seed, say = () => {} }) {
  build();
  const random = prng(seed);
  const cluster = await createCluster({ settings: { track_commit_timestamp: 'on' } });
  const workers = [];
  let daemon;
  try {
    await installSchema('4.1.1', cluster.uri());
    daemon = new Daemon(cluster, { quarantine: { mode: 'remove', max_per_minute: 10_000, max_per_hour: 100_000, max_per_run: 1000 } });
    const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
    await cluster.query(setup.stdout);
    for (let i = 0; i < WORKERS; i += 1) workers.push(await startWorker(cluster.uri()));
    const treated = [];
    const untreated = [];
    let outcomes;
    for (let i = 0; i < batches; i += 1) {
      untreated.push(...await batch(cluster, workers, runs, random));
      say(`${JSON.stringify(report('untreated', untreated))}`);
      await daemon.start();
      await daemon.caughtUp();
      treated.push(...await batch(cluster, workers, runs, random));
      const { quarantine } = await daemon.status();
      outcomes = Object.fromEntries(Object.entries(quarantine).map(([key, value]) => [key, typeof value === 'number' ? value + (outcomes?.[key] ?? 0) : value]));
      await daemon.stop();
      say(`${JSON.stringify(report('treated', treated))}`);
    }
    const latencies = (await cluster.query(LATENCY)).map(({ ms }) => Number(ms));
    return {
      untreated: report('untreated', untreated), treated: report('treated', treated), outcomes,
      latency_ms: { count: latencies.length, p50: quantile(latencies, 0.5), p90: quantile(latencies, 0.9), p99: quantile(latencies, 0.99), max: latencies.at(-1) },
      crashed: workers.filter(({ ended }) => ended).length,
    };
  } finally {
    for (const worker of workers) worker.kill();
    await daemon?.destroy();
    await cluster.destroy();
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  if (!installed()) throw new Error('run npm ci in tests/runtime/4.2.4 first');
  const { values } = parseArgs({ options: { batches: { type: 'string', default: '5' }, runs: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } } });
  const result = await saveRate({ batches: Number(values.batches), runs: Number(values.runs), seed: Number(values.seed), say: (text) => console.error(text) });
  console.log(JSON.stringify(result, undefined, 2));
}
