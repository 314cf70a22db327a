// Long runs that take turns: their logs are packed, and their rows wait for one another. Random runs, sizes, memories and troubles
// from a seed; at the end the findings are those of SQL, the position is at the end of the WAL, and memory is within its bound.
// DUPWATCH_SEEDS: a number of seeds, or "from-to"; ./test --full takes more of them, and longer runs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe as suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random, ulid } from '../engines/ids.mjs';
import { compare, describe, latestFindings } from '../integration/ground_truth.mjs';
import { daemonFor, EVENTS, full } from '../integration/scene.mjs';
import { lsn } from '../postgres/client.mjs';
import { createCluster } from '../postgres/cluster.mjs';
import { schemaOf } from '../writers/install_schema.mjs';

const [FIRST, LAST] = (([from, to]) => (to ? [from, to] : [1, from]))((process.env.DUPWATCH_SEEDS ?? (full ? '30' : '209-209')).split('-').map(Number));
const PLUGINS = (process.env.DUPWATCH_PLUGIN ?? 'wal2json,pgoutput').split(',');
const MIB = 1 << 20;
const BESIDE_INDEX = 64 * MIB;
const CAUGHT_UP_MS = 10_000;
// Runs that do not fit in are read back again and again (decision 24), very long texts are costly, and a trouble takes its time.
const CAUGHT_UP_SLOWLY_MS = 90_000;
const PACKED_ROW_BYTES_MAX = 60;
const MEMORY = { '64KiB': MIB / 16, '1MiB': MIB, '4MiB': 4 * MIB };
// What a row takes in an open log, with its half of an entity's own; see RunLog::Row and RunLog::Entity.
const OPEN_ROW_BYTES = 48 + 64 / 2;

const GENERIC = {
  table: 'public.log', run: 'run', id: 'id', identity: ['entity'], type: 'kind', types: ['opened', 'moved', 'closed', 'over'],
  runEnds: ['over'], closing: { closed: ['opened', 'moved', 'closed'] },
};
/** The two tables: the engine's own, and one of any shape that takes texts of any length. */
const WORLDS = {
  engine: {
    insert: `INSERT INTO ${EVENTS} (run_id, id, type, correlation_id)`, type: 'workflow.workflow_events', table: EVENTS, run: 'run_id', kind: 'type::workflow.workflow_events',
    begin: 'step_created', more: ['step_started', 'step_retrying'], end: 'step_completed', over: 'run_completed', config: {}, truth: {},
  },
  generic: {
    insert: 'INSERT INTO public.log (run, id, kind, entity)', table: 'public.log', run: 'run',
    begin: 'opened', more: ['moved', 'other'], end: 'closed', over: 'over', truth: { table: GENERIC },
    config: {
      profile: 'generic',
      table: { name: 'public.log', run_column: 'run', id_column: 'id', identity_columns: ['entity'], type_column: 'kind', types: GENERIC.types, closing: { closed: ['opened', 'moved'] }, run_end_types: ['over'] },
    },
  },
};

/** The texts of ids and identities, by seed: as the engine has them, any, and very long ones. */
function texts(random, style) {
  let counter = 0;
  const long = (prefix) => `${prefix}_${'lang '.repeat(style === 'long' ? 20_000 : 0)}`;
  return {
    run: (n) => (style === 'ulid' ? `wrun_${ulid(1.7e12 + n, random)}` : `${n ? 'run' : long('run')} ${n} ü`),
    id() {
      counter += 1;
      // Mostly ascending, as they commit.
      const at = 1.7e12 + counter * 10 - (random.chance(0.1) ? random.int(20_000) : 0);
      if (style === 'ulid') return `wevt_${ulid(at, random)}`;
      return `${style === 'long' && random.chance(0.02) ? long('id') : 'e'}${at}-${counter}`;
    },
    // The ids that a run draws have one time.
    entity: (number, n) => (style === 'ulid' ? `step_${ulid(1.7e12 + number, random)}` : `${n % 100 === 0 ? long('entity') : 'entity'} ${n}`),
  };
}

