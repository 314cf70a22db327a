// From the answer to COMMIT to the flag, beside the floor client's receipt of the same row in the same run.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { logged, newDaemon } from '../clients.mjs';
import { show } from '../figures.mjs';
import { beginBacklog, bin, copySlot, dropSlot, startCommand, withServer } from '../server.mjs';

const FLOOR = 'bench_floor';
// Enough duplicates for a p99 without making them the load.
const EVERY = { slow: 4, fast: 10 };
const PAYLOAD = 200;

const streaming = (daemon) => daemon.start({ ready: false }).then(() => logged(daemon, 'stream', (line) => line.event === 'streaming'));

/** `floorFirst`: whose walsender was there first must not decide, so it turns. */
async function measure(cluster, { plugin, rate, seconds, synchronous, floorFirst }) {
  await beginBacklog(cluster);
  await copySlot(cluster, plugin, FLOOR);
  await copySlot(cluster, plugin, 'dupwatch');
  const daemon = newDaemon(cluster, { slot: { name: 'dupwatch', plugin }, findings: { log_rate_max: 60 } });
  try {
    if (!floorFirst) await streaming(daemon);
    const every = rate < 1000 ? EVERY.slow : EVERY.fast;
    const args = [cluster.dsn(), startCommand(cluster, plugin, FLOOR), daemon.findingsFile, rate, seconds, every, PAYLOAD, synchronous];
    const child = spawn(bin('bench_latency'), args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => { child.once('close', resolve); });
    let result;
    for await (const line of createInterface(child.stdout)) {
      result = JSON.parse(line);
      if (result.event !== 'ready') continue;
      if (floorFirst) await streaming(daemon);
      child.stdin.write('\n');
    }
    if (await ended !== 0) throw new Error(`bench_latency failed\n${daemon.tail()}`);
    if (result.seen_by_both !== result.duplicates) throw new Error(`${result.duplicates} duplicates were written, both saw ${result.seen_by_both}`);
    await daemon.stop();
    return result;
  } finally {
    await daemon.destroy();
    for (const slot of [FLOOR, 'dupwatch', 'bench_source']) await dropSlot(cluster, slot);
  }
}

export async function latency({ plugins, rates, pairs, seconds = 30 }) {
  const cells = [];
  await withServer(async (cluster) => {
    for (const synchronous of ['on', 'off']) {
      for (const plugin of plugins) {
        for (const rate of rates) {
          const rounds = [];
          // The asynchronous case is the walwriter's rhythm, which more rounds do not change.
          for (let number = 0; number < (synchronous === 'on' ? pairs : 1); number += 1) {
            rounds.push(await measure(cluster, { plugin, rate, seconds, synchronous, floorFirst: number % 2 === 1 }));
            process.stderr.write(`latency: ${plugin}, ${rate}/s, synchronous_commit ${synchronous}, round ${number + 1}: ${JSON.stringify(rounds.at(-1))}\n`);
          }
          cells.push({ synchronous, plugin, rate, rounds });
        }
      }
    }
  }, { plugins });
  return { cells, render: (all) => ({ tables: [table(all)] }) };
}

function table(cells) {
  const lines = ['| synchronous_commit | plugin | events/s | duplicates | | p50 ms | p99 ms | p99.9 ms |', '|---|---|---|---|---|---|---|---|'];
  for (const { synchronous, plugin, rate, rounds } of cells) {
    const head = [synchronous, plugin, rate, rounds.map(({ duplicates }) => duplicates).reduce((a, b) => a + b)];
    const row = (name, value) => lines.push(`| ${[...head, name, ...['p50', 'p99', 'p999'].map((key) => show(rounds.map((round) => value(round, key)), 3))].join(' | ')} |`);
    row('floor: received', (round, key) => round.received[key]);
    row('dupwatch: flagged', (round, key) => round.flagged[key]);
    row('dupwatch above floor', (round, key) => round.flagged[key] - round.received[key]);
  }
  return { title: 'From the answer to COMMIT to the row at the floor client, and to the flag of dupwatch', lines };
}
