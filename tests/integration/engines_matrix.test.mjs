// Verdicts over workflows and damage that the rules were not written along: 24 courses, 35 kinds of damage, five engines. In
// ./test --full 1,500 logs an engine; DUPWATCH_MATRIX_SEED gives others, DUPWATCH_MATRIX_TABLE=FILE takes the tables as Markdown.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { courses } from '../engines/courses.mjs';
import { damage } from '../engines/damage.mjs';
import { createCluster } from '../postgres/cluster.mjs';
import { audited, engines, fill, GENERATION, missingEngines, survived } from './engine_verdicts.mjs';
import { full } from './scene.mjs';

const LOGS = full ? 1500 : 105;
const SEED = process.env.DUPWATCH_MATRIX_SEED ?? '1';
const COLUMNS = ['certain', 'may_return', 'unknown', 'conflict', 'harmless', 'clean'];

const columnOf = (record) => {
  if (!record) return 'clean';
  return record.severity === 'fatal' ? record.pending : record.severity;
};

function generate(file) {
  execFileSync(process.execPath, [path.join(engines, 'matrix.mjs'), '--seed', SEED, '--count', String(LOGS), '--out', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  return fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
}

/** Why the two words differ; undefined: nobody knows. Fatal for an engine and unknown to us is no disagreement. */
function limitOf(log, record) {
  if (log.outcome === 'fatal') return damage[log.mutation].limit;
  const limit = survived(log, record);
  const ended = /^completed|^failed: /.test(log.message);
  return limit && ended && record.pending === 'certain' ? 'the workflow returned, and what was open it no longer awaited (the loser of a race)' : limit;
}

const disagree = (log, record) => (log.outcome === 'fatal'
  ? !record || !['fatal', 'unknown'].includes(record.severity)
  : record?.severity === 'fatal');

function tableOf(logs, said) {
  return ['fatal', 'conflict', 'ok'].map((outcome) => {
    const of = logs.filter((log) => log.outcome === outcome);
    return [{ fatal: 'rejects', conflict: 'conflict', ok: 'lives' }[outcome], ...COLUMNS.map((column) => of.filter((log) => columnOf(said.get(log.run.id)) === column).length)];
  });
}

test('verdicts over other workflows and other damage', async (t) => {
  const missing = missingEngines();
  if (missing.length) {
    t.skip(`the engines are not installed: ${missing.join(', ')} (./test installs them)`);
    return;
  }
  assert.ok(courses.length >= 20 && Object.keys(damage).length >= 30, `${courses.length} courses, ${Object.keys(damage).length} kinds of damage`);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-matrix-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const cluster = await createCluster();
  t.after(() => cluster.destroy());
  const logs = generate(path.join(directory, 'logs.jsonl'));
  const client = await cluster.client();
  await fill(client, logs);
  await client.end();
  const markdown = [`| engine | did | ${COLUMNS.join(' | ')} |`, `|---|---|${'---|'.repeat(COLUMNS.length)}`];
  const limits = new Map();
  const wrong = [];
  for (const engine of Object.keys(GENERATION)) {
    const said = await audited(cluster, GENERATION[engine], directory);
    // An ended run is not replayed: what the core alone would do with its log decides nothing.
    const open = logs.filter((log) => log.engine === engine && !log.ended);
    assert.ok(open.length >= LOGS * 0.8, `${engine}: only ${open.length} logs of open runs`);
    tableOf(open, said).forEach((row, i) => markdown.push(`| ${i === 0 ? `${engine} (${GENERATION[engine]})` : ''} | ${row.join(' | ')} |`));
    for (const log of open) {
      const record = said.get(log.run.id);
      if (damage[log.mutation].legal && log.outcome === 'ok' && record?.severity === 'fatal') {
        wrong.push(`${engine}, ${log.log}, ${log.mutation}: legal, and called fatal ${record.rule}`);
      }
      if (!disagree(log, record)) continue;
      const limit = limitOf(log, record);
      if (limit) limits.set(limit, (limits.get(limit) ?? 0) + 1);
      else wrong.push(`${engine}, ${log.log}, ${log.mutation}: engine ${log.outcome} (${log.message}), dupwatch ${columnOf(record)} ${record?.rule ?? ''}`);
    }
  }
  for (const line of markdown) t.diagnostic(line);
  for (const [limit, count] of limits) t.diagnostic(`${String(count).padStart(5)}  ${limit}`);
  if (process.env.DUPWATCH_MATRIX_TABLE) {
    const list = [...limits].map(([limit, count]) => `- ${count}: ${limit}`);
    fs.writeFileSync(process.env.DUPWATCH_MATRIX_TABLE, `${[...markdown, '', ...list].join('\n')}\n`);
  }
  assert.deepEqual(wrong.slice(0, 40), [], `${wrong.length} disagreements without a name in ${logs.length} logs, seed ${SEED}`);
});
