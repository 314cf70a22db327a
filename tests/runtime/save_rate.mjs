// How many runs quarantine saves: batches of runs of the real engine with dupwatch in remove mode and without, in turn.
//   node tests/runtime/save_rate.mjs [--batches N] [--runs N] [--seed N]
// Prints what tests/RESULTS.md shows. Every figure comes from SQL over the log and dupwatch.quarantine.
import { parseArgs } from 'node:util';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { Daemon, runCommand } from '../integration/daemon.mjs';
import { factsOf, removalLatency, report } from './facts.mjs';
import { build, installed, prng, raced, startWorker } from './runtime.mjs';

const VERSION = '4.2.4';
const WORKERS = 3;

const batch = async (cluster, workers, runs, random) => factsOf(cluster, await raced(cluster, workers, runs, random));

export async function saveRate({ batches, runs, seed, say = () => {} }) {
  build(VERSION);
  const random = prng(seed);
  const cluster = await createCluster({ settings: { track_commit_timestamp: 'on' } });
  const workers = [];
  let daemon;
  try {
    await installSchema('4.1.1', cluster.uri());
    daemon = new Daemon(cluster, { quarantine: { mode: 'remove', max_per_minute: 10_000, max_per_hour: 100_000, max_per_run: 1000 } });
    const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
    await cluster.query(setup.stdout);
    for (let i = 0; i < WORKERS; i += 1) workers.push(await startWorker(VERSION, cluster.uri()));
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
    return {
      untreated: report('untreated', untreated), treated: report('treated', treated), outcomes,
      latency_ms: await removalLatency(cluster),
      crashed: workers.filter(({ ended }) => ended).length,
    };
  } finally {
    for (const worker of workers) worker.kill();
    await daemon?.destroy();
    await cluster.destroy();
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  if (!installed(VERSION)) throw new Error(`run npm ci in tests/runtime/${VERSION} first`);
  const { values } = parseArgs({ options: { batches: { type: 'string', default: '5' }, runs: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } } });
  const result = await saveRate({ batches: Number(values.batches), runs: Number(values.runs), seed: Number(values.seed), say: (text) => console.error(text) });
  console.log(JSON.stringify(result, undefined, 2));
}
