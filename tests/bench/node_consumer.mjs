// A consumer as it is written in an afternoon: pg-logical-replication from npm, and a Map of what was seen of each run.
//   node node_consumer.mjs PORT DATABASE SLOT PLUGIN LAST_RUN
// Prints one JSON line when it meets the duplicate of LAST_RUN, and waits for the end of its standard input.
import { createRequire } from 'node:module';
import { SINGLE_TYPES } from './types.mjs';

// The package's module build has imports that node does not resolve.
const { LogicalReplicationService, PgoutputPlugin, Wal2JsonPlugin } = createRequire(import.meta.url)('pg-logical-replication');
const [port, database, slot, pluginName, lastRun] = process.argv.slice(2);
const single = new Set(SINGLE_TYPES);
const ends = new Set(['run_completed', 'run_failed', 'run_cancelled']);
const runs = new Map();
let inserts = 0;
let duplicates = 0;
let began;

const service = new LogicalReplicationService(
  { host: '127.0.0.1', port: Number(port), database, user: 'postgres' },
  { acknowledge: { auto: false, timeoutSeconds: 1 } },
);
const plugin = pluginName === 'pgoutput'
  ? new PgoutputPlugin({ protoVersion: 1, publicationNames: ['dupwatch'] })
  : new Wal2JsonPlugin({ formatVersion: '2', includeXids: true, includeTimestamp: true, includeLsn: true, includeTypes: false, includeTransaction: true, actions: 'insert,truncate', addTables: 'workflow.workflow_events' });

function rowOf(message) {
  if (pluginName === 'pgoutput') return message.tag === 'insert' ? message.new : undefined;
  if (message.action !== 'I') return undefined;
  const row = {};
  for (const { name, value } of message.columns) row[name] = value;
  return row;
}

function take({ run_id: run, correlation_id: correlation, type, id }) {
  inserts += 1;
  if (!single.has(type)) return;
  let seen = runs.get(run);
  if (!seen) {
    seen = new Map();
    runs.set(run, seen);
  }
  const identity = `${run}|${correlation}|${type}`;
  const first = seen.get(identity);
  if (first === undefined) {
    seen.set(identity, id);
    if (ends.has(type)) runs.delete(run);
  } else if (first !== id) {
    duplicates += 1;
    if (run === lastRun) tell();
  }
}

function tell() {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const seconds = (performance.now() - began) / 1000;
  console.log(JSON.stringify({ seconds, inserts, duplicates, user: userCPUTime / 1e6, system: systemCPUTime / 1e6, rss_kib: maxRSS }));
}

service.on('start', () => { began = performance.now(); });
service.on('data', (_lsn, message) => {
  const row = rowOf(message);
  if (row) take(row);
});
service.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
process.stdin.resume();
process.stdin.once('end', () => process.exit(0));
service.subscribe(plugin, slot);
