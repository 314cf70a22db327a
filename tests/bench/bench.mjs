// The end-to-end benchmarks: dupwatch against a client that reads the same stream and throws it away, against pg_recvlogical, a
// Node consumer and the SQL that people poll with. tests/bench/run builds what is needed and starts this.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { audit } from './parts/audit.mjs';
import { drain } from './parts/drain.mjs';
import { idle } from './parts/idle.mjs';
import { latency } from './parts/latency.mjs';
import { memory } from './parts/memory.mjs';
import { primary } from './parts/primary.mjs';
import { restart } from './parts/restart.mjs';
import { witness } from './parts/witness.mjs';
import { worst } from './parts/worst.mjs';
import { machine } from './machine.mjs';
import { writeResults } from './report.mjs';

const PARTS = { drain, latency, restart, memory, audit, idle, primary, witness, worst };

const HELP = `usage: tests/bench/run [options]

  --only PARTS         of ${Object.keys(PARTS).join(', ')}; all
  --pairs N            rounds; in each one every client runs once, in an order that turns; 5
  --events N           events of a backlog; 1000000, and a fifth of it with payloads of 20 KB
  --plugins LIST       wal2json,pgoutput
  --payloads LIST      bytes of a payload; 200,2048,20480
  --transactions LIST  events per transaction; 1,10,10000
  --clients LIST       of floor, dupwatch, recvlogical, node, polling; all. Ratios are to floor
  --rates LIST         latency, witness: events per second; 100,1000
  --seconds N          latency, primary, witness: how long each round writes; 30, 10, 30
  --runs N             restart: cold runs; 20000
  --memory-max SIZE    memory: index.memory_max in MiB; 64
  --rows N             audit: rows of the table; 10000000. primary, witness: rows that are there before; worst: rows of an input; 1000000
  --out FOLDER         where the rounds go as JSON; a new folder below ${os.tmpdir()}
  --join               add to the rounds that FOLDER holds of the same parts, so that a long part can be measured in pieces
  --publish            write the tables and the plots into RESULTS.md too
`;

const number = (text, name) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) usage(`--${name} ${text}: expected a whole number from 1 on`);
  return value;
};

function usage(message) {
  process.stderr.write(`tests/bench/run: ${message}\n\n${HELP}`);
  process.exit(2);
}

function options() {
  const text = { type: 'string' };
  const keys = { only: text, pairs: text, events: text, plugins: text, payloads: text, transactions: text, clients: text, rates: text, seconds: text, runs: text, 'memory-max': text, rows: text, out: text, join: { type: 'boolean' }, publish: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } };
  let values;
  try {
    ({ values } = parseArgs({ options: keys }));
  } catch (error) {
    usage(error.message);
  }
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const list = (name, known, fallback = known) => {
    const chosen = values[name]?.split(',') ?? fallback;
    const wrong = chosen.find((item) => known && !known.includes(item));
    if (wrong) usage(`--${name}: ${wrong} is none of ${known.join(', ')}`);
    return chosen;
  };
  const one = (name) => (values[name] === undefined ? undefined : number(values[name], name));
  return {
    parts: list('only', Object.keys(PARTS)),
    plugins: list('plugins', ['wal2json', 'pgoutput']),
    clients: list('clients', ['floor', 'dupwatch', 'recvlogical', 'node', 'polling']),
    payloads: list('payloads', undefined, ['200', '2048', '20480']).map((item) => number(item, 'payloads')),
    transactions: list('transactions', undefined, ['1', '10', '10000']).map((item) => number(item, 'transactions')),
    rates: list('rates', undefined, ['100', '1000']).map((item) => number(item, 'rates')),
    pairs: one('pairs') ?? 5, events: one('events') ?? 1_000_000, seconds: one('seconds'), runs: one('runs') ?? 20_000,
    memoryMax: one('memory-max') ?? 64, rows: one('rows'), join: values.join ?? false, publish: values.publish ?? false,
    out: values.out ?? fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-bench-')),
  };
}

const chosen = options();
fs.mkdirSync(chosen.out, { recursive: true });
const command = `tests/bench/run ${process.argv.slice(2).filter((word, i, words) => !['--publish', '--join', '--out'].includes(word) && words[i - 1] !== '--out').join(' ')}`.trim();
for (const name of chosen.parts) {
  const file = path.join(chosen.out, `${name}.json`);
  const earlier = chosen.join && fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : { commands: [], cells: [] };
  const { cells, render } = await PARTS[name](chosen);
  const all = [...earlier.cells, ...cells];
  const record = { part: name, commands: [...earlier.commands, command], date: new Date().toISOString().slice(0, 10), machine: machine(), cells: all, ...render(all) };
  fs.writeFileSync(file, `${JSON.stringify(record, undefined, 1)}\n`);
  process.stdout.write(`${record.tables.map(({ title, lines }) => `${title}\n\n${lines.join('\n')}`).join('\n\n')}\n\n`);
  if (chosen.publish) writeResults(record);
}
process.stderr.write(`rounds: ${chosen.out}\n`);
