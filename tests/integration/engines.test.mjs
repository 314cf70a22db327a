// What dupwatch says of damaged logs against what the real engines do with them. tests/engines replays the logs; here
// they go into a table, `dupwatch audit` judges it, and the two are set side by side.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { createCluster } from '../postgres/cluster.mjs';
import { runCommand } from './daemon.mjs';
import { full } from './scene.mjs';

const engines = fileURLToPath(new URL('../engines/', import.meta.url));
const GENERATION = {
  '4.2.4': 'v4', '4.8.9': 'v4', '5.0.0-beta.41': 'v5-before-class-skip', '5.0.0-beta.55': 'v5', '5.2.0': 'v5',
};
// From the worst to the best; a log is called by the worst of its findings.
const SEVERITIES = ['fatal', 'unknown', 'conflict', 'harmless'];
const LOGS = full ? 2000 : 200;

// What a monitor can't see that reads neither payloads nor the workflow's code: these damages, and only these, may be
// fatal without a word. config/rules/README.md explains each.
const UNSEEN = [
  [/ghost/, 'an id that no replay draws looks like any other'],
  [/delete|missing/, 'a row that is gone leaves no trace'],
  [/move|swap|duplicate-earlier|before the terminal of this one/, 'which entity comes first is the workflow\'s code'],
  [/step.name/, 'the name of a step is in the payload'],
  [/noop/, 'no storage writes noop where an engine does not know it'],
];

/** The damage was told as fatal (`record`), and the engine lived. */
function survived(log, record) {
  if (log.outcome === 'conflict') return 'the workflow\'s own code failed on the conflict first';
  if (log.engine === '5.0.0-beta.41' && /hole together/.test(log.mutation)) return 'one id of another scheme switches the check for holes off';
  if (log.stuck) return 'the run hangs before the engine looks at the row';
  if (/complete|return/.test(log.message)) return 'the workflow returned before the engine looked at the row';
  // Measured with logs that go on: of such runs 34 of 41 (beta.55) and 35 of 43 (beta.41) died in the end.
  const setAside = record.rule === 'delivery_after_disposal' || record.type === 'attr_set';
  if (log.engine.startsWith('5.') && setAside && /suspended/.test(log.message)) return 'the row is set aside, and the run fails when it ends with it';
  return undefined;
}

function generate(file) {
  execFileSync(process.execPath, [path.join(engines, 'logs.mjs'), '--engine', 'all', '--seed', '1', '--count', String(LOGS), '--out', file],
    { stdio: ['ignore', 'ignore', 'inherit'] });
  return fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
}

async function fill(client, logs) {
  await client.query(`CREATE SCHEMA workflow; CREATE TABLE workflow.workflow_events (id varchar NOT NULL, type varchar NOT NULL,
    correlation_id varchar, run_id varchar NOT NULL, PRIMARY KEY (run_id, id))`);
  for (const log of logs) {
    const columns = ['id', 'type', 'correlation_id'].map((name) => log.events.map((event) => event[name]));
    await client.query(`INSERT INTO workflow.workflow_events (run_id, id, type, correlation_id)
      SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])`, [log.run.id, ...columns]);
  }
}

/** run -> the worst finding that audit has of it, of the given generation. */
async function audited(cluster, generation, directory) {
  const config = path.join(directory, `${generation}.yaml`);
  fs.writeFileSync(config, `engine: ${generation}\n`);
  const audit = await runCommand(['audit', '--format', 'json', '--config', config, '--dsn', cluster.uri()], { timeoutMs: 120_000 });
  assert.ok([0, 1].includes(audit.code), audit.stderr);
  const worst = new Map();
  for (const line of audit.stdout.trim().split('\n')) {
    const record = JSON.parse(line);
    if (record.event !== 'finding') continue;
    const before = worst.get(record.run_id);
    if (!before || SEVERITIES.indexOf(record.severity) < SEVERITIES.indexOf(before.severity)) worst.set(record.run_id, record);
  }
  return worst;
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
  const missing = Object.keys(GENERATION).filter((version) => !fs.existsSync(path.join(engines, version, 'node_modules')));
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
