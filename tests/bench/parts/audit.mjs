// The whole table: `dupwatch audit` against reading the same columns to nothing, and against GROUP BY.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { binary } from '../../integration/daemon.mjs';
import { EVENTS } from '../../integration/scene.mjs';
import { show, turned } from '../figures.mjs';
import { bin, load, truth, withServer } from '../server.mjs';
import { SINGLE_TYPES } from '../types.mjs';

const single = SINGLE_TYPES.map((type) => `'${type}'`).join(', ');
const GROUP_BY = `SELECT run_id, correlation_id, type, count(*) FROM ${EVENTS} WHERE type IN (${single}) GROUP BY run_id, correlation_id, type HAVING count(*) > 1`;
const COPY = `COPY (SELECT run_id, id, correlation_id, type FROM ${EVENTS}) TO STDOUT`;
const psql = (cluster, sql) => [path.join(cluster.bin, 'psql'), '-X', '-q', '-A', '-t', '-h', '127.0.0.1', '-p', cluster.port, '-U', 'postgres', '-d', cluster.database, '-c', sql];

const SIDES = {
  audit: (cluster) => [binary(), 'audit', '--format', 'json', '--dsn', cluster.dsn()],
  'copy to nothing': (cluster) => psql(cluster, COPY),
  'group by': (cluster) => psql(cluster, GROUP_BY),
};

function run(cluster, side) {
  const [usage, output] = ['usage.json', 'output'].map((name) => path.join(cluster.dir, name));
  const file = fs.openSync(side === 'copy to nothing' ? '/dev/null' : output, 'w');
  const { status } = spawnSync(bin('bench_measured'), [usage, ...SIDES[side](cluster)].map(String), { stdio: ['ignore', file, 'inherit'] });
  fs.closeSync(file);
  // An audit that finds something ends with 1.
  if (status !== 0 && !(side === 'audit' && status === 1)) throw new Error(`${side} ended with ${status}`);
  const result = JSON.parse(fs.readFileSync(usage, 'utf8'));
  if (side === 'audit') result.duplicates = rowsAtFault(output);
  return result;
}

function rowsAtFault(file) {
  const findings = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  return new Set(findings.filter(({ rule }) => rule === 'duplicate_created').map(({ duplicate }) => duplicate.id)).size;
}

export async function audit({ pairs, rows = 10_000_000 }) {
  return withServer(async (cluster) => {
    await load(cluster, { events: rows, copy: true });
    await cluster.sql.query(`VACUUM (ANALYZE) ${EVENTS}`);
    await cluster.sql.query('CHECKPOINT');
    const expected = await truth(cluster);
    const rounds = [];
    for (let number = 0; number < pairs; number += 1) {
      const results = {};
      for (const side of turned(Object.keys(SIDES), number)) results[side] = run(cluster, side);
      if (results.audit.duplicates !== expected.duplicates) throw new Error(`audit found ${results.audit.duplicates} duplicates, the table has ${expected.duplicates}`);
      rounds.push(results);
      process.stderr.write(`audit: round ${number + 1}: ${Object.entries(results).map(([side, { seconds }]) => `${side} ${seconds.toFixed(1)} s`).join(', ')}\n`);
    }
    return { cells: [{ rows, rounds }], render: (all) => ({ tables: all.map((cell) => table(cell.rows, cell.rounds)) }) };
  }, { plugins: [] });
}

function table(rows, rounds) {
  const lines = ['| | seconds | to copy | CPU of the client, s | RSS MiB |', '|---|---|---|---|---|'];
  for (const side of Object.keys(SIDES)) {
    const of = (value) => rounds.map((results) => value(results[side], results));
    lines.push(`| ${[side, show(of(({ seconds }) => seconds), 1), show(of(({ seconds }, results) => seconds / results['copy to nothing'].seconds)), show(of(({ user, system }) => user + system), 1), show(of(({ rss_kib: rss }) => rss / 1024), 0)].join(' | ')} |`);
  }
  return { title: `A table of ${rows} rows`, lines };
}
