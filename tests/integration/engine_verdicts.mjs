// The verdicts of `dupwatch audit` on logs that the real engines have judged: what engines.test.mjs and engines_matrix.test.mjs share.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './daemon.mjs';

export const engines = fileURLToPath(new URL('../engines/', import.meta.url));
export const GENERATION = {
  '4.2.4': 'v4', '4.8.9': 'v4', '5.0.0-beta.41': 'v5-before-class-skip', '5.0.0-beta.55': 'v5', '5.2.0': 'v5',
};
// From the worst to the best; a log is called by the worst of its findings.
export const SEVERITIES = ['fatal', 'unknown', 'conflict', 'harmless'];

/** The versions that are not installed. */
export const missingEngines = () => Object.keys(GENERATION).filter((version) => !fs.existsSync(path.join(engines, version, 'node_modules')));

/** The damage was told as fatal (`record`), and the engine lived. */
export function survived(log, record) {
  if (log.outcome === 'conflict') return 'the workflow\'s own code failed on the conflict first';
  if (log.engine === '5.0.0-beta.41' && /hole together/.test(log.mutation)) return 'one id of another scheme switches the check for holes off';
  // Shapes of tests/engines: the same log rejects as soon as it has the disposal.
  if (/suspended: .*hook disposal/.test(log.message)) return 'a disposal is to be written first, and the replay after it looks at the row';
  if (log.stuck) return 'the run hangs before the engine looks at the row';
  if (/complete|return|^failed: /.test(log.message)) return 'the workflow returned before the engine looked at the row';
  // Measured with logs that go on: of such runs 34 of 41 (beta.55) and 35 of 43 (beta.41) died in the end.
  const setAside = record.rule === 'delivery_after_disposal' || record.type === 'attr_set';
  if (log.engine.startsWith('5.') && setAside && /suspended/.test(log.message)) return 'the row is set aside, and the run fails when it ends with it';
  return undefined;
}

export async function fill(client, logs) {
  await client.query(`CREATE SCHEMA workflow; CREATE TABLE workflow.workflow_events (id varchar NOT NULL, type varchar NOT NULL,
    correlation_id varchar, run_id varchar NOT NULL, PRIMARY KEY (run_id, id))`);
  for (const log of logs) {
    const columns = ['id', 'type', 'correlation_id'].map((name) => log.events.map((event) => event[name]));
    await client.query(`INSERT INTO workflow.workflow_events (run_id, id, type, correlation_id)
      SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])`, [log.run.id, ...columns]);
  }
}

/** run -> the worst finding that audit has of it, of the given generation. */
export async function audited(cluster, generation, directory) {
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
