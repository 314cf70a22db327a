// A restart: a backlog over runs that were begun before the slot's position, so that each is read back once, against the same
// backlog with the runs in memory.
import { CLIENTS, dupwatchUntil, found, newDaemon } from '../clients.mjs';
import { show, turned } from '../figures.mjs';
import { beginBacklog, copySlot, dropSlot, load, markSlot, settle, truth, withServer, writeSentinel } from '../server.mjs';

const COLD = 'bench_cold';
const SCANNING = 'cold, with the scan of open runs';
// Before the position.
const FIRST_EVENTS = 12;
// No run ends: all stay live to the last event.
const NEVER = '1000000-1000000';
// Where the runs table can be read, the open runs are scanned at every start, beside the stream.
const RUNS = `INSERT INTO workflow.workflow_runs (id, deployment_id, status, name)
  SELECT run_id, 'bench', 'running', 'bench' FROM workflow.workflow_events WHERE type = 'run_created'`;

async function dupwatch(cluster, plugin, config, from, sentinels) {
  const slot = 'bench_dupwatch';
  await copySlot(cluster, plugin, slot, from);
  const daemon = newDaemon(cluster, { slot: { name: slot, plugin }, ...config });
  try {
    const { streaming, flagged, used } = await dupwatchUntil(cluster, daemon, sentinels);
    await daemon.caughtUp();
    const runs = await daemon.metric('dupwatch_read_back_runs_total');
    await daemon.stop();
    // Warm: from the finding of the duplicate before the backlog; cold: from the start of the stream.
    const began = flagged.length > 1 ? flagged[0] : streaming;
    return { seconds: (flagged.at(-1) - began) / 1e6, ...used, read_back_runs: runs, ...found(daemon) };
  } finally {
    await daemon.destroy();
    await dropSlot(cluster, slot);
  }
}

const SIDES = {
  warm: (cluster, plugin, { first, last }) => dupwatch(cluster, plugin, { baseline: 'none' }, undefined, [first, last]),
  cold: (cluster, plugin, { last }) => dupwatch(cluster, plugin, { baseline: 'none' }, COLD, [last]),
  [SCANNING]: async (cluster, plugin, { last }) => {
    await cluster.sql.query(RUNS);
    try {
      return await dupwatch(cluster, plugin, {}, COLD, [last]);
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

async function backlog(cluster, { events, runs }) {
  const marks = {};
  await beginBacklog(cluster);
  await load(cluster, { events, 'first-events': FIRST_EVENTS, 'live-runs': runs, 'run-events': NEVER }, async () => {
    marks.first = await writeSentinel(cluster);
    await markSlot(cluster, COLD);
  });
  marks.last = await writeSentinel(cluster);
  await cluster.sql.query('VACUUM (ANALYZE) workflow.workflow_events');
  await settle(cluster);
  return marks;
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
    const marks = await backlog(cluster, { events, runs });
    const expected = await truth(cluster);
    for (const plugin of plugins) {
      const rounds = [];
      for (let number = 0; number < pairs; number += 1) {
        const results = {};
        for (const side of turned(Object.keys(SIDES), number)) results[side] = await SIDES[side](cluster, plugin, marks);
        judge(results, expected);
        rounds.push(results);
        process.stderr.write(`restart: ${plugin}, round ${number + 1}: ${Object.entries(results).map(([side, { seconds }]) => `${side} ${(events / seconds).toFixed(0)}/s`).join(', ')}\n`);
      }
      cells.push({ plugin, events, runs, rounds });
    }
    for (const slot of [COLD, 'bench_source']) await dropSlot(cluster, slot);
  }, { plugins });
  return { cells, render: (all) => ({ tables: [table(all)] }) };
}

function table(cells) {
  const lines = ['| plugin | | events/s | to warm | CPU us an event | read back runs | RSS MiB |', '|---|---|---|---|---|---|---|'];
  for (const { plugin, events, rounds } of cells) {
    for (const side of Object.keys(SIDES)) {
      const of = (value) => rounds.map((results) => value(results[side], results));
      // The warm client's processor time holds the runs' begin too.
      lines.push(`| ${[plugin, side, show(of(({ seconds }) => events / seconds), 0), show(of(({ seconds }, { warm }) => warm.seconds / seconds)),
        side === 'warm' ? '-' : show(of(({ client }) => (1e6 * client) / events)), show(of((result) => result.read_back_runs), 0), show(of((result) => result.rss_mib), 0)].join(' | ')} |`);
    }
  }
  return { title: `Restart with a backlog of ${cells[0].events} events over ${cells[0].runs} runs`, lines };
}
