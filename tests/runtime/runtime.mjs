// The real engine: worker processes of workflow 4.2.4 over world-postgres 4.1.1 on one database.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('./4.2.4/', import.meta.url));

/** Whether `npm ci` was run for it. */
export const installed = () => fs.existsSync(`${folder}node_modules/workflow`);

/** Makes the bundles of workflows/, as a user does. */
export function build() {
  execFileSync(process.execPath, [`${folder}node_modules/workflow/bin/run.js`, 'build'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A worker process; `start({count, width, ms})` begins a run and gives its id, `kill()` ends it. */
export async function startWorker(uri) {
  const port = await freePort();
  const child = spawn(process.execPath, ['worker.mjs'], {
    cwd: folder,
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
  worker.start = async (workflow) => {
    const answer = await fetch(`http://127.0.0.1:${port}/start`, { method: 'POST', body: JSON.stringify(workflow) });
    if (!answer.ok) throw new Error(`start: ${await answer.text()}`);
    return (await answer.json()).runId;
  };
  worker.kill = () => child.kill('SIGKILL');
  return worker;
}

/** Stops one worker after the other for 0.3 to 1.8 s, which is what widens the race, until the returned function is called. */
export function pauses(workers, random) {
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