/** The rows of one run as they commit: entities that begin, go on and end, with repeats at once and much later. */
function rowsOfRun(random, world, text, { number, rows, ends }) {
  const run = text.run(number);
  const out = [];
  const later = [];
  const row = (type, entity) => ({ run, id: text.id(), type, entity });
  for (let entities = 0; out.length < rows; entities += 1) {
    const entity = entities % 40 === 7 ? null : text.entity(number, entities);
    const own = [row(world.begin, entity), row(random.pick(world.more), entity)];
    if (random.chance(0.8)) own.push(row(world.end, entity));
    if (random.chance(0.02)) own.splice(1 + random.int(own.length), 0, row(world.begin, entity));
    // At the end of a run its first rows come again.
    if (random.chance(0.02)) later.push(row(random.pick([world.begin, world.end]), entity));
    out.push(...own);
  }
  out.push(...later);
  if (ends) out.splice(random.int(out.length), 0, row(world.over, null));
  return out;
}

/** All rows of a plan: runs take turns at random, by ones or by some. */
function takeTurns(random, runs, most) {
  const left = runs.map((rows) => ({ rows, at: 0 }));
  const out = [];
  while (left.length) {
    const place = random.int(left.length);
    const run = left[place];
    const next = Math.min(run.rows.length, run.at + 1 + random.int(most));
    out.push(...run.rows.slice(run.at, next));
    run.at = next;
    if (next === run.rows.length) left.splice(place, 1);
  }
  return out;
}

async function write(client, world, rows) {
  const values = rows.map(({ run, id, type, entity }) => ({ run, id, type, entity }));
  await client.query(`${world.insert} SELECT run, id, type, entity FROM jsonb_to_recordset($1::jsonb) AS rows(run text, id text, type text, entity text)`, [JSON.stringify(values)]);
}

/** What a seed does, all of it drawn before anything runs. */
function planOf(seed) {
  const random = new Random(`long runs ${seed}`);
  const style = random.pick(['ulid', 'ulid', 'text', 'long']);
  const world = WORLDS[style === 'ulid' && random.chance(0.7) ? 'engine' : 'generic'];
  const text = texts(random, style);
  const [few, most] = full && style !== 'long' ? random.pick([[100, 300], [300, 2500], [1000, 5000]]) : [100, 300];
  const rowsMax = (full ? 40_000 : 6000) / (style === 'long' ? 8 : 1);
  const count = Math.max(2, Math.min(50, Math.round((rowsMax * 2) / (few + most))));
  const troubles = random.pick([[], ['kill'], ['kill', 'stop'], ['fast'], ['immediate', 'kill'], ['truncate'], ['delete', 'kill'], ['slot'], ['truncate', 'kill', 'truncate']]);
  // A scan and a recheck read runs that have not ended.
  const ends = /slot|truncate/.test(troubles.join()) ? 0 : 0.2;
  const runs = Array.from({ length: count }, (_, number) => rowsOfRun(random, world, text, { number, rows: random.between(few, most), ends: random.chance(ends) }));
  const rows = takeTurns(random, runs, random.pick([1, 1, 4, 100]));
  const sizes = random.pick([[1, 10], [10], [10, 1000], [1000], [1, 10, 100, 1000]]);
  const transactions = [];
  for (let at = 0; at < rows.length;) {
    const size = Math.min(random.pick(sizes), style === 'long' ? 100 : 1000);
    transactions.push({ rows: rows.slice(at, at + size) });
    at += size;
  }
  for (const trouble of troubles) transactions.splice(random.int(transactions.length), 0, { trouble, pause: random.chance(0.5) ? 0 : random.int(400) });
  return { seed, style, world, runs, transactions, troubles, rows: rows.length, memory: random.pick(Object.keys(MEMORY)), random };
}

/** Many long runs in random order, one row of each at a time. */
function crowdOf(memory, sizes) {
  const random = new Random(`crowd ${memory}`);
  const world = WORLDS.engine;
  const text = texts(random, 'ulid');
  const runs = Array.from({ length: 50 }, (_, number) => rowsOfRun(random, world, text, { number, rows: 2000, ends: false }));
  const rows = takeTurns(random, runs, 1);
  const transactions = [];
  for (let at = 0; at < rows.length; at += transactions.at(-1).rows.length) transactions.push({ rows: rows.slice(at, at + random.pick(sizes)) });
  return { seed: 'of fifty runs', style: 'ulid', world, runs, transactions, troubles: [], rows: rows.length, memory };
}

/** A daemon over a table that is empty, with a slot of its own. */
async function begin(t, cluster, plugin, { world, memory, recheck = '0s' }) {
  await cluster.query(world.table === EVENTS ? `TRUNCATE ${EVENTS}; DELETE FROM workflow.workflow_runs` : 'TRUNCATE public.log');
  const daemon = await daemonFor(t, cluster, {
    ...world.config, slot: { plugin, name: 'dupwatch' }, index: { memory_max: memory }, recheck: { interval: recheck },
    connection: { backoff_min: '20ms', backoff_max: '300ms' }, log: { level: 'info' },
  });
  await daemon.start();
  t.after(async () => {
    await daemon.stop();
    await cluster.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'dupwatch'");
    await cluster.query('DROP PUBLICATION IF EXISTS dupwatch');
  });
  return daemon;
}

