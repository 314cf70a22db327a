// The clients that drain a backlog. Each resolves what one drain took: seconds from the start of the stream to the sentinel,
// processor time of the client and of its walsender, peak memory, bytes of the stream, rows and duplicates where it counts them.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Daemon } from '../integration/daemon.mjs';
import { latestFindings } from '../integration/ground_truth.mjs';
import { EVENTS } from '../integration/scene.mjs';
import { processorTime, residentMemory, userAndSystem } from './figures.mjs';
import { bin, startCommand, walsenderOf } from './server.mjs';
import { SINGLE_TYPES } from './types.mjs';

/** A program that prints one line at its end and then waits, so that its walsender can be looked at. */
async function waiting(cluster, slot, program, args) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${path.basename(program)} ended with ${code}`))));
  });
  ended.catch(() => {}); // Reported below.
  let said;
  for await (const line of createInterface(child.stdout)) {
    said = JSON.parse(line);
    const walsender = processorTime(await walsenderOf(cluster, slot));
    const client = processorTime(child.pid);
    said = { ...said, walsender, client };
    child.stdin.end();
  }
  await ended;
  if (!said) throw new Error(`${path.basename(program)} said nothing`);
  return { seconds: said.seconds, client: said.client, user: said.user, system: said.system, walsender: said.walsender, rss_mib: said.rss_kib / 1024, bytes: said.bytes, rows: said.inserts, duplicates: said.duplicates };
}

function floor(cluster, { plugin, slot, sentinel }) {
  return waiting(cluster, slot, bin('bench_floor'), [cluster.dsn(), startCommand(cluster, plugin, slot), sentinel.before]);
}

function node(cluster, { plugin, slot, sentinel }) {
  const program = fileURLToPath(new URL('./node_consumer.mjs', import.meta.url));
  return waiting(cluster, slot, process.execPath, [program, String(cluster.port), cluster.database, slot, plugin, sentinel.run]);
}

/** The daemon as it is run: every key at its default but the slot, the findings file and a free port. */
export function newDaemon(cluster, config) {
  return new Daemon(cluster, { findings: { log_rate_max: 60 }, log: { level: 'info' }, ...config });
}

/** The first log line that `match` holds for, as soon as it is there. */
export function logged(daemon, what, match, timeoutMs = 600_000) {
  return new Promise((resolve, reject) => {
    let timer;
    const look = () => {
      const line = daemon.lines.find(match);
      if (!line && !daemon.exit) return;
      clearTimeout(timer);
      daemon.watchers.delete(look);
      if (line) resolve(line);
      else reject(new Error(`dupwatch ended before: ${what}\n${daemon.tail()}`));
    };
    timer = setTimeout(() => {
      daemon.watchers.delete(look);
      reject(new Error(`no ${what} within ${timeoutMs} ms\n${daemon.tail()}`));
    }, timeoutMs);
    daemon.watchers.add(look);
    look();
  });
}

/** Microseconds since 1970 of a log line; Date has milliseconds alone. */
export function stamp({ ts }) {
  const [seconds, fraction] = ts.replace('Z', '').split('.');
  return Date.parse(`${seconds}Z`) * 1000 + Number((fraction ?? '').padEnd(6, '0').slice(0, 6));
}

const toldOf = (id) => (line) => line.event === 'finding' && line.duplicate_id === id;

/** Starts a daemon on `slot` and resolves when it has flagged the last of `sentinels`; `lines` are theirs. */
export async function dupwatchUntil(cluster, daemon, sentinels) {
  await daemon.start({ ready: false });
  const streaming = await logged(daemon, 'stream', (line) => line.event === 'streaming');
  const lines = [];
  for (const sentinel of sentinels) lines.push(await logged(daemon, 'finding of the last duplicate', toldOf(sentinel.id)));
  const { pid } = daemon.child;
  const used = { client: processorTime(pid), ...userAndSystem(pid), walsender: processorTime(await walsenderOf(cluster, daemon.config.slot.name)), rss_mib: residentMemory(pid) };
  return { streaming: stamp(streaming), flagged: lines.map(stamp), used };
}

/** Distinct rows at fault in the findings file, by rule. */
export function rowsByRule(daemon) {
  const rules = {};
  for (const { rule, duplicate } of latestFindings(daemon.findingsFile)) (rules[rule] ??= new Set()).add(duplicate.id);
  return Object.fromEntries(Object.entries(rules).map(([rule, rows]) => [rule, rows.size]));
}

/** The load has duplicated creations alone. */
export function found(daemon) {
  const { duplicate_created: duplicates = 0, ...others } = rowsByRule(daemon);
  return { duplicates, other_findings: others };
}

async function dupwatch(cluster, { plugin, slot, sentinel }) {
  const daemon = newDaemon(cluster, { slot: { name: slot, plugin } });
  try {
    const { streaming, flagged, used } = await dupwatchUntil(cluster, daemon, [sentinel]);
    await daemon.until('a published status behind the last row', async () => await daemon.metric('dupwatch_stream_received_lsn_bytes') >= position(sentinel.behind));
    const bytes = await daemon.metric('dupwatch_stream_received_bytes_total');
    const rows = await daemon.metric('dupwatch_events_received_total');
    const readBacks = await daemon.metric('dupwatch_read_back_runs_total');
    await daemon.stop();
    return { seconds: (flagged[0] - streaming) / 1e6, ...used, bytes, rows, ...found(daemon), read_backs: readBacks };
  } finally {
    await daemon.destroy();
  }
}

/** "16/B374D848" as a number; exact up to 8 PiB of WAL. */
export function position(lsn) {
  const [high, low] = lsn.split('/');
  return Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16);
}

async function recvlogical(cluster, { plugin, slot, sentinel }) {
  const words = [...cluster.commands[plugin].matchAll(/"([^"]+)" '((?:[^']|'')*)'/g)].flatMap(([, name, value]) => ['-o', `${name}=${value.replaceAll("''", "'")}`]);
  const usage = path.join(cluster.dir, 'usage.json');
  const args = [usage, path.join(cluster.bin, 'pg_recvlogical'), '-h', '127.0.0.1', '-p', cluster.port, '-U', 'postgres', '-d', cluster.database, '--slot', slot, '--start', '--endpos', sentinel.before, '-f', '-', ...words];
  const child = spawn(bin('bench_measured'), args.map(String), { stdio: ['ignore', fs.openSync('/dev/null', 'w'), 'inherit'] });
  let code;
  const ended = new Promise((resolve) => { child.once('close', (status) => { code = status; resolve(); }); });
  let pid;
  let walsender = 0;
  // It ends by itself, and its walsender with it: the last look counts.
  while (code === undefined) {
    try {
      pid ??= await walsenderOf(cluster, slot);
      if (pid) walsender = processorTime(pid);
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error;
    }
    await Promise.race([sleep(20), ended]);
  }
  if (code !== 0) throw new Error(`pg_recvlogical ended with ${code}`);
  const { seconds, user, system, rss_kib: rss } = JSON.parse(fs.readFileSync(usage, 'utf8'));
  return { seconds, client: user + system, user, system, walsender, rss_mib: rss / 1024 };
}

const single = `type IN (${SINGLE_TYPES.map((type) => `'${type}'`).join(', ')})`;
const WHOLE = `SELECT run_id, correlation_id, type, count(*)::int AS n FROM ${EVENTS} WHERE ${single} GROUP BY run_id, correlation_id, type HAVING count(*) > 1`;
// What people write who do not want to read the whole table each time. It misses rows that commit late with a smaller id.
const SINCE = `
  WITH batch AS MATERIALIZED (SELECT id, run_id, correlation_id, type FROM ${EVENTS} WHERE id > $1 ORDER BY id LIMIT 1000)
  SELECT (SELECT max(id) FROM batch) AS last, (SELECT count(*)::int FROM batch) AS rows,
    (SELECT count(*)::int FROM batch b WHERE ${single} AND EXISTS (SELECT FROM ${EVENTS} e
      WHERE e.run_id = b.run_id AND e.type = b.type AND e.correlation_id IS NOT DISTINCT FROM b.correlation_id AND e.id < b.id)) AS duplicates`;

/** Server time: of the session, and of the workers that it had. */
async function polled(cluster, poll) {
  const client = await cluster.client();
  try {
    const { pid } = (await client.query('SELECT pg_backend_pid() AS pid')).rows[0];
    const reaped = () => fs.readFileSync(`/proc/${cluster.child.pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(13, 15).reduce((sum, ticks) => sum + Number(ticks) / 100, 0);
    const before = reaped();
    const cpu = processorTime(pid);
    const began = performance.now();
    const counts = await poll(client);
    const seconds = (performance.now() - began) / 1000;
    await sleep(20); // The postmaster reaps the workers.
    return { seconds, client: 0, walsender: processorTime(pid) - cpu + reaped() - before, ...counts };
  } finally {
    await client.end();
  }
}

const polling = (cluster) => polled(cluster, async (client) => {
  const { rows } = await client.query(WHOLE);
  return { duplicates: rows.reduce((sum, { n }) => sum + n - 1, 0) };
});

const incremental = (cluster) => polled(cluster, async (client) => {
  let last = '';
  const sum = { rows: 0, duplicates: 0 };
  for (;;) {
    const [batch] = (await client.query({ name: 'since', text: SINCE, values: [last] })).rows;
    if (batch.rows === 0) return sum;
    sum.rows += batch.rows;
    sum.duplicates += batch.duplicates;
    last = batch.last;
  }
});

/** By name; `polling` is two ways of asking the table. */
export const CLIENTS = { floor, dupwatch, recvlogical, node, polling, incremental };
/** Those that read no stream. */
export const ASKS_THE_TABLE = new Set(['polling', 'incremental']);
