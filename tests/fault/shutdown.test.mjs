// The server is shut down while dupwatch is in the middle of something: it must take no longer than without dupwatch, and
// afterwards the findings are those of the table. One state a test; DUPWATCH_FULL=1: each thirty times, or DUPWATCH_ROUNDS, with both plugins.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { daemonFor, full, runSetup, EVENTS } from '../integration/scene.mjs';
import { runCommand } from '../integration/daemon.mjs';
import { compare, describe as words } from '../integration/ground_truth.mjs';
import { clean, covered, tellRow, timeToStop } from './fault.mjs';
import { Gate } from './gate.mjs';
import { Load } from './load.mjs';

// Those that wait for themselves for long have fewer of their own, unless a number is given.
const ASKED = Number(process.env.DUPWATCH_ROUNDS ?? 0);
const ROUNDS = ASKED || (full ? 30 : 1);
// The promise is a second; the short suite runs beside others on a small machine, where a checkpoint may take that.
const LONGER_MS = full ? 1000 : 4000;
let order = 0;

/** Events of every run that is there: of runs that dupwatch does not have in memory when the index is small. */
async function oldRuns(client, count = 400) {
  order += 1;
  await client.query(`INSERT INTO ${EVENTS} (run_id, type, correlation_id, id)
    SELECT run_id, 'step_created', min(correlation_id), 'wevt_01L' || lpad($1::text, 8, '0') || lpad((row_number() OVER ())::text, 15, '0')
    FROM ${EVENTS} WHERE type = 'step_created' GROUP BY run_id ORDER BY random() LIMIT $2`, [order, count]);
}

/** A session that holds `table` until the server is gone. */
async function locked(scene, table) {
  const session = await scene.cluster.client();
  await session.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  return session;
}

/** A daemon that was killed and begins again, so that it has no run in memory. */
async function begunAgain({ daemon }) {
  await daemon.kill();
  await daemon.start({ ready: false });
  await daemon.until('the stream', async () => (await daemon.status().catch(() => ({}))).state === 'streaming');
}

/** Somebody who takes what is sent to him and answers nothing. */
async function silentServer(t) {
  const server = net.createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => server.close());
  return server.address().port;
}

const quarantineIsSetUp = async ({ cluster, daemon }) => {
  const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
  await cluster.query(setup.stdout);
};
const fileIsWritable = async ({ daemon }) => {
  await daemon.kill();
  daemon.configure({ ...daemon.config, findings: { ...daemon.config.findings, file: daemon.findingsFile } });
  await daemon.start({ ready: false });
};
const fileIsFull = async ({ daemon }) => {
  await daemon.kill();
  daemon.configure({ ...daemon.config, findings: { ...daemon.config.findings, file: '/dev/full' } });
  const mark = daemon.lines.length;
  await daemon.start({ ready: false });
  await daemon.line('a complaint', (line) => line.reason === 'findings_file', { from: mark });
};

