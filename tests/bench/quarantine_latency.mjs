// From the commit of a fatal row to the commit of its removal, one row at a time on an idle machine:
//   node tests/bench/quarantine_latency.mjs [--rows N] [--plugin wal2json|pgoutput]
// Both times are the server's own (pg_xact_commit_timestamp). Prints one JSON object.
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { Daemon, runCommand } from '../integration/daemon.mjs';
import { eventId, insertEvents } from '../integration/scene.mjs';

const { values } = parseArgs({ options: { rows: { type: 'string', default: '300' }, plugin: { type: 'string', default: 'wal2json' } } });
const rows = Number(values.rows);
const cluster = await createCluster({ settings: { track_commit_timestamp: 'on' } });
const daemon = new Daemon(cluster, {
  slot: { plugin: values.plugin }, quarantine: { mode: 'remove', max_per_minute: 10_000, max_per_hour: 100_000, max_per_run: 1000 },
});
try {
  await installSchema('4.1.1', cluster.uri());
  const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
  await cluster.query(setup.stdout);
  await daemon.start();
  await daemon.caughtUp();
  for (let i = 0; i < rows; i += 1) {
    const event = (type, order) => ({ run: `wrun_${i}`, type, correlation: `step_${i}`, id: eventId(order) });
    await insertEvents(cluster, [event('step_created', 1), event('step_started', 2), event('step_completed', 3)]);
    await sleep(50);
    await insertEvents(cluster, [event('step_created', 4)]);
    await sleep(50);
  }
  const times = (await cluster.query(`SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - (finding #>> '{duplicate,commit_time}')::timestamptz) * 1000 AS ms
    FROM dupwatch.quarantine ORDER BY 1`)).map(({ ms }) => Number(ms));
  if (times.length !== rows) throw new Error(`${times.length} rows were removed, wanted ${rows}`);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))];
  console.log(JSON.stringify({ plugin: values.plugin, rows, p50_ms: at(0.5), p90_ms: at(0.9), p99_ms: at(0.99), max_ms: times.at(-1) }));
} finally {
  await daemon.destroy();
  await cluster.destroy();
}
