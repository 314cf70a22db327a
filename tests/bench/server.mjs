// The server that is measured: a private Postgres that syncs like a real one, the engine's schema, and backlogs in its slots.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Daemon, runCommand } from '../integration/daemon.mjs';
import { EVENTS } from '../integration/scene.mjs';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { SINGLE_TYPES } from './types.mjs';

// No vacuum and no checkpoint of its own may fall into one client's time and not into the other's.
const SETTINGS = { fsync: 'on', synchronous_commit: 'on', shared_buffers: '1GB', max_wal_size: '32GB', checkpoint_timeout: '1h', autovacuum: 'off', wal_sender_timeout: '60s' };
const SOURCE = 'bench_source';

/** A bench client: of BENCH_BIN, or of the preset bench. */
export function bin(name) {
  const folder = process.env.BENCH_BIN ?? fileURLToPath(new URL('../../build/bench/bin', import.meta.url));
  const file = path.resolve(folder, name);
  if (!fs.existsSync(file)) throw new Error(`no ${file}: tests/bench/run builds it, or BENCH_BIN names another folder`);
  return file;
}

/** Runs `act` with a server and removes it. The server knows `commands`: what the daemon itself sends for each plugin. */
export async function withServer(act, { settings = {}, plugins = ['wal2json', 'pgoutput'] } = {}) {
  const cluster = await createCluster({ settings: { ...SETTINGS, ...settings } });
  try {
    await installSchema('4.1.1', cluster.uri());
    cluster.sql = await cluster.client();
    cluster.commands = {};
    await publish(cluster);
    for (const plugin of plugins) cluster.commands[plugin] = await learnCommand(cluster, plugin);
    return await act(cluster);
  } finally {
    await cluster.sql?.end().catch(() => {});
    await cluster.destroy();
  }
}

async function publish(cluster) {
  const daemon = new Daemon(cluster, { slot: { plugin: 'pgoutput' } });
  try {
    const setup = await runCommand(['setup', '--print-sql', '--config', daemon.configFile]);
    if (setup.code !== 0) throw new Error(`dupwatch setup: ${setup.stderr}`);
    await cluster.query(setup.stdout);
  } finally {
    daemon.destroyNow();
  }
}

/** The options that dupwatch sends, from the server's log, so that every client asks for the same stream. */
async function learnCommand(cluster, plugin) {
  const daemon = new Daemon(cluster, { slot: { plugin } });
  try {
    await daemon.start();
    await daemon.stop();
  } finally {
    await daemon.destroy();
  }
  await cluster.sql.query('SELECT pg_drop_replication_slot($1)', ['dupwatch']);
  const sent = cluster.log().split('\n').findLast((line) => line.includes('START_REPLICATION SLOT "dupwatch"'));
  const options = /START_REPLICATION SLOT "dupwatch" LOGICAL \S+ (\(.*\))$/.exec(sent?.trim())?.[1];
  if (!options) throw new Error(`the server's log shows no START_REPLICATION of dupwatch for ${plugin}`);
  return options;
}

export const startCommand = (cluster, plugin, slot) => `START_REPLICATION SLOT "${slot}" LOGICAL 0/0 ${cluster.commands[plugin]}`;

/** bench_load; `pause` is called where it waits (see --first-events), and resolves what the last part wrote. */
export async function load(cluster, options, pause) {
  const words = Object.entries(options).flatMap(([key, value]) => (value === true ? [`--${key}`] : [`--${key}`, String(value)]));
  const child = spawn(bin('bench_load'), [cluster.dsn(), ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`bench_load ended with ${code}`))));
  });
  ended.catch(() => {}); // Reported below.
  let last;
  for await (const line of createInterface(child.stdout)) {
    last = JSON.parse(line);
    if (last.event !== 'paused') continue;
    await pause(last);
    child.stdin.write('\n');
  }
  await ended;
  return last;
}

/** Keeps what is written from now on for copySlot(), and empties the log before that unless it is to `keep`. */
export async function beginBacklog(cluster, { keep = false } = {}) {
  if (!keep) await cluster.sql.query(`TRUNCATE ${EVENTS}`);
  await markSlot(cluster, SOURCE);
}

export async function markSlot(cluster, name) {
  await cluster.sql.query('SELECT pg_create_logical_replication_slot($1, $2)', [name, 'pgoutput']);
}

let sentinels = 0;

/**
 * Writes a run with a fatal duplicate as the last transaction: whoever flags it has judged all that came before. Resolves its id
 * and positions between it and everything before it, and behind it.
 */
export async function writeSentinel(cluster) {
  sentinels += 1;
  const run = `wrun_${String(sentinels).padStart(26, 'S')}`;
  const { at } = (await cluster.sql.query('SELECT pg_current_wal_insert_lsn() AS at')).rows[0];
  const types = ['run_created', 'step_created', 'step_started', 'step_completed', 'step_created'];
  const ids = types.map((_, i) => `wevt_${String(sentinels * 10 + i).padStart(26, 'Z')}`);
  await cluster.sql.query(
    `INSERT INTO ${EVENTS} (id, run_id, type, correlation_id) SELECT id, $1, type, CASE WHEN type <> 'run_created' THEN $2 END
     FROM unnest($3::text[], $4::text[]) AS rows(id, type)`,
    [run, `step_${run.slice(5)}`, ids, types],
  );
  const behind = (await cluster.sql.query('SELECT pg_current_wal_insert_lsn() AS at')).rows[0].at;
  return { run, id: ids.at(-1), before: at, behind, rows: types.length };
}

/** What lies behind: a checkpoint now is none later. */
export const settle = (cluster) => cluster.sql.query('CHECKPOINT');

export async function copySlot(cluster, plugin, name, from = SOURCE) {
  await cluster.sql.query('SELECT pg_copy_logical_replication_slot($1, $2, false, $3)', [from, name, plugin]);
}

/** Drops a slot as soon as its walsender has noticed that its client is gone. */
export async function dropSlot(cluster, name = SOURCE) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await cluster.sql.query('SELECT pg_drop_replication_slot($1)', [name]);
      return;
    } catch (error) {
      if (error.code !== '55006' || attempt === 200) throw error;
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
  }
}

export async function walsenderOf(cluster, slot) {
  const { rows } = await cluster.sql.query('SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1', [slot]);
  return rows[0]?.active_pid ?? undefined;
}

/** What each client must have seen, from the table: rows in all, rows that pass the publication, rows beyond the first of an identity. */
export async function truth(cluster) {
  const { rowfilter } = (await cluster.sql.query("SELECT rowfilter FROM pg_publication_tables WHERE pubname = 'dupwatch'")).rows[0];
  const { rows } = await cluster.sql.query(
    `SELECT count(*)::int AS wal2json, count(*) FILTER (WHERE ${rowfilter ?? 'true'})::int AS pgoutput FROM ${EVENTS}`,
  );
  const duplicates = await cluster.sql.query(
    `SELECT coalesce(sum(n - 1), 0)::int AS n FROM (SELECT count(*) AS n FROM ${EVENTS} WHERE type = ANY($1)
     GROUP BY run_id, correlation_id, type HAVING count(*) > 1) AS crowded`,
    [SINGLE_TYPES],
  );
  return { ...rows[0], duplicates: duplicates.rows[0].n };
}
