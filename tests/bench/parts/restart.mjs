// A restart: a backlog over runs that were begun before the slot's position, so that each is read back once, against the same
// backlog with the runs in memory.
import { setTimeout as sleep } from 'node:timers/promises';
import { CLIENTS, dupwatchUntil, found, logged, newDaemon, stamp } from '../clients.mjs';
import { processorTime, residentMemory, show, turned } from '../figures.mjs';
import { beginBacklog, copySlot, dropSlot, load, markSlot, settle, truth, walsenderOf, withServer, writeSentinel } from '../server.mjs';

const COLD = 'bench_cold';
const WARM = 'bench_warm';
const SLOT = 'bench_dupwatch';
const SCANNING = 'cold, with the scan of open runs';
// Before the position.
const FIRST_EVENTS = 12;
// No run ends: all stay live to the last event.
const NEVER = '1000000-1000000';
// Where the runs table can be read, the open runs are scanned at every start, beside the stream. Not the one that tells the end: a
// scan would flag it before the stream is there.
const RUNS = `INSERT INTO workflow.workflow_runs (id, deployment_id, status, name)
  SELECT run_id, 'bench', 'running', 'bench' FROM workflow.workflow_events WHERE type = 'run_created' AND run_id <> $1`;

/** What a daemon took that is past its last sentinel. */
async function taken(_cluster, daemon, began, { flagged, used }) {
  await daemon.caughtUp();
  const runs = await daemon.metric('dupwatch_read_back_runs_total');
  await daemon.stop();
  return { seconds: (flagged - began) / 1e6, ...used, read_back_runs: runs, ...found(daemon) };
}

async function cold(cluster, plugin, config, { last }) {
  await copySlot(cluster, plugin, SLOT, COLD);
  const daemon = newDaemon(cluster, { slot: { name: SLOT, plugin }, ...config });
  try {
    const { streaming, flagged, used } = await dupwatchUntil(cluster, daemon, [last]);
    return await taken(cluster, daemon, streaming, { flagged: flagged[0], used });
  } finally {
    await daemon.destroy();
    await dropSlot(cluster, SLOT);
  }
}

function resume(pid) {
  try {
    process.kill(pid, 'SIGCONT');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // It has ended.
  }
}

/** Stops a walsender where it waits: one that is saving its slot holds a lock that every checkpoint waits for. */
async function stopWalsender(cluster, pid) {
  for (;;) {
    process.kill(pid, 'SIGSTOP');
    const { rows } = await cluster.sql.query('SELECT wait_event FROM pg_stat_activity WHERE pid = $1', [pid]);
    if (['WalSenderMain', 'WalSenderWaitForWAL'].includes(rows[0].wait_event)) return;
    process.kill(pid, 'SIGCONT');
    await sleep(10);
  }
}

/** A daemon that has the runs in memory, stopped together with its walsender while the backlog is written. */
class Warm {
  async begin(cluster, plugin, first) {
    await copySlot(cluster, plugin, WARM);
    this.daemon = newDaemon(cluster, { slot: { name: WARM, plugin }, baseline: 'none' });
    await dupwatchUntil(cluster, this.daemon, [first]);
    await this.daemon.caughtUp();
    this.pids = [this.daemon.child.pid, await walsenderOf(cluster, WARM)];
    this.daemon.child.kill('SIGSTOP');
    await stopWalsender(cluster, this.pids[1]);
  }

  async drain(cluster, last) {
    const [pid, walsender] = this.pids;
    const before = processorTime(pid);
    const began = Date.now() * 1000;
    for (const stopped of [walsender, pid]) process.kill(stopped, 'SIGCONT');
    const flagged = stamp(await logged(this.daemon, 'finding of the last duplicate', (line) => line.event === 'finding' && line.duplicate_id === last.id));
    return taken(cluster, this.daemon, began, { flagged, used: { client: processorTime(pid) - before, rss_mib: residentMemory(pid) } });
  }

  async end(cluster) {
    for (const pid of this.pids ?? []) resume(pid);
    if (!this.daemon) return;
    await this.daemon.destroy();
    await dropSlot(cluster, WARM);
  }
}

