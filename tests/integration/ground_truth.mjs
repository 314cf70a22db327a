// What dupwatch must have found, worked out by SQL over the whole table, in a different way from the daemon's: no
// stream, no index, no order of arrival. The engine's log has its statement in rules_truth.mjs; a generic table knows one
// rule, below. compare() sets a findings file beside it.
import fs from 'node:fs';
import { ruleFindings } from './rules_truth.mjs';

const list = (values) => values.map((value) => `'${value}'`).join(', ');

// Rows of one identity beyond the smallest id: fatal behind the smallest closing event, harmless before it, unknown where
// nothing closes the type. Values are compared byte for byte and NULL equals NULL; ids are text, as in the index.
function genericSql(table) {
  const typeText = table.type ? `e."${table.type}"::text` : 'NULL::text';
  const key = table.identity.map((column) => `e."${column}"::text COLLATE "C"`);
  const keyNames = key.map((_, position) => `key${position}`);
  const pairs = Object.entries(table.closing ?? {}).flatMap(([closing, opened]) => opened.map((type) => `('${closing}', '${type}')`));
  const sameKey = (a, b) => keyNames.map((name) => `${a}.${name} IS NOT DISTINCT FROM ${b}.${name}`).join(' AND ');
  return `
    WITH events AS MATERIALIZED (
      SELECT e."${table.run}"::text COLLATE "C" AS run, e."${table.id}"::text COLLATE "C" AS id, ${typeText} COLLATE "C" AS type,
             ${key.map((expression, position) => `${expression} AS ${keyNames[position]}`).join(', ')}
      FROM ${table.table} e
    ), crowded AS MATERIALIZED (
      SELECT run, type, ${keyNames.join(', ')}, min(id) AS canonical
      FROM events WHERE ${table.types ? `type IN (${list(table.types)})` : 'true'}
      GROUP BY run, type, ${keyNames.join(', ')} HAVING count(*) > 1
    ), duplicates AS (
      SELECT d.*, k.canonical
      FROM events d JOIN crowded k ON k.run = d.run AND k.type IS NOT DISTINCT FROM d.type AND ${sameKey('k', 'd')}
      WHERE d.id > k.canonical
    ), closes(closing, opened) AS (
      SELECT * FROM (VALUES ${pairs.join(', ') || '(NULL::text, NULL::text)'}) AS pairs(closing, opened) WHERE closing IS NOT NULL
    )
    SELECT d.run, 'duplicate' AS rule, d.id AS duplicate, d.type, d.key0 AS entity, d.canonical, closing.id AS closing,
           CASE WHEN d.type NOT IN (SELECT opened FROM closes) OR d.type IS NULL THEN 'unknown'
                WHEN closing.id < d.id THEN 'fatal' ELSE 'harmless' END AS severity,
           EXISTS (SELECT FROM events e WHERE e.run = d.run AND e.type IN (${list(table.runEnds ?? ['none'])})) AS ended
    FROM duplicates d LEFT JOIN LATERAL (
      SELECT min(c.id) AS id FROM events c JOIN closes ON closes.closing = c.type AND closes.opened = d.type
      WHERE c.run = d.run AND ${sameKey('c', 'd')}
    ) closing ON true`;
}

// What a periodic look at the tables finds is not a matter of the events.
const TABLE_RULES = new Set(['slot_gap', 'stuck_step', 'orphan']);
// Of rows that are not in the log any more.
const LEFT = new Set(['gone', 'quarantined']);
// One finding a run, whichever row shows it.
const OF_THE_RUN = new Set(['id_scheme', 'run_lost']);
const keyOf = (run, rule, duplicate) => [run, rule, OF_THE_RUN.has(rule) ? '' : duplicate].join(' ');

/** Every finding that the events call for. table: a generic table in place of the engine's log; engine, forced: ruleFindings. */
export async function expectedFindings(client, { table, ...engine } = {}) {
  const rows = table ? (await client.query(genericSql(table))).rows : await ruleFindings(client, engine);
  return rows.filter(({ rule }) => !TABLE_RULES.has(rule)).map((row) => ({
    ...row, key: keyOf(row.run, row.rule, row.duplicate), state: row.ended ? 'run_ended' : 'open',
    after_close: row.closing !== null && row.closing < row.duplicate,
  }));
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

function differences(want, got) {
  const found = {
    severity: got.severity, state: got.state, duplicate: got.duplicate.id, canonical: got.canonical.id, after_close: got.after_close,
    type: got.type || null, entity: got.correlation_id ?? null, closing: got.closing?.id ?? null,
  };
  return Object.keys(found)
    // Several identity columns are an array, whose spelling is a unit test's matter. A closing event behind the row may
    // become another one without a word.
    .filter((field) => !(field === 'entity' && Array.isArray(found.entity)) && !(field === 'closing' && !want.after_close))
    .filter((field) => found[field] !== want[field])
    .map((field) => ({ key: want.key, field, want: want[field], got: found[field] }));
}

/** Compares findings with the table. Every list in the result must be empty for a pass; `ok` says so. */
export async function compare(source, client, options = {}) {
  const expected = await expectedFindings(client, options);
  const findings = latestFindings(source).filter(({ rule, state }) => !TABLE_RULES.has(rule) && !LEFT.has(state));
  const wanted = new Map(expected.map((row) => [row.key, row]));
  const seen = new Map();
  const result = { expected: expected.length, found: findings.length, missed: [], false_: [], wrong: [] };
  for (const finding of findings) {
    const key = keyOf(finding.run_id, finding.rule, finding.duplicate.id);
    const want = wanted.get(key);
    if (!want) result.false_.push(finding);
    else if (seen.has(key)) result.wrong.push({ key, field: 'finding_id', want: seen.get(key), got: finding.finding_id });
    else result.wrong.push(...differences(want, finding));
    seen.set(key, finding.finding_id);
  }
  result.missed = expected.filter(({ key }) => !seen.has(key));
  result.ok = !result.missed.length && !result.false_.length && !result.wrong.length;
  result.rules = Object.fromEntries([...new Set(expected.map(({ rule }) => rule))].sort()
    .map((rule) => [rule, expected.filter((row) => row.rule === rule).length]));
  return result;
}

/** One line about a comparison, with an example of everything that is wrong. */
export function describe(result) {
  const first = (label, rows) => (rows.length ? `, first ${label}: ${JSON.stringify(rows[0])}` : '');
  return `expected ${result.expected}, found ${result.found}, missed ${result.missed.length}, false ${result.false_.length}, `
    + `wrong ${result.wrong.length}${first('missed', result.missed)}${first('false', result.false_)}${first('wrong', result.wrong)}`;
}
