// The end-to-end benchmarks on sizes that say nothing of speed: every part runs, and every client counts what is in the table.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { binary } from './daemon.mjs';
import { full } from './scene.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const TINY = { pairs: 1, events: 4000, payloads: 200, transactions: 10, runs: 100, rows: 20_000, seconds: 1, rates: 1000, 'memory-max': 1 };

/** Runs parts of the benchmarks and resolves what each wrote. */
async function bench(t, parts, options = {}) {
  const out = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-bench-'));
  t.after(() => fs.rmSync(out, { recursive: true }));
  const words = Object.entries({ ...TINY, only: parts.join(','), out, ...options }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const env = { ...process.env, DUPWATCH_BIN: binary(), BENCH_BIN: process.env.BENCH_BIN ?? path.join(root, 'build/bench/bin') };
  const child = spawn(path.join(root, 'tests/bench/run'), words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
  const code = await new Promise((resolve) => { child.once('close', resolve); });
  return { code, output, records: parts.map((part) => path.join(out, `${part}.json`)).filter((file) => fs.existsSync(file)).map((file) => JSON.parse(fs.readFileSync(file, 'utf8'))) };
}

test('every client that drains a backlog counts the rows and the duplicates of the table', { timeout: 120_000 }, async (t) => {
  const { code, output, records: [drain] } = await bench(t, ['drain']);
  assert.equal(code, 0, output);
  assert.deepEqual(drain.cells.map(({ plugin }) => plugin), ['wal2json', 'pgoutput']);
  for (const { plugin, duplicates, rounds: [results] } of drain.cells) {
    assert.ok(duplicates >= 4, `the backlog has only ${duplicates} duplicates`);
    for (const name of ['floor', 'dupwatch', 'node']) assert.equal(results[name].rows, results.floor.rows, `${name} by ${plugin}`);
    for (const name of ['dupwatch', 'node', 'polling', 'incremental']) assert.equal(results[name].duplicates, duplicates, `${name} by ${plugin}`);
    assert.ok(results.recvlogical.seconds > 0 && results.floor.bytes > 0 && results.floor.walsender > 0, JSON.stringify(results));
  }
});

test('the parts about latency, restart, memory and audit find what SQL finds', { timeout: 120_000 }, async (t) => {
  const { code, output, records } = await bench(t, ['latency', 'restart', 'memory', 'audit'], { plugins: 'pgoutput' });
  assert.equal(code, 0, output);
  const [latency, restart, memory, audit] = records;
  assert.ok(latency.cells.every(({ rounds: [round] }) => round.seen_by_both > 0), JSON.stringify(latency.cells));
  assert.ok(restart.cells[0].rounds[0].cold.read_back_runs >= TINY.runs, JSON.stringify(restart.cells));
  assert.ok(memory.cells[0].index_evictions_total > 0, JSON.stringify(memory.cells));
  assert.ok(audit.cells[0].rounds[0].audit.duplicates > 0, JSON.stringify(audit.cells));
});

test('the parts about the idle daemon and the primary run', { timeout: 120_000, skip: full ? false : './test --full runs it' }, async (t) => {
  const { code, output, records: [idle, primary] } = await bench(t, ['idle', 'primary'], { plugins: 'pgoutput' });
  assert.equal(code, 0, output);
  assert.ok(idle.cells[0].rounds[0].start_ms > 0, JSON.stringify(idle.cells));
  assert.ok(primary.cells[0].rounds[0].nothing.tps > 0, JSON.stringify(primary.cells));
});

test('an option that is not known, or has no value it can have, is told and nothing runs', { timeout: 60_000 }, async (t) => {
  for (const [options, said] of [[{ only: 'nothing' }, /nothing is none of drain, latency/], [{ events: 'many' }, /--events many: expected a whole number from 1 on/]]) {
    const { code, output } = await bench(t, ['drain'], options);
    assert.equal(code, 2, output);
    assert.match(output, said);
  }
});