// arrange(scene) brings the state about, and may return a session that the server is to end; release(scene) once it is up
// again. prepare(scene): before the daemon starts. briefly: the plugin that every ./test runs it with; rounds: of ./test --full.
const STATES = [
  { name: 'under load', briefly: 'wal2json' },
  { name: 'immediate', mode: 'immediate' },
  // Waits for all clients, and the load is none of ours. A new session finds out, within ten seconds.
  { name: 'smart', mode: 'smart', briefly: 'pgoutput', rounds: 3, longerMs: 12_000, config: { recheck: { interval: '0s' } } },
  {
    name: 'smart, with a quarantine that rests', mode: 'smart', rounds: 2, longerMs: 12_000, config: { quarantine: { mode: 'remove' } },
    prepare: quarantineIsSetUp,
  },
  {
    name: 'a backlog', writes: true,
    arrange: async ({ cluster }) => void await cluster.query(`INSERT INTO ${EVENTS} (run_id, type, correlation_id, id)
      SELECT 'wrun_backlog_' || n, 'hook_received', 'hook_' || n, 'wevt_01M' || lpad((extract(epoch FROM clock_timestamp()) * 1000)::bigint::text, 13, '0') || lpad(n::text, 10, '0')
      FROM generate_series(1, 60000) n`),
  },
  {
    name: 'cold runs', briefly: 'pgoutput', config: { index: { memory_max: '64KiB' } },
    arrange: async ({ cluster }) => { for (let i = 0; i < 5; i += 1) await oldRuns(cluster, full ? 40 : 400); },
  },
  {
    name: 'a read-back in flight', briefly: 'wal2json',
    async arrange(scene) {
      await begunAgain(scene);
      const writer = await scene.cluster.client();
      await writer.query('BEGIN');
      await oldRuns(writer);
      const locker = locked(scene, EVENTS);
      await scene.cluster.query(`SELECT pg_sleep(0.05) FROM pg_locks WHERE NOT granted`);
      await writer.query('COMMIT');
      await writer.end();
      const session = await locker;
      await sleep(300);
      return session;
    },
  },
  { name: 'the findings file full', arrange: fileIsFull, release: fileIsWritable },
  {
    name: 'nothing in flight and the findings file full', briefly: 'pgoutput', config: { heartbeat: { interval: '0s' }, recheck: { interval: '0s' } },
    arrange: async (scene) => { await fileIsFull(scene); await sleep(200); }, release: fileIsWritable,
  },
  {
    name: 'the findings table locked', briefly: 'wal2json', config: { findings: { table: 'dupwatch.findings' } },
    prepare: ({ cluster, daemon }) => runSetup(cluster, daemon),
    arrange: async (scene) => {
      const session = await locked(scene, 'dupwatch.findings');
      await oldRuns(scene.cluster, 50);
      await sleep(300);
      return session;
    },
  },
  {
    name: 'a scan running', rounds: 3, // a scan that failed waits for a minute
    async arrange(scene) {
      const session = await locked(scene, 'workflow.workflow_runs');
      await begunAgain(scene);
      return session;
    },
  },
  {
    name: 'a quarantine act in flight', briefly: 'pgoutput', config: { quarantine: { mode: 'remove', max_per_run: 10000, max_per_minute: 10000 } },
    prepare: quarantineIsSetUp,
    async arrange(scene) {
      const session = await locked(scene, 'dupwatch.quarantine');
      await oldRuns(scene.cluster, 20);
      await sleep(300);
      return session;
    },
  },
  {
    // The filter of the publication fails at one row, each time: the walsender ends there until the row is stepped over.
    name: 'a row that is never delivered', only: 'pgoutput', briefly: 'pgoutput', rounds: 3,
    async prepare({ cluster, daemon }) {
      await runSetup(cluster, daemon);
      await cluster.query(`ALTER PUBLICATION dupwatch SET TABLE ${EVENTS} WHERE (1 / (length(type::text) - 6) < 2)`);
    },
    async arrange({ cluster, daemon }) {
      const mark = daemon.lines.length;
      order += 1;
      await cluster.query(`INSERT INTO ${EVENTS} (run_id, type, correlation_id, id) SELECT run_id, 'poison', 'step_poison', 'wevt_01N' || lpad($1::text, 23, '0') FROM ${EVENTS} LIMIT 1`, [order]);
      await oldRuns(cluster, 50);
      await daemon.line('the error', (line) => /division by zero/.test(line.error ?? line.msg), { from: mark });
    },
  },
  {
    name: 'a webhook that is stuck',
    async prepare({ daemon, t }) {
      daemon.configure({ ...daemon.config, webhook: { url: `http://127.0.0.1:${await silentServer(t)}/`, severities: ['fatal', 'harmless'] } });
    },
    arrange: ({ cluster }) => oldRuns(cluster, 50),
  },
  {
    name: 'one that stands by',
    async prepare({ cluster, daemon, t }) {
      this.second = await daemonFor(t, cluster, daemon.config);
    },
    async arrange({ daemon }) {
      if (this.second.running()) return;
      this.second.configure({ ...daemon.config, findings: { ...daemon.config.findings, file: this.second.findingsFile } });
      await this.second.start({ ready: false });
      await this.second.line('its place', (line) => line.event === 'standby');
    },
    // The one that leads at the end may be either.
    async release({ daemon }) {
      await this.second.kill();
      await daemon.until('the stream', async () => (await daemon.status().catch(() => ({}))).state === 'streaming');
    },
    source: ({ daemon }) => daemon.findingsFile,
  },
  {
    name: 'SQL in a black hole', briefly: 'pgoutput', gate: true, config: { heartbeat: { interval: '1s', timeout: '60s' } },
    async arrange({ gate, cluster }) {
      gate.blackhole('sql');
      gate.listener.close(); // a connection that says nothing would hold the server up by itself
      await oldRuns(cluster, 50);
      await sleep(500);
    },
    async release({ gate }) {
      gate.pass();
      await gate.accept();
    },
  },
  { name: 'nobody there', gate: true, arrange: ({ gate }) => gate.refuse(), release: ({ gate }) => gate.accept() },
];

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** The same without dupwatch; `arrange` is for what makes the server's own work at its end larger. */
async function aloneFor(cluster, arrange) {
  const load = new Load(cluster, { reconnect: true });
  const took = [];
  for (let i = 0; i < 3; i += 1) {
    await load.more(10);
    await arrange?.({ cluster });
    took.push(await timeToStop(cluster, 'fast'));
    await cluster.start();
  }
  await load.stop();
  return median(took);
}