const SIDES = {
  warm: (cluster, _plugin, { warm, last }) => warm.drain(cluster, last),
  cold: (cluster, plugin, marks) => cold(cluster, plugin, { baseline: 'none' }, marks),
  [SCANNING]: async (cluster, plugin, marks) => {
    await cluster.sql.query(RUNS, [marks.last.run]);
    try {
      return await cold(cluster, plugin, {}, marks);
    } finally {
      await cluster.sql.query('TRUNCATE workflow.workflow_runs');
    }
  },
  floor: async (cluster, plugin, { last }) => {
    await copySlot(cluster, plugin, 'bench_floor', COLD);
    try {
      return await CLIENTS.floor(cluster, { plugin, slot: 'bench_floor', sentinel: last });
    } finally {
      await dropSlot(cluster, 'bench_floor');
    }
  },
};

/** Runs that `marks.warm` takes into memory, and the backlog behind the position of COLD. */
async function backlog(cluster, plugin, { events, runs }, marks) {
  await beginBacklog(cluster);
  await load(cluster, { events, 'first-events': FIRST_EVENTS, 'live-runs': runs, 'run-events': NEVER }, async () => {
    const first = await writeSentinel(cluster);
    await markSlot(cluster, COLD);
    await cluster.sql.query('ANALYZE');
    await marks.warm.begin(cluster, plugin, first);
  });
  marks.last = await writeSentinel(cluster);
  await cluster.sql.query('VACUUM (ANALYZE) workflow.workflow_events');
  await settle(cluster);
}

async function round(cluster, plugin, options, number) {
  const marks = { warm: new Warm() };
  try {
    await backlog(cluster, plugin, options, marks);
    const expected = await truth(cluster);
    const results = {};
    for (const side of turned(Object.keys(SIDES), number)) results[side] = await SIDES[side](cluster, plugin, marks);
    judge(results, expected);
    return results;
  } finally {
    await marks.warm.end(cluster);
    for (const slot of [COLD, 'bench_source']) await dropSlot(cluster, slot);
  }
}

/** No event behind the position is of the run that marks it, so a cold start alone does not look at that run. */
function judge(results, { duplicates }) {
  for (const [side, wanted] of [['warm', duplicates], ['cold', duplicates - 1], [SCANNING, duplicates]]) {
    if (results[side].duplicates !== wanted) throw new Error(`restart, ${side}: ${results[side].duplicates} duplicates, the table has ${wanted}`);
  }
}

export async function restart({ plugins, pairs, events, runs }) {
  const cells = [];
  await withServer(async (cluster) => {
    for (const plugin of plugins) {
      const rounds = [];
      for (let number = 0; number < pairs; number += 1) {
        rounds.push(await round(cluster, plugin, { events, runs }, number));
        process.stderr.write(`restart: ${plugin}, round ${number + 1}: ${Object.entries(rounds.at(-1)).map(([side, { seconds }]) => `${side} ${(events / seconds).toFixed(0)}/s`).join(', ')}\n`);
      }
      cells.push({ plugin, events, runs, rounds });
    }
  }, { plugins });
  return { cells, render: (all) => ({ tables: [table(all)] }) };
}

function table(cells) {
  const lines = ['| plugin | | events/s | to warm | CPU us an event | read back runs | RSS MiB |', '|---|---|---|---|---|---|---|'];
  for (const { plugin, events, rounds } of cells) {
    for (const side of Object.keys(SIDES)) {
      const of = (value) => rounds.map((results) => value(results[side], results));
      lines.push(`| ${[plugin, side, show(of(({ seconds }) => events / seconds), 0), show(of(({ seconds }, { warm }) => warm.seconds / seconds)),
        show(of(({ client }) => (1e6 * client) / events)), show(of((result) => result.read_back_runs), 0), show(of((result) => result.rss_mib), 0)].join(' | ')} |`);
    }
  }
  return { title: `Restart with a backlog of ${cells[0].events} events over ${cells[0].runs} runs`, lines };
}
