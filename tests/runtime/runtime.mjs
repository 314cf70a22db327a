// The real engine: worker processes of one version of workflow, over its world-postgres, on one database.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../postgres/cluster.mjs';

const folderOf = (version) => fileURLToPath(new URL(`./${version}/`, import.meta.url));

/** Whether `npm ci` was run for it. */
export const installed = (version) => fs.existsSync(`${folderOf(version)}node_modules/workflow`);

/** Makes the bundles of workflows/, as a user does; one process at a time, and none while another uses them. */
export const build = (version) => execFileSync('flock', [`${folderOf(version)}package.json`, process.execPath, fileURLToPath(new URL('./build.mjs', import.meta.url)), folderOf(version)], { stdio: 'inherit' });

/** A worker process; `start(name, args)` begins a run and gives its id, or nothing; `resume(token, payload)` its hook, `kill()` ends it. */
export async function startWorker(version, uri) {
  const port = await freePort();
  const child = spawn(process.execPath, ['worker.mjs'], {
    cwd: folderOf(version),
    env: { ...process.env, PORT: String(port), WORKFLOW_TARGET_WORLD: '@workflow/world-postgres', WORKFLOW_POSTGRES_URL: uri },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const worker = { pid: child.pid, errors: '', ended: false };
  child.stderr.on('data', (data) => { worker.errors = `${worker.errors}${data}`.slice(-20_000); });
  child.on('exit', () => { worker.ended = true; });
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (data) => String(data).includes('ready') && resolve());
    child.on('exit', (code) => reject(new Error(`a worker ended with ${code}: ${worker.errors}`)));
  });
  const post = async (command, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}/${command}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${command}: ${await answer.text()}`);
    return (await answer.json()).runId;
  };
  // Now and then 4.2.4 itself refuses a start under load; that run does not count.
  worker.start = (name, args) => post('start', { name, args }).catch(() => undefined);
  worker.resume = (token, payload) => post('resume', { token, payload });
  worker.kill = () => child.kill('SIGKILL');
  return worker;
}

/** mulberry32: the same pauses for the same seed. */
export function prng(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Stops one worker after the other for 0.3 to 1.8 s, which is what widens the race, until the returned function is called. */
function pauses(workers, random) {
  let on = true;
  const loop = (async () => {
    while (on) {
      await sleep(200 + random() * 400);
      if (!on) return;
      const { pid } = workers[Math.floor(random() * workers.length)];
      process.kill(pid, 'SIGSTOP');
      await sleep(300 + random() * 1500);
      process.kill(pid, 'SIGCONT');
    }
  })();
  return () => {
    on = false;
    return loop;
  };
}

/** Waits until every one of `runs` has ended, at most `timeoutMs`; run -> status. */
export async function endOf(cluster, runs, timeoutMs) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const rows = await cluster.query('SELECT id, status::text AS status FROM workflow.workflow_runs WHERE id = ANY ($1)', [runs]);
    if (Date.now() > deadline || rows.every(({ status }) => !['pending', 'running'].includes(status))) {
      return new Map(rows.map(({ id, status }) => [id, status]));
    }
    await sleep(100);
  }
}

const LANES = 3;
const ROUNDS = { count: 6, width: 6, ms: 20 };

/**
 * `runs` runs of a workflow under pauses, of workflows/rounds.js unless it is named, so many at a time that their steps do not queue for longer than a
 * pause lasts; their ids, when they have ended or hang.
 */
export async function raced(cluster, workers, runs, random, { name = 'rounds', args = [ROUNDS.count, ROUNDS.width, ROUNDS.ms] } = {}) {
  const ids = [];
  let next = 0;
  const lane = async () => {
    while (next < runs) {
      const worker = workers[next % workers.length];
      next += 1;
      const id = await worker.start(name, args);
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
  return ids;
}
