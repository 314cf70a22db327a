// What the guard costs an insert: the same rows by pgbench into the log of world-postgres 4.1.1 without the guard, with it and
// with it in the scope --lifecycle, one after the other in each round, in an order that turns.
//   node tests/bench/guard_cost.mjs [--rounds N] [--inserts N] [--fill N] [--fsync on|off]
// Prints the rows of RESULTS.md. Ratios are of one round's pair; medians over the rounds, with the least and the greatest.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { guard } from '../integration/guard_scene.mjs';
import { EVENTS } from '../integration/scene.mjs';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';

// One step's rows in the sizes that were measured on real runs: 200 bytes of argument, almost nothing on a start.
const insert = (type, bytes) => `
INSERT INTO ${EVENTS} (id, run_id, type, correlation_id, payload_cbor, spec_version) VALUES
  ('wevt_' || lpad((:n::bigint + ${{ step_created: 0, step_started: 1, step_completed: 2 }[type]})::text, 26, '0'), 'wrun_' || lpad((:n::bigint % 100000)::text, 26, '0'), '${type}',
   'step_' || lpad(:n::bigint::text, 26, '0'), decode(left(repeat(md5(:n::bigint::text), 20), ${2 * bytes}), 'hex'), 3);`;
const FRESH = '\\set n random(1, 1000000000000000000)';
const SCRIPTS = {
  step_created: { rows: 1, text: FRESH + insert('step_created', 300) },
  'whole step': { rows: 3, text: FRESH + insert('step_created', 300) + insert('step_started', 10) + insert('step_completed', 40) },
};
const FILL = `
  INSERT INTO ${EVENTS} (id, run_id, type, correlation_id, payload_cbor, spec_version)
  SELECT 'wevt_f' || lpad(i::text, 25, '0'), 'wrun_f' || lpad((i / 50)::text, 25, '0'), (ARRAY['step_created', 'step_started', 'step_completed'])[1 + i % 3],
         'step_f' || lpad((i / 3)::text, 25, '0'), decode(repeat(md5(i::text), 8), 'hex'), 3 FROM generate_series(1, $1::int) i`;
const SIDES = { off: undefined, created: [], lifecycle: ['--lifecycle'] };

async function put(cluster, side) {
  const acts = [['remove', '--yes']];
  if (SIDES[side]) acts.push(['install', '--yes', ...SIDES[side]]);
  for (const act of acts) {
    const { code, stdout, stderr } = await guard(cluster, act);
    if (code !== 0) throw new Error(`guard ${act.join(' ')}: ${stdout}${stderr}`);
  }
}

const children = ({ child: { pid } }) => fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').length;

/** CPU time of the server's children that have ended, in us: a session's time is there once the server has reaped it. */
async function cpuOf(cluster) {
  while (children(cluster) > cluster.idle) await sleep(5);
  const fields = fs.readFileSync(`/proc/${cluster.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10_000; // The clock's tick is 10 ms.
}

/** us per row: of the clock, and of the server's processors. */
async function measure(cluster, script, clients, inserts) {
  const { rows, text } = SCRIPTS[script];
  const file = path.join(cluster.dir, 'script.sql');
  fs.writeFileSync(file, text);
  const each = Math.round(inserts / rows / clients);
  const cpu = await cpuOf(cluster);
  const output = execFileSync(path.join(cluster.bin, 'pgbench'), ['-n', '-M', 'extended', '-f', file, '-c', clients, '-t', each, '-h', '127.0.0.1', '-p', cluster.port, '-U', 'postgres', cluster.database].map(String), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (!output.includes(`processed: ${each * clients}/${each * clients}`)) throw new Error(output);
  return { clock: 1e6 / (Number(/tps = ([\d.]+) \(without/.exec(output)[1]) * rows), cpu: (await cpuOf(cluster) - cpu) / (each * clients * rows) };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

const show = (values, digits) => `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;

function table(results) {
  const lines = ['| rows | clients | guard | us per insert | ratio | CPU us per insert | ratio |', '|---|---|---|---|---|---|---|'];
  for (const [key, rounds] of results) {
    for (const side of Object.keys(SIDES)) {
      const columns = ['clock', 'cpu'].flatMap((what) => [
        show(rounds.map((round) => round[side][what]), 1),
        side === 'off' ? '1' : show(rounds.map((round) => round[side][what] / round.off[what]), 2),
      ]);
      lines.push(`| ${key} | ${side} | ${columns.join(' | ')} |`);
    }
  }
  return lines.join('\n');
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' }, inserts: { type: 'string', default: '12000' }, fill: { type: 'string', default: '200000' }, fsync: { type: 'string', default: 'off' } } });
// The table must not be vacuumed in one side's time, nor a checkpoint fall into it.
const cluster = await createCluster({ settings: { fsync: values.fsync, shared_buffers: '512MB', max_wal_size: '8GB', checkpoint_timeout: '1h', autovacuum: 'off' } });
try {
  await installSchema('4.1.1', cluster.uri());
  await cluster.query(FILL, [Number(values.fill)]);
  await cluster.query('ANALYZE');
  await sleep(1000);
  cluster.idle = children(cluster); // The server's own processes.
  const results = new Map();
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    for (const script of Object.keys(SCRIPTS)) {
      for (const clients of [1, 4]) {
        const sides = Object.keys(SIDES);
        const measured = {};
        for (let i = 0; i < sides.length; i += 1) {
          const side = sides[(i + round) % sides.length];
          await put(cluster, side);
          measured[side] = await measure(cluster, script, clients, Number(values.inserts));
        }
        if (round === 0) continue; // Warms up.
        const key = `${script} | ${clients}`;
        results.set(key, [...(results.get(key) ?? []), measured]);
      }
    }
    console.error(`round ${round} of ${values.rounds}, load ${fs.readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`);
  }
  console.log(table(results));
} finally {
  await cluster.destroy();
}