async function strike(scene, { trouble, pause }) {
  const { daemon, cluster, world, gone, peaks } = scene;
  peaks.push(daemon.peakMemory());
  const leaves = async (where, parameters) => {
    for (const { id } of await cluster.query(`SELECT id FROM ${world.table} ${where}`, parameters)) gone.add(id);
  };
  if (trouble === 'kill' || trouble === 'stop' || trouble === 'slot') {
    assert.deepEqual(await daemon.stop(trouble === 'stop' ? 'SIGTERM' : 'SIGKILL'), trouble === 'stop' ? { code: 0, signal: null } : { code: null, signal: 'SIGKILL' });
    if (trouble === 'slot') await cluster.query("SELECT pg_drop_replication_slot('dupwatch')");
    await sleep(pause);
    await daemon.start({ ready: false });
  } else if (trouble === 'truncate') {
    await leaves('');
    await cluster.query(`TRUNCATE ${world.table}`);
  } else if (trouble === 'delete') {
    // Retention takes whole runs, of which nothing comes any more.
    const [{ run }] = await cluster.query(`SELECT ${world.run} AS run FROM ${world.table} ORDER BY 1 LIMIT 1`);
    scene.deleted.add(run);
    await leaves(`WHERE ${world.run} = $1`, [run]);
    await cluster.query(`DELETE FROM ${world.table} WHERE ${world.run} = $1`, [run]);
  } else {
    await cluster.restart(trouble);
  }
}

/**
 * The findings against SQL, without those of rows that a trouble took. What was told of a first row stays told when an earlier one
 * comes after it, and another rule tells of it then. Rows without an identity are many: which of them is canonical is no news
 * (decision 24).
 */
async function judge({ daemon, cluster, world, gone }) {
  const client = await cluster.client();
  try {
    const findings = latestFindings(daemon.findingsFile).filter(({ duplicate }) => !gone.has(duplicate.id));
    const result = await compare(findings, client, world.truth);
    const again = new Set(findings.filter(({ rule }) => rule === 'duplicate_created').map(({ duplicate }) => duplicate.id));
    result.false_ = result.false_.filter(({ shape, duplicate }) => shape !== 'first_after_close' || !again.has(duplicate.id));
    const many = new Set(findings.filter(({ correlation_id: entity }) => entity === null).map(({ run_id: run, rule, duplicate }) => [run, rule, duplicate.id].join(' ')));
    result.wrong = result.wrong.filter(({ key, field }) => !many.has(key) || !['canonical', 'closing'].includes(field));
    result.ok = ![result.missed, result.false_, result.wrong].some(({ length }) => length);
    return result;
  } finally {
    await client.end();
  }
}

/** Until the metric has the end of the WAL as it is now; milliseconds. */
async function caughtUp({ daemon, cluster }, limitMs) {
  const began = Date.now();
  const target = Number(lsn((await cluster.query('SELECT pg_current_wal_flush_lsn() AS at'))[0].at));
  await daemon.until('confirmed position at the end of the WAL', async () => await daemon.metric('dupwatch_stream_confirmed_lsn_bytes').catch(() => 0) >= target, limitMs);
  return Date.now() - began;
}

const shorten = (text) => text.replaceAll(/(lang ){3,}/g, '(…)').split('\n').map((line) => line.slice(0, 700)).join('\n');

