// What dupwatch must have found, worked out by SQL over the whole table, in a different way from the daemon's:
// no stream, no index, no order of arrival. Rules as in the README: rows of one identity beyond the smallest id are
// duplicates; a duplicate is "after close" when a closing event of its entity has a smaller id.
import fs from 'node:fs';

/** The built-in profile's rules, written down a second time on purpose. */
export const WORKFLOW_DEVKIT = {
  table: 'workflow.workflow_events',
  run: 'run_id',
  id: 'id',
  identity: ['correlation_id'],
  type: 'type',
  types: ['run_created', 'step_created', 'step_completed', 'step_failed', 'wait_created', 'wait_completed',
    'hook_created', 'hook_disposed', 'attr_set'],
  typesWithoutNull: ['attr_set'], // these repeat legally while the correlation id is NULL
  closing: {
    step_completed: ['step_created', 'step_started', 'step_retrying', 'step_completed', 'step_failed'],
    step_failed: ['step_created', 'step_started', 'step_retrying', 'step_completed', 'step_failed'],
    wait_completed: ['wait_created', 'wait_completed'],
    hook_disposed: ['hook_created', 'hook_disposed'],
  },
};

const list = (values) => values.map((value) => `'${value}'`).join(', ');

// Values are compared byte for byte and NULL equals NULL, as in the index; ids are text there.
function truthSql(rules, where) {
  const typeText = rules.type ? `e."${rules.type}"::text` : 'NULL::text';
  const key = rules.identity.map((column) => `e."${column}"::text COLLATE "C"`);
  const keyNames = key.map((_, position) => `key${position}`);
  const withoutNull = rules.typesWithoutNull ?? [];
  const duplicable = [
    rules.types ? `type IN (${list(rules.types)})` : 'true',
    withoutNull.length ? `NOT (type IN (${list(withoutNull)}) AND key0 IS NULL)` : 'true',
  ].join(' AND ');
  const pairs = Object.entries(rules.closing ?? {}).flatMap(([closing, opened]) => opened.map((type) => `('${closing}', '${type}')`));
  const sameKey = keyNames.map((name) => `c.${name} IS NOT DISTINCT FROM d.${name}`).join(' AND ');
  return `
    WITH events AS MATERIALIZED (
      SELECT e."${rules.run}"::text COLLATE "C" AS run_id, e."${rules.id}"::text COLLATE "C" AS id, ${typeText} COLLATE "C" AS type,
             ${key.map((expression, position) => `${expression} AS ${keyNames[position]}`).join(', ')}
      FROM ${rules.table} e WHERE ${where}
    ), crowded AS MATERIALIZED (
      SELECT run_id, type, ${keyNames.join(', ')}, min(id) AS canonical_id
      FROM events WHERE ${duplicable} GROUP BY run_id, type, ${keyNames.join(', ')} HAVING count(*) > 1
    ), duplicates AS (
      SELECT d.*, k.canonical_id
      FROM events d JOIN crowded k ON k.run_id = d.run_id AND k.type IS NOT DISTINCT FROM d.type
        AND ${keyNames.map((name) => `k.${name} IS NOT DISTINCT FROM d.${name}`).join(' AND ')}
      WHERE d.id > k.canonical_id
    ), closes(closing, opened) AS (
      SELECT * FROM (VALUES ${pairs.join(', ') || "(NULL::text, NULL::text)"}) AS pairs(closing, opened) WHERE closing IS NOT NULL
    )
    SELECT d.run_id, d.id AS duplicate_id, d.type, d.key0 AS correlation_id, d.canonical_id,
           closing.id AS closing_id, coalesce(closing.id < d.id, false) AS after_close
    FROM duplicates d LEFT JOIN LATERAL (
      SELECT min(c.id) AS id FROM events c JOIN closes ON closes.closing = c.type AND closes.opened = d.type
      WHERE c.run_id = d.run_id AND ${sameKey} AND c.id <> d.id
    ) closing ON true
    ORDER BY d.run_id, d.id`;
}

/** Every finding that the table's rows call for. where: an SQL condition on alias e. */
export async function expectedFindings(client, rules = WORKFLOW_DEVKIT, where = 'true') {
  const { rows } = await client.query(truthSql(rules, where));
  return rows;
}

/** The findings of JSON-lines text or files, or an array of records; the last record of a finding_id counts. */
export function latestFindings(source) {
  const records = Array.isArray(source) ? source : parseLines(fs.existsSync(source) ? fs.readFileSync(source, 'utf8') : '');
  const latest = new Map();
  for (const record of records) latest.set(record.finding_id, record);
  return [...latest.values()];
}

// A line that kill -9 cut short cannot be parsed; the daemon did not confirm it, so it comes again.
function parseLines(text) {
  return text.split('\n').flatMap((line) => {
    try {
      return line ? [JSON.parse(line)] : [];
    } catch {
      return [];
    }
  });
}

function differences(want, got, rules) {
  const found = {
    canonical_id: got.canonical?.id, after_close: got.after_close, type: got.type || null,
    correlation_id: got.correlation_id ?? null, closing_id: got.closing_id,
  };
  const compared = ['canonical_id', 'after_close', 'type'];
  // Several identity columns are written as an array, whose spelling is a unit test's matter.
  if (rules.identity.length === 1) compared.push('correlation_id');
  if (want.after_close) compared.push('closing_id');
  return compared.filter((field) => want[field] !== undefined && found[field] !== want[field])
    .map((field) => ({ field, want: want[field], got: found[field] }));
}

/** Compares findings with the table. Every list in the result must be empty for a pass; `ok` says so. */
export async function compare(source, client, { rules = WORKFLOW_DEVKIT, where = 'true' } = {}) {
  const expected = await expectedFindings(client, rules, where);
  const findings = latestFindings(source);
  const wanted = new Map(expected.map((row) => [`${row.run_id} ${row.duplicate_id}`, row]));
  const seen = new Map();
  const result = { expected: expected.length, found: findings.length, missed: [], false_: [], wrong: [] };
  for (const finding of findings) {
    const key = `${finding.run_id} ${finding.duplicate.id}`;
    const want = wanted.get(key);
    if (!want) result.false_.push(finding);
    else if (seen.has(key)) result.wrong.push({ key, field: 'finding_id', want: seen.get(key), got: finding.finding_id });
    else result.wrong.push(...differences(want, finding, rules).map((difference) => ({ key, ...difference })));
    seen.set(key, finding.finding_id);
  }
  result.missed = expected.filter((row) => !seen.has(`${row.run_id} ${row.duplicate_id}`));
  result.ok = !result.missed.length && !result.false_.length && !result.wrong.length;
  return result;
}

/** One line about a comparison, with an example of everything that is wrong. */
export function describe(result) {
  const first = (label, rows) => (rows.length ? `, first ${label}: ${JSON.stringify(rows[0])}` : '');
  return `expected ${result.expected}, found ${result.found}, missed ${result.missed.length}, false ${result.false_.length}, `
    + `wrong ${result.wrong.length}${first('missed', result.missed)}${first('false', result.false_)}${first('wrong', result.wrong)}`;
}
