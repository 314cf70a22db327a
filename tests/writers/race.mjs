#!/usr/bin/env node
// Lets several processes race through @workflow/world-postgres' own storage API on the same runs.
//   node race.mjs --world 4.1.1 --dsn postgres://... [--runs 200] [--steps 3] [--processes 2] [--seed 1]
//                 [--late 0.1] [--finish 0.5] [--second 0.1] [--rate 0] [--payload 200] [--reconnect]
// runs 0 = until SIGTERM or SIGINT; rate = runs started per second, 0 = as fast as they go.
// Prints one JSON line at the end; exit code 0 when no event failed for an unexpected reason.
import { fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const text = { type: 'string' };
const { values } = parseArgs({
  options: {
    world: text, dsn: text, runs: text, steps: text, processes: text, seed: text, late: text, finish: text, second: text,
    rate: text, payload: text, epoch: text, concurrency: text, reconnect: { type: 'boolean' },
  },
});
if (!values.dsn) throw new Error('--dsn is missing');
const number = (name, fallback) => Number(values[name] ?? fallback);
const options = {
  world: values.world ?? '4.1.1',
  dsn: values.dsn,
  runs: number('runs', 200),
  steps: number('steps', 3),
  processes: number('processes', 2),
  seed: number('seed', 1),
  late: number('late', 0.1),
  finish: number('finish', 0.5),
  second: number('second', 0.1),
  rate: number('rate', 0),
  payload: number('payload', 200),
  epoch: number('epoch', Date.now() - 60_000),
  concurrency: number('concurrency', 16),
  reconnect: values.reconnect ?? false,
};

const workers = [];
const arrivals = new Map(); // "run/name" -> how many processes are there
const finished = new Map(); // run -> resolve, called when all processes are done with it
const summaries = [];
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { stopping = true; });

function broadcast(message) {
  for (const worker of workers) if (worker.connected) worker.send(message);
}

function arrive({ run, name }) {
  const key = `${run}/${name}`;
  const count = (arrivals.get(key) ?? 0) + 1;
  arrivals.set(key, count);
  if (count < options.processes) return;
  arrivals.delete(key);
  broadcast({ go: key });
  if (name === 'done') {
    finished.get(run)();
    finished.delete(run);
  }
}

function startWorker(index) {
  const worker = fork(fileURLToPath(new URL('./worker.mjs', import.meta.url)), [JSON.stringify({ ...options, index })]);
  workers.push(worker);
  return new Promise((resolve, reject) => {
    worker.on('message', (message) => {
      if (message.ready !== undefined) resolve();
      else if (message.summary) summaries.push(message.summary);
      else arrive(message);
    });
    worker.on('exit', (code) => {
      if (summaries.length < options.processes && code !== 0) {
        console.error(`writer ${index} ended with ${code}`);
        process.exit(1);
      }
      reject(new Error(`writer ${index} ended`));
    });
  });
}

await Promise.all(Array.from({ length: options.processes }, (_, index) => startWorker(index)));
const began = performance.now();
const running = new Set();
let started = 0;
while (!stopping && (options.runs === 0 || started < options.runs)) {
  if (running.size >= options.concurrency) {
    await Promise.race(running);
    continue;
  }
  const run = started;
  started += 1;
  const done = new Promise((resolve) => finished.set(run, resolve)).then(() => running.delete(done));
  running.add(done);
  broadcast({ start: run });
  const wait = options.rate > 0 ? began + (started * 1000) / options.rate - performance.now() : 0;
  for (let left = wait; left > 0 && !stopping; left -= 200) await sleep(Math.min(left, 200));
}
await Promise.all(running);
const ended = Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
broadcast({ end: true });
await ended;

const total = (key) => summaries.reduce((sum, each) => sum + each[key], 0);
const result = {
  world: options.world, seed: options.seed, epoch: options.epoch, processes: options.processes, runs: started,
  events: total('events'), lostRaces: total('lostRaces'), retries: total('retries'), errors: total('errors'),
  seconds: Number(((performance.now() - began) / 1000).toFixed(2)),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exitCode = result.errors === 0 ? 0 : 1;
