// How long a run lives on with a fatal row in its log, and how many runs quarantine saves in that time: rows written by hand
// behind the closing event of a step, with dupwatch in remove mode and without, in turn.
//   node tests/runtime/recovery.mjs [--version 4.8.9] [--batches N] [--runs N] [--seed N]
// The shapes are those that get past the unique index of later versions: a second step_started, a second step_completed.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Random, ulid } from '../engines/ids.mjs';
import { Daemon, runCommand } from '../integration/daemon.mjs';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { factsOf, removalLatency, report, spread } from './facts.mjs';
import { build, endOf, installed, startWorker } from './runtime.mjs';

/** The version of the engine -> of its world-postgres. */
export const WORLDS = { '4.2.4': '4.1.1', '4.8.9': '4.3.7' };

const EVENTS = 'workflow.workflow_events';
const WORKERS = 2;
const LANES = 2;

/** A copy of the step's row of `type`, with an id of this moment, so behind everything that is there. */
const STRIKE = `
  INSERT INTO ${EVENTS} (id, run_id, type, correlation_id, payload, payload_cbor, spec_version)
  SELECT $1, run_id, type, correlation_id, payload, payload_cbor, spec_version FROM ${EVENTS}
  WHERE run_id = $2 AND correlation_id = $3 AND type::text = $4 ORDER BY id LIMIT 1`;
/** Commit of the row -> commit of run_failed. */
const LIFE = `
  SELECT extract(epoch FROM pg_xact_commit_timestamp(f.xmin) - pg_xact_commit_timestamp(s.xmin)) * 1000 AS ms
  FROM ${EVENTS} s JOIN ${EVENTS} f ON f.run_id = s.run_id AND f.type = 'run_failed'
  WHERE s.id = ANY ($1) ORDER BY 1`;

/** The step of the `nth` row of `type`, when it is there; undefined when the run has died before, as runs of 4.2.4 do unaided. */
async function nthRow(client, run, type, nth) {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(5)) {
    const { rows } = await client.query(`SELECT correlation_id, type::text AS type FROM ${EVENTS} WHERE run_id = $1 AND type::text IN ($2, 'run_failed') ORDER BY id`, [run, type]);
    if (rows.at(-1)?.type === 'run_failed') return undefined;
    if (rows.length > nth) return rows[nth].correlation_id;
  }
  throw new Error(`run ${run} has no ${type} number ${nth}`);
}

/**
 * Two kinds of runs: one of many steps that is struck in the midst of them, and one that is struck while it waits for a
 * hook and resumed at once. `strike(run, step)` writes the row.
 */
const KINDS = {
  async running(client, worker, random, strike) {
    const run = await worker.start('rounds', [6, 6, 20]);
    const step = run && await nthRow(client, run, 'step_completed', random.between(2, 20));
    if (step) await strike(run, step);
    return run;
  },
  async parked(client, worker, random, strike) {
    const token = `token-${random.uint32()}`;
    const run = await worker.start('parked', [token, 10]);
    if (!run) return undefined;
    await nthRow(client, run, 'hook_created', 0);
    await strike(run, await nthRow(client, run, 'step_completed', 0));
    await worker.resume(token, { more: 1 });
    return run;
  },
};

/** `runs` runs of each kind and shape; {runs, rows: the ids of the rows written, by kind}. */
async function batch(cluster, workers, runs, random) {
  const all = { runs: [], rows: { running: [], parked: [] } };
  const plan = Array.from({ length: runs }, () => Object.keys(KINDS).flatMap((kind) => ['step_started', 'step_completed'].map((type) => ({ kind, type })))).flat();
  const lane = async (number) => {
    const client = await cluster.client();
    for (let i = number; i < plan.length; i += LANES) {
      const { kind, type } = plan[i];
      const run = await KINDS[kind](client, workers[i % workers.length], random, async (id, step) => {
        const row = `wevt_${ulid(Date.now(), random)}`;
        await client.query(STRIKE, [row, id, step, type]);
        all.rows[kind].push(row);
      });
      if (!run) continue;
      all.runs.push(run);
      await endOf(cluster, [run], 60_000);
    }
    await client.end();
  };
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
  return all;
}

export async function recovery({ version, batches, runs, seed, say = () => {} }) {
  build(version);
  const random = new Random(seed);
  const cluster = await createCluster({ settings: { track_commit_timestamp: 'on' } });
  const workers = [];
  let daemon;
  try {
    await installSchema(WORLDS[version], cluster.uri());
    daemon = new Daemon(cluster, { quarantine: { mode: 'remove', max_per_minute: 10_000, max_per_hour: 100_000, max_per_run: 1000 } });
    await cluster.query((await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile])).stdout);
    for (let i = 0; i < WORKERS; i += 1) workers.push(await startWorker(version, cluster.uri()));
    const treated = [];
    const untreated = [];
    const struck = { running: [], parked: [] };
    for (let i = 0; i < batches; i += 1) {
      const bare = await batch(cluster, workers, runs, random);
      untreated.push(...await factsOf(cluster, bare.runs));
      for (const kind of Object.keys(KINDS)) struck[kind].push(...bare.rows[kind]);
      say(JSON.stringify(report('untreated', untreated)));
      await daemon.start();
      await daemon.caughtUp();
      treated.push(...await factsOf(cluster, (await batch(cluster, workers, runs, random)).runs));
      await daemon.stop();
      say(JSON.stringify(report('treated', treated)));
    }
    const life = async (rows) => spread(await cluster.query(LIFE, [rows]));
    return {
      version, untreated: report('untreated', untreated), treated: report('treated', treated),
      life_ms: { running: await life(struck.running), parked: await life(struck.parked) }, latency_ms: await removalLatency(cluster),
      crashed: workers.filter(({ ended }) => ended).length,
    };
  } finally {
    for (const worker of workers) worker.kill();
    await daemon?.destroy();
    await cluster.destroy();
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { values } = parseArgs({ options: { version: { type: 'string', default: '4.8.9' }, batches: { type: 'string', default: '5' }, runs: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } } });
  if (!installed(values.version)) throw new Error(`run npm ci in tests/runtime/${values.version} first`);
  const result = await recovery({ version: values.version, batches: Number(values.batches), runs: Number(values.runs), seed: values.seed, say: (text) => console.error(text) });
  console.log(JSON.stringify(result, undefined, 2));
}
