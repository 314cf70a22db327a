// What an audit must say, from the SQL statement of the rules, and what it said, line by line.
import { runCommand } from './daemon.mjs';
import { ruleFindings } from './rules_truth.mjs';

const line = (row) => [row.run, row.rule, row.severity, row.ended ? 'run_ended' : 'open', row.duplicate, row.canonical, row.closing,
  row.entity, row.type].join(' | ');

/** One line for each finding that the table calls for. forced: the configuration names the engine. */
export async function truth(cluster, { engine = 'v4', forced = false, database } = {}) {
  const client = await cluster.client(database ? { database } : {});
  try {
    return (await ruleFindings(client, { engine, forced })).map(line).sort();
  } finally {
    await client.end();
  }
}

/** The same lines of dupwatch's findings. */
export const lines = (findings) => findings.map((found) => line({
  run: found.run_id, rule: found.rule, severity: found.severity, ended: found.state === 'run_ended', duplicate: found.duplicate.id,
  canonical: found.canonical.id, closing: found.closing?.id, entity: found.correlation_id, type: found.type,
})).sort();

/** Runs `dupwatch audit`; of JSON output also {findings, summary}. */
export async function audit(cluster, args = ['--json'], { dsn = {}, ...options } = {}) {
  const ended = await runCommand(['audit', '--dsn', cluster.dsn(dsn), ...args], options);
  return { ...ended, ...parseAudit(ended.stdout) };
}

/** The findings and the summary of JSON output. */
export function parseAudit(stdout) {
  const records = stdout.startsWith('{') ? stdout.split('\n').filter(Boolean).map((text) => JSON.parse(text)) : [];
  return {
    findings: records.filter((record) => record.event === 'finding'),
    summary: records.find((record) => record.event === 'audit'),
  };
}
