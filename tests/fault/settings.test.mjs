// Hostile settings of role, database and cluster, drawn from the server's own list: whatever is set, what commits is told.
// DUPWATCH_SETTINGS (how many on each server), DUPWATCH_SEED, DUPWATCH_MAJOR, DUPWATCH_PLUGIN and DUPWATCH_SETTING (a part of
// its name) choose what is run; ./test --full: all of them on 15 to 18.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { assertTruth, daemonFor, EVENTS, eventId, full, insertEvents, runSetup } from '../integration/scene.mjs';
import { latestFindings } from '../integration/ground_truth.mjs';
import { draws } from './changes.mjs';
import { assignment, hostileSettings, levels } from './settings.mjs';

const SEED = Number(process.env.DUPWATCH_SEED ?? 1);
const MAJORS = full ? [15, 16, 17, 18] : [15];
const COMBINATIONS = MAJORS.flatMap((major) => (major === 15 ? ['wal2json', 'pgoutput'] : ['pgoutput']).map((plugin) => ({ major, plugin })))
  .filter(({ major, plugin }) => (process.env.DUPWATCH_MAJOR ?? String(major)) === String(major) && (process.env.DUPWATCH_PLUGIN ?? plugin) === plugin);
const COUNT = Number(process.env.DUPWATCH_SETTINGS ?? (full ? 10_000 : 30));
const AT_ONCE = Number(process.env.DUPWATCH_AT_ONCE ?? 6);
const TOLD_MS = 30_000;
const SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dupwatch'";

async function scene(t, major, plugin) {
  const cluster = await createCluster({ major, settings: { max_connections: 60 } });
  t.after(() => cluster.destroy());
  await installSchema('4.1.1', cluster.uri());
  const daemon = await daemonFor(t, cluster, {
    connection: { dsn: cluster.dsn({ user: 'dupwatch' }), backoff_min: '20ms', backoff_max: '500ms' },
    slot: { plugin }, index: { memory_max: '64KiB' },
    findings: { table: 'dupwatch.findings' },
  });
  await runSetup(cluster, daemon);
  // A role that the daemon's may become, without a right to anything.
  await cluster.query('CREATE ROLE stranger; GRANT stranger TO dupwatch');
  await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) SELECT 'wrun_old_' || g, 'd', 'running', 'w' FROM generate_series(1, 2000) g`);
  await cluster.query(`INSERT INTO ${EVENTS} (run_id, type, correlation_id, id) SELECT 'wrun_old_' || g, 'step_created', 'step_old_' || g, 'wevt_01J' || lpad(g::text, 23, '0') FROM generate_series(1, 2000) g`);
  return { cluster, daemon };
}

/** A pair in a new run with a text that is quoted in many ways, and the second row of a run that has to be read back. */
async function write(cluster, number) {
  const correlation = `step_\\ "it's" $1 \u00e9\u4f60 ${number}`;
  const [fresh, old] = [`wrun_new_${number}`, `wrun_old_${number}`];
  await cluster.query("INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ($1, 'd', 'running', 'w')", [fresh]);
  await insertEvents(cluster, [
    { run: fresh, type: 'step_created', correlation }, { run: fresh, type: 'step_created', correlation, id: eventId(1) },
    { run: old, type: 'step_created', correlation: `step_old_${number}`, id: eventId(1) },
  ]);
  return [fresh, old];
}

async function told(daemon, runs) {
  for (const deadline = Date.now() + TOLD_MS; Date.now() < deadline; await sleep(100)) {
    const known = new Set(latestFindings(daemon.findingsFile).map(({ run_id: run }) => run));
    if (runs.every((run) => known.has(run))) return true;
  }
  return false;
}

/** All in one order that the seed decides. */
function shuffled(list, draw) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i -= 1) {
    const other = draw(i + 1);
    [out[i], out[other]] = [out[other], out[i]];
  }
  return out;
}

describe('hostile settings', { concurrency: true }, () => {
  for (const { major, plugin } of COMBINATIONS) {
    it(`Postgres ${major}, ${plugin}`, { timeout: full ? 3_600_000 : 300_000 }, async (t) => {
      const { cluster, daemon } = await scene(t, major, plugin);
      await daemon.start();
      const sql = (text, params) => cluster.query(text, params);
      const draw = draws(SEED * 1000 + major * 10 + (plugin === 'pgoutput' ? 1 : 0));
      const all = shuffled((await hostileSettings(sql)).filter(([name]) => name.includes(process.env.DUPWATCH_SETTING ?? '')), draw).slice(0, COUNT);
      const where = levels(sql, 'dupwatch');
      const failed = [];
      let number = 0;
      for (let i = 0; i < all.length; i += AT_ONCE) {
        number += 1;
        const level = Object.keys(where)[draw(4)];
        // One value of each setting at a time.
        const batch = [...new Map(all.slice(i, i + AT_ONCE)).entries()];
        const what = `${level}: ${batch.map(assignment).join(', ')}`;
        const set = [];
        for (const each of batch) {
          // What the server itself refuses is nothing that could be set.
          await where[level].set(each).then(() => set.push(each), (error) => assert.ok(['22023', '55P02'].includes(error.code), error.message));
        }
        await sql(SESSIONS);
        if (!(await told(daemon, await write(cluster, number)))) {
          const answer = await daemon.fetch('/readyz').catch(() => undefined);
          failed.push(`${what}: ${answer?.status} ${(await answer?.text())?.trim()}\n${daemon.tail(3)}`);
        }
        for (const each of set) await where[level].reset(each);
      }
      await sql(SESSIONS);
      await daemon.ready(60_000);
      const { expected } = await assertTruth(daemon, { atLeast: 2 * number });
      const rows = await sql('SELECT count(*)::int AS count FROM dupwatch.findings');
      t.diagnostic(`${major} ${plugin}: ${all.length} values of ${new Set(all.map(([name]) => name)).size} settings, ${number} batches, ${expected} findings`);
      assert.ok(rows[0].count >= expected, 'the findings table has them too');
      assert.deepEqual(failed, []);
      assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    });
  }
});
