// A random change of schema, publication, policy, right, role, setting or server under a live daemon: within ten seconds what
// commits is told, or dupwatch says that it is not ready and why; and when it is put back, all is found that SQL finds.
// DUPWATCH_CHANGES, DUPWATCH_SEED, DUPWATCH_MAJOR, DUPWATCH_PLUGIN and DUPWATCH_CHANGE (a name, or each) choose what is run; ./test --full: 500 of them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { compare, describe as words, latestFindings } from '../integration/ground_truth.mjs';
import { daemonFor, EVENTS, eventId, full, insertEvents, runSetup } from '../integration/scene.mjs';
import { majors, systemMajor } from '../postgres/binaries.mjs';
import { CHANGES, draws } from './changes.mjs';

const SEED = Number(process.env.DUPWATCH_SEED ?? 1);
// The short suite runs beside others on a small machine.
const TOLD_MS = full ? 12_000 : 30_000;
const RECOVERED_MS = 90_000;
const MAJORS = full ? majors : [systemMajor];
const COMBINATIONS = MAJORS.flatMap((major) => (major === systemMajor ? ['wal2json', 'pgoutput'] : ['pgoutput']).map((plugin) => ({ major, plugin })))
  .filter(({ major, plugin }) => (process.env.DUPWATCH_MAJOR ?? String(major)) === String(major) && (process.env.DUPWATCH_PLUGIN ?? plugin) === plugin);
const COUNT = Number(process.env.DUPWATCH_CHANGES ?? (full ? 100 : 15));

/** A scene with runs from before dupwatch, which it has to read back when something comes for them. */
async function scene(t, major, plugin) {
  const cluster = await createCluster({ major, settings: { max_connections: 100 } });
  t.after(() => cluster.destroy());
  await installSchema('4.1.1', cluster.uri());
  const daemon = await daemonFor(t, cluster, {
    connection: { dsn: cluster.dsn({ user: 'dupwatch' }), backoff_min: '20ms', backoff_max: '500ms' },
    slot: { plugin }, index: { memory_max: '64KiB' },
  });
  await runSetup(cluster, daemon);
  const old = 4 * COUNT + 20;
  await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) SELECT 'wrun_old_' || g, 'd', 'running', 'w' FROM generate_series(1, ${old}) g`);
  await cluster.query(`INSERT INTO ${EVENTS} (run_id, type, correlation_id, id) SELECT 'wrun_old_' || g, 'step_created', 'step_old_' || g, 'wevt_01J' || lpad(g::text, 23, '0') FROM generate_series(1, ${old}) g`);
  return { cluster, daemon };
}

/** What commits: a pair in a new run, and the second row of a run from before. Resolves the two runs. */
function writer(cluster) {
  let number = 0;
  return async () => {
    number += 1;
    const [fresh, old] = [`wrun_new_${number}`, `wrun_old_${number}`];
    await cluster.query("INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ($1, 'd', 'running', 'w')", [fresh]);
    await insertEvents(cluster, [
      { run: fresh, type: 'step_created', correlation: `step_new_${number}` }, { run: fresh, type: 'step_created', correlation: `step_new_${number}`, id: eventId(1) },
      { run: old, type: 'step_created', correlation: `step_old_${number}`, id: eventId(1) },
    ]);
    return [fresh, old];
  };
}

// A stream that begins again is not ready for a moment, which says nothing.
const LASTING_MS = 2500;

/** 'told', or what /readyz says for some time; undefined: neither in time. */
async function outcome(daemon, runs) {
  let since;
  for (const deadline = Date.now() + TOLD_MS; Date.now() < deadline; await sleep(100)) {
    const known = new Set(latestFindings(daemon.findingsFile).map(({ run_id: run }) => run));
    if (runs.every((run) => known.has(run))) return 'told';
    const answer = await daemon.fetch('/readyz').catch(() => undefined);
    const reason = answer && answer.status !== 200 ? (await answer.text()).trim() : undefined;
    since = reason ? since ?? Date.now() : undefined;
    if (reason && Date.now() - since > LASTING_MS) return reason;
  }
  return undefined;
}

async function recovered(daemon, cluster, what) {
  await daemon.ready(RECOVERED_MS);
  let result;
  for (const deadline = Date.now() + RECOVERED_MS; Date.now() < deadline; await sleep(200)) {
    const client = await cluster.client();
    try {
      result = await compare(daemon.findingsFile, client, {});
    } finally {
      await client.end();
    }
    if (result.ok && (await daemon.status()).coverage.complete_since !== null) return result;
  }
  assert.fail(`${what}: ${words(result)}\n${daemon.tail(20)}`);
}

describe('random changes under a live daemon', { concurrency: true }, () => {
  for (const { major, plugin } of COMBINATIONS) {
    it(`Postgres ${major}, ${plugin}`, { timeout: (60 + COUNT * 120) * 1000 }, async (t) => {
      const { cluster, daemon } = await scene(t, major, plugin);
      await daemon.start();
      const write = writer(cluster);
      const draw = draws(SEED * 1000 + major * 10 + (plugin === 'pgoutput' ? 1 : 0));
      const sql = (text, params) => cluster.query(text, params);
      const means = { cluster, sql, setup: () => runSetup(cluster, daemon) };
      const mine = CHANGES.filter((each) => !each.plugin || each.plugin === plugin);
      const only = process.env.DUPWATCH_CHANGE;
      for (let number = 1; number <= COUNT; number += 1) {
        const change = only === 'each' ? mine[(number - 1) % mine.length] : only ? mine.find(({ name }) => name === only) : mine[draw(mine.length)];
        const what = `change ${number} of seed ${SEED}, ${major} ${plugin}: ${change.name}`;
        await change.apply(means);
        // What takes effect without a word may take a moment to be seen.
        await sleep(draw(3) * 400);
        let said = 'nothing was written';
        if (!change.quiet) {
          said = await outcome(daemon, await write());
          assert.ok(said, `${what}: neither told nor not ready within ${TOLD_MS} ms\n${daemon.tail(20)}`);
          assert.ok(said.length > 5 || said === 'told', `${what}: no reason`);
        } else {
          await sleep(draw(4) * 1000);
        }
        await change.undo(means);
        await write();
        const result = await recovered(daemon, cluster, what);
        const line = `| ${major} ${plugin} | ${change.name} | ${said.slice(0, 90)} | ${result.expected} / ${result.found} |`;
        t.diagnostic(line);
        if (process.env.DUPWATCH_FAULT_TABLE) fs.appendFileSync(process.env.DUPWATCH_FAULT_TABLE, `${line}\n`);
      }
      assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    });
  }
});
