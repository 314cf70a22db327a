// What the witness and every other query of dupwatch cost the server beside a steady load: the time of the witness's statements and
// the processor time of dupwatch's sessions other than the walsender, as shares of the processor time that the server uses.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { newDaemon } from '../clients.mjs';
import { processorTime, show } from '../figures.mjs';
import { dropSlot, load, withServer } from '../server.mjs';
import { writeScript } from './primary.mjs';

const CLIENTS = 4;
const WARM_MS = 5000;
// The witness asks for a snapshot, for rows by the primary key, and for those that the stream brought.
const WITNESS = '^SELECT (pg_snapshot_xmin|e."run_id", e."id")';

/** Seconds that the server has used: its living processes, and those that its postmaster has reaped. */
function serverTime(cluster) {
  const { pid } = cluster.child;
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).map(Number);
  const [user, system] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(13, 15).map(Number);
  return [pid, ...children].reduce((sum, process) => sum + timeOf(process), (user + system) / 100);
}

/** One that has just ended is in the postmaster's sum. */
function timeOf(pid) {
  try {
    return processorTime(pid);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return 0;
    throw error;
  }
}

/** Seconds of the sessions that ask, and of the walsender. */
async function sessionTimes(cluster) {
  const { rows } = await cluster.sql.query("SELECT pid, backend_type FROM pg_stat_activity WHERE application_name LIKE 'dupwatch%'");
  const sum = (wanted) => rows.filter(({ backend_type: type }) => (type === 'walsender') === wanted).reduce((total, { pid }) => total + timeOf(pid), 0);
  return { asking: sum(false), walsender: sum(true) };
}

function startPgbench(cluster, rate, seconds) {
  const args = ['-n', '-M', 'prepared', '-f', writeScript(cluster), '-c', CLIENTS, '-j', 1, '-R', rate, '-T', seconds, '-D', 'i=-1', '-D', `base=${Date.now() * 1e6}`, '-h', '127.0.0.1', '-p', cluster.port, '-U', 'postgres', cluster.database];
  const child = spawn(path.join(cluster.bin, 'pgbench'), args.map(String), { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
  return new Promise((resolve, reject) => {
    child.once('close', (code) => (code === 0 ? resolve(Number(/tps = ([\d.]+) \(without/.exec(output)[1])) : reject(new Error(`pgbench ended with ${code}: ${output}`))));
  });
}

async function round(cluster, plugin, rate, seconds) {
  const daemon = newDaemon(cluster, { slot: { name: 'dupwatch', plugin } });
  try {
    await daemon.start();
    const load = startPgbench(cluster, rate, seconds + WARM_MS / 1000 + 2);
    load.catch(() => {}); // reported below
    await new Promise((resolve) => { setTimeout(resolve, WARM_MS); });
    const witnessed = await daemon.metric('dupwatch_witness_comparisons_total');
    await cluster.sql.query('SELECT pg_stat_statements_reset()');
    const before = { ...await sessionTimes(cluster), server: serverTime(cluster), own: processorTime(daemon.child.pid) };
    await new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });
    const after = { ...await sessionTimes(cluster), server: serverTime(cluster), own: processorTime(daemon.child.pid) };
    const used = Object.fromEntries(Object.keys(before).map((key) => [key, after[key] - before[key]]));
    const { rows: [statements] } = await cluster.sql.query(`SELECT (sum(total_exec_time) / 1000)::float8 AS seconds, sum(calls)::int AS calls
      FROM pg_stat_statements WHERE query ~ $1`, [WITNESS]);
    const rounds = await daemon.metric('dupwatch_witness_comparisons_total') - witnessed;
    return { ...used, witness: statements.seconds, statements: statements.calls, rounds, tps: await load };
  } finally {
    await daemon.destroy();
    await dropSlot(cluster, 'dupwatch');
  }
}

export async function witness({ plugins, pairs, rates, seconds = 30, rows = 1_000_000 }) {
  const cells = [];
  await withServer(async (cluster) => {
    await cluster.sql.query('CREATE EXTENSION pg_stat_statements');
    await load(cluster, { events: rows, copy: true });
    await cluster.sql.query('VACUUM (ANALYZE) workflow.workflow_events');
    for (const rate of rates) {
      for (const plugin of plugins) {
        const cell = { plugin, rate, seconds, rows, rounds: [] };
        for (let number = 0; number < pairs; number += 1) {
          cell.rounds.push(await round(cluster, plugin, rate, seconds));
          process.stderr.write(`witness: ${plugin}, ${rate}/s, round ${number + 1} of ${pairs}: ${JSON.stringify(cell.rounds.at(-1))}\n`);
        }
        cells.push(cell);
      }
    }
  }, { settings: { shared_preload_libraries: 'pg_stat_statements' } });
  return { cells, render: (all) => ({ tables: [table(all)] }) };
}

function table(cells) {
  const lines = ['| plugin | events/s | looks of the witness | their statements, % of the server | all sessions of dupwatch with queries, % | walsender, % | server, CPU seconds a second | dupwatch |', '|---|---|---|---|---|---|---|---|'];
  for (const { plugin, seconds, rounds } of cells) {
    const share = (key) => show(rounds.map((result) => (100 * result[key]) / result.server));
    lines.push(`| ${[plugin, show(rounds.map(({ tps }) => tps), 0), show(rounds.map((result) => result.rounds), 0), share('witness'), share('asking'), share('walsender'), show(rounds.map(({ server }) => server / seconds), 3), show(rounds.map(({ own }) => own / seconds), 3)].join(' | ')} |`);
  }
  return { title: `A steady load beside dupwatch, for ${cells[0].seconds} s, into a table of ${cells[0].rows} rows and more`, lines };
}
