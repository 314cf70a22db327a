// What somebody with INSERT may write so that we work the most, each drained beside an ordinary log of as many rows. WORST_INPUTS is a
// pattern of those to measure, all if it isn't set.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { newDaemon, position } from '../clients.mjs';
import { EVENTS } from '../../integration/scene.mjs';
import { processorTime, residentMemory, show } from '../figures.mjs';
import { beginBacklog, bin, copySlot, dropSlot, settle, truth, withServer, writeSentinel } from '../server.mjs';

const SLOT = 'bench_worst';
const MIB = 2 ** 20;
const LIMIT_MIB = 64;
const PER_TRANSACTION = 10;
const PAYLOAD = 200;
// The daemon publishes four times a second.
const PAUSE_MS = 250;

const ulid = (prefix, number) => `'${prefix}_' || lpad((${number})::text, 26, '0')`;
const EVENT = ulid('wevt', '1000 + n');
const text = (number) => `(SELECT text FROM colliding WHERE number = ${number})`;
// Columns by n, the number of a row from 0 on; `rows` in place of n is how many there are.
const INPUTS = {
  ordinary: { run: ulid('wrun', 'n / 20'), id: EVENT, identity: ulid('step', 'n / 2'), type: "CASE n % 2 WHEN 0 THEN 'step_created' ELSE 'step_completed' END" },
  'descending ids of one identity': { run: ulid('wrun', 1), id: ulid('wevt', '1000 + rows - n'), identity: "'step_1'", type: "'step_created'" },
  'colliding hashes of identities': { run: ulid('wrun', 1), id: EVENT, identity: text('n'), type: "'step_created'" },
  'colliding hashes of runs and ids': { run: `'run ' || ${text('n / 4')}`, id: text('n'), identity: "'step_1'", type: "'hook_received'" },
  'one run': { run: ulid('wrun', 1), id: EVENT, identity: ulid('hook', 'n % 7'), type: "'hook_received'" },
  'one identity': { run: ulid('wrun', 1), id: EVENT, identity: "'step_1'", type: "'step_created'" },
  'all duplicates': { run: ulid('wrun', 'n / 4'), id: EVENT, identity: "'step_1'", type: "'step_created'" },
  'one transaction': { run: ulid('wrun', 'n / 20'), id: EVENT, identity: ulid('step', 'n / 2'), type: "CASE n % 2 WHEN 0 THEN 'step_created' ELSE 'step_completed' END", perTransaction: 'rows' },
  'one transaction, one identity': { run: ulid('wrun', 1), id: EVENT, identity: "'step_1'", type: "'step_created'", perTransaction: 'rows' },
  'three runs in turn that do not fit': { run: ulid('wrun', 'n % 3'), id: EVENT, identity: "'hook_1'", type: "'hook_received'" },
  '100,000 runs in turn that do not fit': { run: ulid('wrun', 'n % 100000'), id: EVENT, identity: "'hook_1'", type: "'hook_received'", memoryMaxMiB: 4 },
};

/** Texts of bench_colliding in the table `colliding`, numbered from 0. */
async function fillTexts(cluster, rows) {
  const all = execFileSync(bin('bench_colliding'), [String(rows)], { maxBuffer: 64 * rows, encoding: 'utf8' });
  const words = all.trimEnd().split('\n');
  await cluster.sql.query('CREATE TABLE colliding (number integer PRIMARY KEY, text text NOT NULL)');
  const BATCH = 100_000;
  for (let from = 0; from < rows; from += BATCH) {
    await cluster.sql.query('INSERT INTO colliding SELECT $1::int + ordinality - 1, text FROM unnest($2::text[]) WITH ORDINALITY AS t(text, ordinality)', [from, words.slice(from, from + BATCH)]);
  }
  await cluster.sql.query('ANALYZE colliding');
}

async function write(cluster, input, rows) {
  const column = (sql) => sql.replace(/\brows\b/g, String(rows));
  const step = input.perTransaction === 'rows' ? rows : PER_TRANSACTION;
  await cluster.sql.query(`SET synchronous_commit = off; SET enable_seqscan = off`);
  await cluster.sql.query(`DO $$ BEGIN FOR batch IN 0..${Math.ceil(rows / step) - 1} LOOP
    INSERT INTO ${EVENTS} (run_id, id, correlation_id, type, payload_cbor, spec_version)
    SELECT ${column(input.run)}, ${column(input.id)}, ${column(input.identity)}, ${column(input.type)}, decode(repeat('ab', ${PAYLOAD}), 'hex'), 3
    FROM generate_series(batch * ${step}, least((batch + 1) * ${step}, ${rows}) - 1) AS n ORDER BY n;
    COMMIT;
  END LOOP; END $$`);
  await cluster.sql.query('RESET ALL');
}

