// A bound on the index with ten times as many live runs as fit, touched at random.
import { dupwatchUntil, found, newDaemon } from '../clients.mjs';
import { EVENTS } from '../../integration/scene.mjs';
import { residentMemory } from '../figures.mjs';
import { beginBacklog, copySlot, dropSlot, load, settle, withServer, writeSentinel } from '../server.mjs';

const SLOT = 'bench_dupwatch';
const FIRST_EVENTS = 4;
// The index holds none of it; the runs must fit on the disk.
const PAYLOAD = 64;
const NEVER = '1000000-1000000';
const TIMES = 10;
// Runs to weigh one by: they fit, and those that are open and those that are packed are in the proportion of a full index.
const weighedRuns = (memoryMax) => Math.max(5000, 1600 * memoryMax);
const DUPLICATE_EVERY = 500;
// Rows of the read-back that is under way are over the bound until it is in.
const SLACK = 128 * 1024;

/** Runs that are in the table alone, then events of runs drawn from them; resolves the sentinel and when the events began. */
async function backlog(cluster, events, runs) {
  let began;
  await cluster.sql.query(`TRUNCATE ${EVENTS}`);
  await load(cluster, { events, 'live-runs': runs, copy: true, payload: PAYLOAD, 'first-events': FIRST_EVENTS, 'run-events': NEVER, 'duplicate-every': DUPLICATE_EVERY }, async () => {
    await beginBacklog(cluster, { keep: true });
    began = (await cluster.sql.query('SELECT localtimestamp::text AS now')).rows[0].now;
  });
  return { began, sentinel: await writeSentinel(cluster) };
}

/** Duplicates of the runs that events came for; of the others the stream says nothing. */
async function expected(cluster, began) {
  const { rows } = await cluster.sql.query(
    `SELECT coalesce(sum(n - 1), 0)::int AS n FROM (
       SELECT run_id, count(*) AS n FROM ${EVENTS} WHERE type = 'step_created' AND run_id IN (SELECT run_id FROM ${EVENTS} WHERE created_at > $1::timestamp)
       GROUP BY run_id, correlation_id) AS identities`,
    [began],
  );
  return rows[0].n;
}

async function drained(cluster, plugin, config, sentinel) {
  await copySlot(cluster, plugin, SLOT);
  const daemon = newDaemon(cluster, { slot: { name: SLOT, plugin }, baseline: 'none', ...config });
  let peak = 0;
  const weigh = async () => { peak = Math.max(peak, await daemon.metric('dupwatch_index_memory_bytes').catch(() => 0) ?? 0); };
  // The daemon publishes four times a second.
  const timer = setInterval(weigh, 250);
  try {
    const { streaming, flagged, used } = await dupwatchUntil(cluster, daemon, [sentinel]);
    await daemon.caughtUp(600_000);
    await weigh();
    const result = { seconds: (flagged[0] - streaming) / 1e6, ...used, rss_mib: residentMemory(daemon.child.pid), index_peak: peak };
    for (const name of ['index_memory_bytes', 'index_runs', 'index_rows', 'read_back_runs_total', 'read_backs_total', 'index_evictions_total']) result[name] = await daemon.metric(`dupwatch_${name}`);
    await daemon.stop();
    return { ...result, ...found(daemon) };
  } finally {
    clearInterval(timer);
    await daemon.destroy();
    await dropSlot(cluster, SLOT);
  }
}

export async function memory({ plugins, events, memoryMax }) {
  const plugin = plugins.at(-1);
  const limit = memoryMax * 2 ** 20;
  return withServer(async (cluster) => {
    const few = await backlog(cluster, weighedRuns(memoryMax) * FIRST_EVENTS, weighedRuns(memoryMax));
    const weighed = await drained(cluster, plugin, {}, few.sentinel);
    await dropSlot(cluster);
    const perRun = weighed.index_memory_bytes / weighed.index_runs;
    const runs = Math.ceil((TIMES * limit) / perRun);
    process.stderr.write(`memory: ${perRun.toFixed(0)} bytes a run, so ${runs} live runs\n`);
    const { sentinel, began } = await backlog(cluster, events, runs);
    await cluster.sql.query(`VACUUM (ANALYZE) ${EVENTS}`);
    await settle(cluster);
    const result = await drained(cluster, plugin, { index: { memory_max: `${memoryMax}MiB` } }, sentinel);
    await dropSlot(cluster);
    const wanted = await expected(cluster, began);
    if (result.duplicates !== wanted) throw new Error(`memory: dupwatch found ${result.duplicates} duplicates, the table has ${wanted}`);
    if (result.index_peak > limit + SLACK) throw new Error(`memory: the index had ${result.index_peak} bytes, its bound is ${limit}`);
    const cell = { plugin, limit, runs, per_run: perRun, events, ...result };
    return { cells: [cell], render: (all) => ({ tables: all.map(table) }) };
  }, { plugins: [plugin] });
}

function table(cell) {
  const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
  return {
    title: `\`index.memory_max: ${mib(cell.limit)} MiB\` with ${cell.runs} live runs of ${cell.per_run.toFixed(0)} bytes, touched at random by ${cell.events} events (${cell.plugin}, one run)`,
    lines: ['| events/s | runs read back | evicted | index at most MiB | peak RSS MiB | duplicates, as SQL finds them | CPU us an event |', '|---|---|---|---|---|---|---|',
      `| ${(cell.events / cell.seconds).toFixed(0)} | ${cell.read_back_runs_total} | ${cell.index_evictions_total} | ${mib(cell.index_peak)} | ${cell.rss_mib.toFixed(0)} | ${cell.duplicates} | ${((1e6 * cell.client) / cell.events).toFixed(1)} |`],
  };
}
