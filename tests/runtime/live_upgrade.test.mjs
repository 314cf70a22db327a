// A live installation of 4.1.1 with three processes of the real engine goes to 4.3.7 by the guide (engine-upgrade.md), under
// load, while dupwatch streams: it is never blind, finds what SQL finds, and no run is lost that it had not called fatal.
//   DUPWATCH_FULL=1 [DUPWATCH_SEED=N] node --test tests/runtime/live_upgrade.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../integration/daemon.mjs';
import { compare, describe, latestFindings } from '../integration/ground_truth.mjs';
import { daemonFor, full, serverWithSchema } from '../integration/scene.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { build, endOf, startWorker } from './runtime.mjs';

const [OLD, NEW] = ['4.2.4', '4.8.9'];
const WORLD = '4.3.7';
const WORKERS = 3;
const LANES = 6;
const SHAPE = ['rounds', [4, 4, 20]];
// Runs that end before the switch and behind it; those that are on their way meet both engines.
const RUNS = 20;

/** Runs one after the other in lanes, by whichever workers there are at the time. */
class Traffic {
  constructor(cluster) {
    Object.assign(this, { cluster, ids: [], ended: 0, workers: [], on: true, turn: 0 });
    this.lanes = Array.from({ length: LANES }, () => this.lane());
  }

  async lane() {
    while (this.on) {
      this.turn += 1;
      const id = await this.workers[this.turn % this.workers.length]?.start(...SHAPE);
      if (!id) {
        await sleep(50);
        continue;
      }
      this.ids.push(id);
      await this.endOf(id);
      this.ended += 1;
    }
  }

  /** Waits until so many more runs have ended. */
  async more(count) {
    const target = this.ended + count;
    for (const deadline = Date.now() + 240_000; this.ended < target; await sleep(100)) {
      if (Date.now() > deadline) throw new Error(`no ${count} runs ended in four minutes`);
    }
  }

  /** Asks nothing while there are no workers: upgrade-check counts every session that could write. */
  async endOf(id) {
    for (const deadline = Date.now() + 240_000; Date.now() < deadline; await sleep(100)) {
      if (this.workers.length === 0) continue;
      const [{ status }] = await this.cluster.query('SELECT status::text AS status FROM workflow.workflow_runs WHERE id = $1', [id]);
      if (!['pending', 'running'].includes(status)) return;
    }
  }

  async end() {
    this.on = false;
    await Promise.all(this.lanes);
  }
}

/** As an orchestrator ends a Pod: SIGTERM, and SIGKILL for who stays. */
async function stopWorkers(workers) {
  for (const { pid } of workers) process.kill(pid, 'SIGTERM');
  for (const deadline = Date.now() + 10_000; workers.some(({ ended }) => !ended) && Date.now() < deadline;) await sleep(50);
  for (const worker of workers) worker.kill();
}

/** Every span in which /readyz did not answer 200. */
function watchReadiness(daemon) {
  const spans = [];
  let on = true;
  const done = (async () => {
    for (let ready = true; on; await sleep(50)) {
      const answer = await daemon.fetch('/readyz').catch((error) => ({ status: 0, text: () => error.message }));
      if (answer.status !== 200 && ready) spans.push(await answer.text());
      ready = answer.status === 200;
    }
  })();
  return async () => { on = false; await done; return spans; };
}

const startWorkers = (version, uri) => Promise.all(Array.from({ length: WORKERS }, () => startWorker(version, uri)));

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`4.1.1 to ${WORLD} under the load of three processes, ${plugin}`, { skip: !full && 'takes minutes: ./test --full' }, async (t) => {
    for (const version of [OLD, NEW]) build(version);
    const cluster = await serverWithSchema(t);
    const daemon = await daemonFor(t, cluster, { slot: { plugin }, recheck: { interval: '2s' } });
    const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
    await cluster.query(setup.stdout);
    await daemon.start();
    const command = (...args) => runCommand([...args, '--config', daemon.configFile]);
    const readiness = watchReadiness(daemon);
    const workers = [];
    t.after(() => { for (const worker of workers) worker.kill(); });
    const traffic = new Traffic(cluster);
    t.after(() => { traffic.on = false; });
    const take = (fresh) => { workers.push(...fresh); traffic.workers = fresh; };

    take(await startWorkers(OLD, cluster.uri()));
    await traffic.more(RUNS);
    const live = JSON.parse((await command('upgrade-check', '--to', WORLD, '-o', 'json')).stdout);
    assert.equal(live.lines.find(({ name }) => name === 'writers').verdict, 'fail', 'old processes still write');

    // The guide's steps.
    traffic.workers = [];
    await stopWorkers(workers);
    const before = traffic.ids.length;
    const listed = await command('audit', '--before-migration', '--format', 'json');
    let moved = 0;
    if (listed.code === 1) {
      const file = `${daemon.dir}/migration.jsonl`;
      await runCommand(['audit', '--before-migration', '--format', 'json', '--config', daemon.configFile], { stdout: file });
      const applied = await command('quarantine', 'apply', '--from-audit', file, '--before-migration', '--yes');
      assert.equal(applied.code, 0, applied.stdout + applied.stderr);
      moved = Number(/^(\d+) removed/m.exec(applied.stdout)[1]);
    }
    const go = await command('upgrade-check', '--to', WORLD);
    assert.equal(go.code, 0, go.stdout);
    await installSchema(WORLD, cluster.uri());
    const said = await daemon.line('word of the migration', ({ event }) => event === 'schema_changed');
    assert.deepEqual([said.before, said.after, said.canonical_deleted], ['4.1.1', '4.3', '0']);
    take(await startWorkers(NEW, cluster.uri()));
    await traffic.more(RUNS);
    await traffic.end();

    const ended = await endOf(cluster, traffic.ids, 120_000);
    await daemon.caughtUp();
    const client = await cluster.client();
    t.after(() => client.end());
    let result;
    await daemon.until('findings that are those of the table', async () => {
      result = await compare(daemon.findingsFile, client, {});
      // Of runs that had ended, nobody looks whether the rows that the switch removed are still there.
      const untrue = result.false_.filter(({ state }) => state !== 'run_ended');
      return result.missed.length + result.wrong.length + untrue.length === 0;
    }, 30_000).catch((error) => { throw new Error(`${describe(result)}\n${error.message.slice(0, 300)}`); });
    const fatal = new Set(latestFindings(daemon.findingsFile).filter(({ severity }) => severity === 'fatal').map(({ run_id: run }) => run));
    const lost = [...ended].filter(([id, status]) => status !== 'completed' && !fatal.has(id));
    t.diagnostic(JSON.stringify({ runs: ended.size, before, moved, findings: result.found, fatal_runs: fatal.size, lost: lost.length }));
    assert.deepEqual(await readiness(), [], 'never blind');
    assert.ok(ended.size >= 2 * RUNS, `${ended.size} runs`);
    assert.deepEqual(lost, [], 'no run is lost that was not called fatal');
  });
}
