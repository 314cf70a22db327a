// A day's worth of trouble in an hour: under a load, one random trouble after the other (changes of schema, rights, roles,
// settings and server; outputs that block; a receiver that hangs; rotations; retention deletes; idle HTTP clients; restarts of
// both sides). At the end the findings are those of SQL, and memory, descriptors and threads of the daemon are level.
// ./test --full; DUPWATCH_SOAK_MINUTES (60), DUPWATCH_SEED and DUPWATCH_PLUGIN choose.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { compare, describe, latestFindings } from '../integration/ground_truth.mjs';
import { daemonFor, EVENTS, full, runSetup } from '../integration/scene.mjs';
import { CHANGES, draws } from './changes.mjs';
import { Load } from './load.mjs';

const MINUTES = Number(process.env.DUPWATCH_SOAK_MINUTES ?? 60);
const SEED = Number(process.env.DUPWATCH_SEED ?? 1);
const PLUGIN = process.env.DUPWATCH_PLUGIN ?? 'wal2json';
// A round of the recheck looks at 200 runs, and some thousand have open findings.
const RECOVERED_MS = 600_000;
const MIB = 1 << 20;
// What is level after a warm-up: resident memory may move by the buffers of a backlog.
const LEVEL = { rss: 24 * MIB, fds: 12, threads: 2 };

/** A receiver of the webhook that answers, or while `hangs` keeps everybody waiting. */
async function receiver(t) {
  const state = { hangs: false, taken: 0 };
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => {
      if (state.hangs) return;
      state.taken += 1;
      response.writeHead(204).end();
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => { server.closeAllConnections(); server.close(); });
  state.url = `http://127.0.0.1:${server.address().port}/`;
  return state;
}

function usage(pid) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    rss: Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024, threads: Number(/Threads:\s+(\d+)/.exec(status)[1]),
    fds: fs.readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** The troubles of this world beside those of changes.mjs: {name, strike}. */
function troubles(scene) {
  const { daemon, cluster, hook, files, gone } = scene;
  const restart = (signal) => async () => {
    await daemon.stop(signal);
    await daemon.start({ ready: false });
  };
  return [
    {
      name: 'nobody reads the log', async strike() {
        const { stdout, stderr } = daemon.child;
        stdout.pause();
        stderr.pause();
        await sleep(15_000);
        stdout.resume();
        stderr.resume();
      },
    },
    { name: 'the receiver hangs', async strike() { hook.hangs = true; await sleep(15_000); hook.hangs = false; } },
    ...[true, false].map((signal) => ({
      name: `the findings file is rotated${signal ? ', with a signal' : ''}`, async strike() {
        const rotated = `${daemon.findingsFile}.${files.length + 1}`;
        if (!fs.existsSync(daemon.findingsFile)) return;
        fs.renameSync(daemon.findingsFile, rotated);
        files.push(rotated);
        if (signal) daemon.child.kill('SIGHUP');
      },
    })),
    {
      name: 'retention deletes runs', async strike() {
        const old = await cluster.query(`SELECT id FROM workflow.workflow_runs ORDER BY id LIMIT (SELECT greatest(count(*) - 500, 0) FROM workflow.workflow_runs)`);
        const ids = old.map(({ id }) => id);
        await cluster.query(`DELETE FROM ${EVENTS} WHERE run_id = ANY($1)`, [ids]);
        await cluster.query('DELETE FROM workflow.workflow_runs WHERE id = ANY($1)', [ids]);
        for (const id of ids) gone.add(id);
      },
    },
    {
      name: 'idle HTTP clients', async strike() {
        const port = Number(new URL(daemon.httpBase).port);
        const clients = Array.from({ length: 100 }, () => net.connect(port, '127.0.0.1').on('error', () => {}));
        await sleep(5000);
        for (const client of clients) client.destroy();
      },
    },
    { name: 'dupwatch is stopped', early: true, strike: restart('SIGTERM') },
    { name: 'dupwatch is killed', early: true, strike: restart('SIGKILL') },
  ];
}

/** All records, of the files that were rotated and the one that is there, without those of runs that retention took. */
function records({ daemon, files, gone }) {
  const text = [...files, daemon.findingsFile].filter((file) => fs.existsSync(file)).map((file) => fs.readFileSync(file, 'utf8')).join('');
  // A line that a kill cut short comes again.
  const lines = text.split('\n').flatMap((line) => { try { return line ? [JSON.parse(line)] : []; } catch { return []; } });
  return lines.filter(({ run_id: run }) => !gone.has(run));
}

async function recovered(scene, what) {
  const { daemon, cluster } = scene;
  await daemon.ready(RECOVERED_MS);
  let result;
  for (const deadline = Date.now() + RECOVERED_MS; Date.now() < deadline; await sleep(1000)) {
    const client = await cluster.client();
    try {
      result = await compare(records(scene), client, {});
    } finally {
      await client.end();
    }
    if (result.ok && (await daemon.status()).coverage.complete_since !== null) return result;
  }
  const stories = await Promise.all([...result.missed, ...result.false_].slice(0, 4).map((one) => story(scene, one.run ?? one.run_id)));
  assert.fail(`${what}: ${describe(result)}\n${stories.join('\n')}\n${daemon.tail(20)}`);
}