async function runSeed(t, cluster, plugin, plan) {
  const { world, seed } = plan;
  const what = `seed ${seed}, ${plugin}, ${plan.style}, ${plan.runs.length} runs, ${plan.rows} rows in ${plan.transactions.length} transactions, ${plan.memory}, troubles ${plan.troubles.join(' ') || 'none'}`;
  const daemon = await begin(t, cluster, plugin, { world, memory: plan.memory, recheck: plan.troubles.includes('truncate') ? '1s' : '0s' });
  const scene = { daemon, cluster, world, gone: new Set(), deleted: new Set(), peaks: [] };
  if (world.table === EVENTS) {
    await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) SELECT run, 'd', 'running', 'w' FROM unnest($1::text[]) run`, [plan.runs.map(([{ run }]) => run)]);
  }
  let client = await cluster.client();
  const began = Date.now();
  try {
    for (const step of plan.transactions) {
      if (step.trouble) {
        await client.end();
        await strike(scene, step);
        client = await cluster.client();
      } else {
        const rows = scene.deleted.size ? step.rows.filter(({ run }) => !scene.deleted.has(run)) : step.rows;
        if (rows.length) await write(client, world, rows);
      }
    }
  } finally {
    await client.end().catch(() => {});
  }
  const written = Date.now() - began;
  await daemon.ready();
  const soon = !plan.troubles.length && plan.style !== 'long' && plan.rows * PACKED_ROW_BYTES_MAX < MEMORY[plan.memory];
  const late = await caughtUp(scene, soon ? CAUGHT_UP_MS : CAUGHT_UP_SLOWLY_MS).catch((error) => { throw new Error(shorten(`${what}: ${error.message}`)); });
  let result = await judge(scene);
  const first = result;
  // A scan closes a gap, and a recheck what is gone, some time after. Without them nothing is missed until then.
  if (!/slot|truncate/.test(plan.troubles.join())) assert.equal(result.missed.length, 0, shorten(`${what}: ${describe(result)}\n${daemon.tail(8)}`));
  for (const deadline = Date.now() + 20_000; !result.ok && /truncate|slot/.test(plan.troubles.join()) && Date.now() < deadline; result = await judge(scene)) await sleep(200);
  assert.ok(result.ok, shorten(`${what}: ${describe(result)}\n${daemon.tail(8)}`));
  assert.equal((await daemon.fetch('/readyz')).status, 200, what);
  assert.equal(await daemon.metric('dupwatch_decode_errors_total'), 0, what);
  const peak = Math.max(...scene.peaks, daemon.peakMemory());
  if (plan.style !== 'long') assert.ok(peak <= MEMORY[plan.memory] + BESIDE_INDEX, `${what}: ${peak} bytes of memory`);
  t.diagnostic(`${what}: ${result.expected} findings${first.ok ? '' : ' (late)'}, written in ${written} ms, confirmed ${late} ms later, ${await daemon.metric('dupwatch_read_back_runs_total')} read-backs, ${Math.round(peak / MIB)} MiB`);
}

/** When each finding came, by the id of its row: the file is read as it grows. */
function follow(daemon) {
  const seen = new Map();
  let offset = 0;
  let rest = '';
  const look = () => {
    if (!fs.existsSync(daemon.findingsFile)) return;
    const file = fs.openSync(daemon.findingsFile, 'r');
    const bytes = Buffer.alloc(fs.fstatSync(file).size - offset);
    offset += fs.readSync(file, bytes, 0, bytes.length, offset);
    fs.closeSync(file);
    const lines = (rest + bytes.toString()).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const { id } = JSON.parse(line).duplicate;
      if (!seen.has(id)) seen.set(id, performance.now());
    }
  };
  const timer = setInterval(look, 5);
  return { seen, stop: () => clearInterval(timer) };
}

const RUNS = 40;

/** Every run's log is packed, in memory, and long: what comes of a run that was not the last one has to wait. */
async function assertPacked(daemon, rows, runs) {
  // None was evicted and read back again, and open they would not fit.
  const [inIndex, bytes, readBacks, evictions] = await Promise.all(['dupwatch_index_rows', 'dupwatch_index_memory_bytes', 'dupwatch_read_back_runs_total', 'dupwatch_index_evictions_total'].map((name) => daemon.metric(name)));
  assert.equal(inIndex, rows);
  assert.equal(readBacks, runs);
  assert.equal(evictions, 0);
  assert.ok(bytes < (rows * OPEN_ROW_BYTES) / 2, `${bytes} bytes in the index for ${rows} rows: logs are open`);
  return bytes;
}

/** Steps of RUNS runs, so many rows of each, one run after the other: 13 bytes of an id alone put each packed log above 1 KiB. */
function longRuns(random, rowsOfEach) {
  const runs = Array.from({ length: RUNS }, (_, n) => {
    const entity = () => `step_${ulid(1.7e12 + n, random)}`;
    return { run: `wrun_${ulid(1.7e12 + n, random)}`, entity, entities: Array.from({ length: rowsOfEach / 2 }, entity) };
  });
  let time = 1.7e12;
  const id = () => `wevt_${ulid(time += 7, random)}`;
  const rows = [];
  for (const { run, entities } of runs) for (const one of entities) rows.push({ run, id: id(), type: 'step_created', entity: one }, { run, id: id(), type: 'step_completed', entity: one });
  return { runs, rows, id };
}

async function promptness(t, cluster, plugin) {
  const random = new Random(`prompt ${plugin}`);
  const world = WORLDS.engine;
  const daemon = await begin(t, cluster, plugin, { world, memory: '1MiB' });
  const scene = { daemon, cluster, world, gone: new Set() };
  const { runs, rows, id } = longRuns(random, 300);
  const client = await cluster.client();
  const findings = follow(daemon);
  t.after(() => findings.stop());
  try {
    for (let at = 0; at < rows.length; at += 1000) await write(client, world, rows.slice(at, at + 1000));
    await caughtUp(scene, CAUGHT_UP_MS);
    const bytes = await assertPacked(daemon, rows.length, RUNS);
    const committed = new Map();
    let sent = rows.length;
    const again = async (more) => {
      const { run, entities } = random.pick(runs);
      const own = { run, id: id(), type: 'step_created', entity: random.pick(entities) };
      await write(client, world, [...more, own]);
      committed.set(own.id, performance.now());
      sent += more.length + 1;
      return own.id;
    };
    // Nothing else goes on.
    const idle = [];
    for (let n = 0; n < 12; n += 1) {
      const row = await again([]);
      await daemon.until(`finding ${row}`, () => findings.seen.has(row), 5000);
      idle.push(findings.seen.get(row) - committed.get(row));
      await sleep(30);
    }
    // Rows of all runs come without a pause.
    const ids = [];
    for (const end = performance.now() + (full ? 8000 : 2000); performance.now() < end; await sleep(2)) {
      ids.push(await again(Array.from({ length: 9 }, () => random.pick(runs)).map(({ run, entity }) => ({ run, id: id(), type: 'step_created', entity: entity() }))));
    }
    await daemon.until('findings under load', () => ids.every((one) => findings.seen.has(one)), 10_000);
    const loaded = ids.map((one) => findings.seen.get(one) - committed.get(one)).sort((a, b) => a - b);
    const late = await caughtUp(scene, CAUGHT_UP_MS);
    const result = await judge(scene);
    assert.ok(result.ok && result.expected > 20, shorten(`${describe(result)}\n${daemon.tail(8)}`));
    assert.equal(await daemon.metric('dupwatch_index_rows'), sent);
    assert.equal((await daemon.fetch('/readyz')).status, 200);
    idle.sort((a, b) => a - b);
    const at = (list, share) => Math.round(list[Math.floor((list.length - 1) * share)]);
    assert.ok(at(idle, 1) < 2000, `idle: up to ${at(idle, 1)} ms`);
    assert.ok(at(loaded, 1) < 5000, `under load: up to ${at(loaded, 1)} ms`);
    t.diagnostic(`${plugin}: ${rows.length} rows in ${bytes} bytes; idle ${at(idle, 0.5)} ms, ${at(idle, 1)} at most; under load (${ids.length} transactions of 10) ${at(loaded, 0.5)} ms, ${at(loaded, 0.99)} at 99 %, ${at(loaded, 1)} at most; confirmed ${late} ms after the load; ${Math.round(daemon.peakMemory() / MIB)} MiB`);
  } finally {
    await client.end();
  }
}

suite('long runs', { timeout: full || process.env.DUPWATCH_SEEDS ? 7_200_000 : 120_000 }, () => {
  let cluster;
  before(async () => {
    cluster = await createCluster({ content: schemaOf('4.1.1') });
    await cluster.query('CREATE TABLE public.log (run text NOT NULL, id text NOT NULL, kind text NOT NULL, entity text); CREATE INDEX ON public.log USING hash (run)');
  });
  after(() => cluster?.destroy());

  for (const plugin of PLUGINS) {
    test(`duplicates in packed logs are told soon, ${plugin}`, (t) => promptness(t, cluster, plugin));
    for (const [memory, sizes] of [['4MiB', [1, 10, 100]], ['1MiB', [1000]], ['64KiB', [1000]]]) {
      test(`fifty runs of 2000 rows in random order, ${memory}, ${plugin}`, { skip: !full }, (t) => runSeed(t, cluster, plugin, crowdOf(memory, sizes)));
    }
    for (let seed = FIRST; seed <= LAST; seed += 1) {
      test(`seed ${seed}, ${plugin}`, (t) => runSeed(t, cluster, plugin, planOf(seed)));
    }
  }
});