/** Lines, bytes and rows at fault of a findings file that may be longer than any string. */
async function fileOf(daemon) {
  const rows = new Set();
  let records = 0;
  if (!fs.existsSync(daemon.findingsFile)) return { records, rows: 0, bytes: 0 };
  for await (const line of createInterface({ input: fs.createReadStream(daemon.findingsFile), crlfDelay: Infinity })) {
    records += 1;
    const { rule, duplicate } = JSON.parse(line);
    if (rule === 'duplicate_created') rows.add(duplicate.id);
  }
  return { records, rows: rows.size, bytes: fs.statSync(daemon.findingsFile).size };
}

const value = (text, metric) => Number(new RegExp(`^${metric} (.*)$`, 'm').exec(text)?.[1] ?? 0);

async function drained(cluster, plugin, input, sentinel) {
  await copySlot(cluster, plugin, SLOT);
  const memoryMax = input.memoryMaxMiB ?? LIMIT_MIB;
  const daemon = newDaemon(cluster, { slot: { name: SLOT, plugin }, baseline: 'none', index: { memory_max: `${memoryMax}MiB` } });
  let peak = 0;
  try {
    const began = performance.now();
    await daemon.start({ ready: false });
    for (let confirmed = 0; confirmed < position(sentinel.behind); await sleep(PAUSE_MS)) {
      if (daemon.exit) throw new Error(`worst: dupwatch ended\n${daemon.tail()}`);
      const text = await daemon.fetch('/metrics').then((response) => response.text(), () => '');
      peak = Math.max(peak, value(text, 'dupwatch_index_memory_bytes'));
      confirmed = value(text, 'dupwatch_stream_confirmed_lsn_bytes');
    }
    const seconds = (performance.now() - began) / 1000;
    const { pid } = daemon.child;
    const used = { seconds, client: processorTime(pid), rss_mib: residentMemory(pid), index_mib: peak / MIB, memory_max_mib: memoryMax };
    used.read_back_runs = await daemon.metric('dupwatch_read_back_runs_total');
    await daemon.stop();
    return { ...used, file: await fileOf(daemon) };
  } finally {
    await daemon.destroy();
    await dropSlot(cluster, SLOT);
  }
}

export async function worst({ plugins, pairs, rows = 1_000_000 }) {
  const cells = [];
  await withServer(async (cluster) => {
    await fillTexts(cluster, rows);
    for (const [name, input] of Object.entries(INPUTS).filter(([name]) => new RegExp(process.env.WORST_INPUTS ?? '').test(name))) {
      await beginBacklog(cluster);
      await write(cluster, input, rows);
      const sentinel = await writeSentinel(cluster);
      await cluster.sql.query(`VACUUM (ANALYZE) ${EVENTS}`);
      await settle(cluster);
      const expected = await truth(cluster);
      for (const plugin of plugins) {
        const cell = { name, plugin, rows, duplicates: expected.duplicates, rounds: [] };
        for (let number = 0; number < pairs; number += 1) {
          const result = await drained(cluster, plugin, input, sentinel);
          if (result.file.rows !== expected.duplicates) throw new Error(`worst: ${name} by ${plugin}: dupwatch found ${result.file.rows} duplicates, the table has ${expected.duplicates}`);
          cell.rounds.push(result);
          process.stderr.write(`worst: ${plugin}, ${name}, round ${number + 1} of ${pairs}: ${(rows / result.seconds).toFixed(0)}/s, ${JSON.stringify(result)}\n`);
        }
        cells.push(cell);
      }
      await dropSlot(cluster);
    }
  }, { plugins });
  return { cells, render: (all) => ({ tables: [table(all)] }) };
}

function table(cells) {
  const lines = ['| plugin | input | rows/s | to ordinary | CPU us a row | bound of the index MiB | index at most MiB | peak RSS MiB | runs read back | duplicates, as SQL finds them | findings file, bytes a row |', '|---|---|---|---|---|---|---|---|---|---|---|'];
  for (const cell of cells) {
    const ordinary = cells.find(({ name, plugin }) => name === 'ordinary' && plugin === cell.plugin);
    const of = (value, digits) => show(cell.rounds.map(value), digits);
    lines.push(`| ${[cell.plugin, cell.name, of(({ seconds }) => cell.rows / seconds, 0), ordinary ? of(({ seconds }, i) => ordinary.rounds[i].seconds / seconds) : '-',
      of(({ client }) => (1e6 * client) / cell.rows), cell.rounds[0].memory_max_mib, of(({ index_mib: mib }) => mib, 1), of(({ rss_mib: mib }) => mib, 0), of(({ read_back_runs: n }) => n, 0),
      cell.duplicates, of(({ file }) => file.bytes / cell.rows, 0)].join(' | ')} |`);
  }
  return { title: `${cells[0].rows} rows of each input with a payload of ${PAYLOAD} bytes, ${PER_TRANSACTION} a transaction where nothing else is said; from the start of the program to the confirmation of the last row`, lines };
}