/** All that is known of a run: its rows, its row in the runs table, and every record of its findings. */
async function story({ cluster, ...scene }, run) {
  const rows = await cluster.query(`SELECT id, type::text, correlation_id, created_at::text, xmin::text FROM ${EVENTS} WHERE run_id = $1 ORDER BY id`, [run]);
  const runs = await cluster.query('SELECT id, status::text FROM workflow.workflow_runs WHERE id = $1', [run]);
  const told = records(scene).filter(({ run_id: id }) => id === run).map(({ what: _, why: __, versions: ___, ...record }) => record);
  return [run, ...[runs, rows, told].map((part) => part.map((item) => `  ${JSON.stringify(item)}`).join('\n'))].join('\n');
}

async function begin(t) {
  const cluster = await createCluster({ settings: { max_connections: 100 } });
  t.after(() => cluster.destroy());
  await installSchema('4.1.1', cluster.uri());
  const hook = await receiver(t);
  const daemon = await daemonFor(t, cluster, {
    connection: { dsn: cluster.dsn({ user: 'dupwatch' }), backoff_min: '20ms', backoff_max: '500ms' },
    slot: { plugin: PLUGIN }, index: { memory_max: '1MiB' }, recheck: { interval: '10s' }, webhook: { url: hook.url },
  });
  await runSetup(cluster, daemon);
  await daemon.start();
  const load = new Load(cluster, { pauseMs: 150, reconnect: true });
  t.after(() => load.abandon());
  return { cluster, daemon, hook, load, files: [], gone: new Set(), samples: [] };
}

const most = (samples, key) => Math.max(...samples.map((sample) => sample[key]));

/** The last third against the one before it, of one process. */
function assertLevel(samples) {
  const third = Math.floor(samples.length / 3);
  const [before, last] = [samples.slice(third, 2 * third), samples.slice(2 * third)];
  for (const [key, slack] of Object.entries(LEVEL)) {
    assert.ok(most(last, key) <= most(before, key) + slack, `${key} grew from ${most(before, key)} to ${most(last, key)}`);
  }
  return Object.fromEntries(Object.keys(LEVEL).map((key) => [key, [most(before, key), most(last, key)]]));
}

test(`an hour of trouble, ${PLUGIN}`, { skip: !full, timeout: (MINUTES + 15) * 60_000 }, async (t) => {
  const scene = await begin(t);
  const { cluster, daemon, load } = scene;
  const draw = draws(SEED);
  const means = { cluster, sql: (text, params) => cluster.query(text, params), setup: () => runSetup(cluster, daemon) };
  const changes = CHANGES.filter((each) => !each.quiet && (!each.plugin || each.plugin === PLUGIN))
    .map((each) => ({ name: each.name, async strike() { await each.apply(means); await sleep(draw(4) * 500); await each.undo(means); } }));
  const own = troubles(scene);
  const [start, end] = [Date.now(), Date.now() + MINUTES * 60_000];
  const struck = new Map();
  let pid;
  while (Date.now() < end) {
    // Later on one process lives through everything, and is to stay level.
    const early = Date.now() - start < (end - start) / 4;
    const pool = draw(2) ? changes : own.filter((each) => early || !each.early);
    const trouble = pool[draw(pool.length)];
    const what = `seed ${SEED}, ${trouble.name}`;
    await trouble.strike().catch((error) => { throw new Error(`${what}: ${error.message}`, { cause: error }); });
    struck.set(trouble.name, (struck.get(trouble.name) ?? 0) + 1);
    await sleep(500 + draw(4) * 1000);
    await daemon.ready(RECOVERED_MS).catch((error) => { throw new Error(`${what}: ${error.message}`, { cause: error }); });
    if (pid !== daemon.child.pid) scene.samples.length = 0;
    pid = daemon.child.pid;
    scene.samples.push(usage(pid));
    // The log of an hour is not kept.
    daemon.lines.splice(0, Math.max(0, daemon.lines.length - 2000));
  }
  await load.stop();
  const result = await recovered(scene, `seed ${SEED}, the end`);
  const level = assertLevel(scene.samples);
  const fatal = latestFindings(records(scene)).filter(({ severity }) => severity === 'fatal').length;
  assert.ok(result.expected > 100, `the table calls for only ${result.expected} findings`);
  const line = `| ${PLUGIN}, ${MINUTES} min, seed ${SEED} | ${[...struck.values()].reduce((a, b) => a + b, 0)} troubles of ${struck.size} kinds | ${load.runsWritten} runs, ${load.written} statements, ${scene.gone.size} runs deleted, ${scene.files.length} rotations | ${result.expected} / ${result.found}, ${fatal} fatal | RSS ${level.rss.map((bytes) => Math.round(bytes / MIB)).join(' then ')} MiB, descriptors ${level.fds.join(' then ')}, threads ${level.threads.join(' then ')} |`;
  t.diagnostic(line);
  if (process.env.DUPWATCH_FAULT_TABLE) fs.appendFileSync(process.env.DUPWATCH_FAULT_TABLE, `${line}\n`);
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});
