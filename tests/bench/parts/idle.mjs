// What an idle daemon holds, and how long a start takes when the slot is there.
import { setTimeout as sleep } from 'node:timers/promises';
import { logged, newDaemon, stamp } from '../clients.mjs';
import { residentMemory, show } from '../figures.mjs';
import { dropSlot, load, withServer } from '../server.mjs';

const QUIET_MS = 3000;
const EVENTS_BEFORE = 20_000;

async function start(cluster, plugin, quietMs = QUIET_MS) {
  const daemon = newDaemon(cluster, { slot: { name: 'dupwatch', plugin } });
  try {
    const began = (performance.timeOrigin + performance.now()) * 1000;
    await daemon.start({ ready: false });
    const streaming = stamp(await logged(daemon, 'stream', (line) => line.event === 'streaming'));
    await sleep(quietMs);
    const { pid } = daemon.child;
    const result = { start_ms: (streaming - began) / 1000, rss_mib: residentMemory(pid, 'VmRSS'), anonymous_mib: residentMemory(pid, 'RssAnon') };
    await daemon.stop();
    return result;
  } finally {
    await daemon.destroy();
  }
}

export async function idle({ plugins, pairs }) {
  const cells = [];
  await withServer(async (cluster) => {
    await load(cluster, { events: EVENTS_BEFORE });
    for (const plugin of plugins) {
      await start(cluster, plugin, 0); // Makes the slot.
      const rounds = [];
      for (let number = 0; number < pairs; number += 1) rounds.push(await start(cluster, plugin));
      cells.push({ plugin, rounds });
      await dropSlot(cluster, 'dupwatch');
    }
  }, { plugins });
  return { cells, render: (all) => ({ tables: [table(all)] }) };
}

function table(cells) {
  const lines = ['| plugin | start of the program to the stream, ms | RSS MiB | of it anonymous |', '|---|---|---|---|'];
  for (const { plugin, rounds } of cells) lines.push(`| ${plugin} | ${['start_ms', 'rss_mib', 'anonymous_mib'].map((key) => show(rounds.map((round) => round[key]), 1)).join(' | ')} |`);
  return { title: 'An idle daemon', lines };
}