async function goesDown(t, cluster, plugin, state, aloneInGeneral) {
  if (!cluster.running()) await cluster.start(); // after another's failure
  await clean(cluster);
  const alone = state.writes ? await aloneFor(cluster, state.arrange) : aloneInGeneral;
  const gate = state.gate ? await Gate.open(t, cluster.port) : undefined;
  const daemon = await daemonFor(t, cluster, {
    connection: { dsn: cluster.dsn(gate ? { port: gate.port } : {}), backoff_min: '20ms', backoff_max: '500ms', connect_timeout: '2s' },
    ...state.config, slot: { plugin },
  });
  const scene = { t, cluster, daemon, gate };
  await state.prepare?.(scene);
  await daemon.start();
  await covered(daemon);
  let load;
  t.after(() => load?.abandon());
  const took = [];
  for (let round = 0; round < (ASKED || Math.min(ROUNDS, state.rounds ?? ROUNDS)); round += 1) {
    load ??= new Load(cluster, { reconnect: true });
    await load.more(10);
    const session = await state.arrange?.(scene);
    if (state.mode === 'smart') {
      await load.stop();
      assert.deepEqual(load.failures, []);
      load = undefined;
    }
    took.push(await timeToStop(cluster, state.mode ?? 'fast', daemon));
    await session?.end().catch(() => {});
    await cluster.start();
    await state.release?.(scene);
    await daemon.ready(90_000);
  }
  load ??= new Load(cluster, { reconnect: true });
  await load.more(5);
  await load.stop();
  await daemon.caughtUp();
  await covered(daemon);
  const client = await cluster.client();
  try {
    let result;
    for (const deadline = Date.now() + 30_000; !(result = await compare(daemon.findingsFile, client, {})).ok && Date.now() < deadline;) await sleep(200);
    tellRow(t, `| shutdown, ${plugin} | ${state.name} | ${took.length} times, at most ${Math.round(Math.max(...took))} ms (without dupwatch ${Math.round(alone)} ms) | ${result.expected} / ${result.found} / ${result.false_.length} |`);
    assert.ok(result.ok, `${words(result)}\n${daemon.tail(20)}`);
    assert.ok(result.expected >= 5, `the table calls for only ${result.expected} findings`);
  } finally {
    await client.end();
  }
  assert.deepEqual(load.failures, []);
  const slowest = Math.max(...took);
  assert.ok(slowest < alone + (state.longerMs ?? LONGER_MS), `${Math.round(slowest)} ms, without dupwatch ${Math.round(alone)} ms`);
  await daemon.stop();
}

for (const plugin of ['wal2json', 'pgoutput']) {
  describe(`the server goes down, ${plugin}`, () => {
    let cluster;
    let alone;
    before(async () => {
      cluster = await createCluster();
      await installSchema('4.1.1', cluster.uri());
      alone = await aloneFor(cluster);
    });
    after(() => cluster?.destroy());

    for (const state of STATES) {
      if (state.only && state.only !== plugin) continue;
      const skip = full || state.briefly === plugin ? false : './test --full';
      test(state.name, { skip }, (t) => goesDown(t, cluster, plugin, state, alone));
    }
  });
}
