// What dupwatch says of damaged logs against what the real engines do with them. tests/engines replays the logs; here
// they go into a table, `dupwatch audit` judges it, and the two are set side by side.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { createCluster } from '../postgres/cluster.mjs';
import { audited, engines, fill, GENERATION, missingEngines, SEVERITIES, survived } from './engine_verdicts.mjs';
import { full } from './scene.mjs';

const LOGS = full ? 2000 : 100;

// What a monitor can't see that reads neither payloads nor the workflow's code: these damages, and only these, may be
// fatal without a word. config/rules/README.md explains each.
const UNSEEN = [
  [/ghost/, 'an id that no replay draws looks like any other'],
  [/delete|missing/, 'a row that is gone leaves no trace'],
  [/move|swap|duplicate-earlier|before the terminal of this one/, 'which entity comes first is the workflow\'s code'],
  [/step.name/, 'the name of a step is in the payload'],
  [/noop/, 'no storage writes noop where an engine does not know it'],
];

function generate(file) {
  execFileSync(process.execPath, [path.join(engines, 'logs.mjs'), '--engine', 'all', '--seed', '1', '--count', String(LOGS), '--out', file],
    { stdio: ['ignore', 'ignore', 'inherit'] });
  return fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
}

function table(t, engine, logs, said) {
  const columns = [...SEVERITIES, 'clean'];
  t.diagnostic(`${engine} (${GENERATION[engine]}): rows what the engine did, columns what dupwatch said`);
  t.diagnostic(['', ...columns].map((text) => text.padStart(9)).join(''));
  for (const outcome of ['fatal', 'conflict', 'ok']) {
    const counts = columns.map((column) => logs.filter((log) => log.outcome === outcome && (said.get(log.run.id)?.severity ?? 'clean') === column).length);
    t.diagnostic([outcome, ...counts].map((cell) => String(cell).padStart(9)).join(''));
  }
}

test('verdicts against the real engines', async (t) => {
  const missing = missingEngines();
  if (missing.length) {
    t.skip(`the engines are not installed: ${missing.join(', ')} (./test installs them)`);
    return;
  }
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-engines-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const cluster = await createCluster();
  t.after(() => cluster.destroy());
  const logs = generate(path.join(directory, 'logs.jsonl'));
  const client = await cluster.client();
  await fill(client, logs);
  await client.end();
  for (const engine of Object.keys(GENERATION)) {
    const said = await audited(cluster, GENERATION[engine], directory);
    // An ended run is not replayed: what the core alone would do with its log decides nothing.
    const open = logs.filter((log) => log.engine === engine && !log.ended);
    assert.ok(open.length >= LOGS * 0.6, `${engine}: only ${open.length} logs of open runs`);
    table(t, engine, open, said);
    const limits = new Map();
    const wrong = [];
    for (const log of open) {
      const record = said.get(log.run.id);
      const told = record?.severity ?? 'clean';
      let limit;
      if (log.outcome === 'fatal' && !['fatal', 'unknown'].includes(told)) limit = UNSEEN.find(([pattern]) => pattern.test(log.mutation))?.[1];
      else if (log.outcome !== 'fatal' && told === 'fatal') limit = survived(log, record);
      else continue;
      if (limit) limits.set(limit, (limits.get(limit) ?? 0) + 1);
      else wrong.push(`${log.mutation}: engine ${log.outcome} (${log.message}), dupwatch ${told}, run ${log.run.id}`);
    }
    for (const [limit, count] of limits) t.diagnostic(`  ${String(count).padStart(4)}  ${limit}`);
    assert.deepEqual(wrong, [], `${engine}: ${wrong.length} disagreements without a name`);
  }
});
