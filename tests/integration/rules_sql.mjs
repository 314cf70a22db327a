// What a profile's own rules call for, as SQL over the whole table: each rule by its words in the guide, row against row,
// without a stream, an index or an order of arrival. compareRules() sets a findings file beside it.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { latestFindings } from './ground_truth.mjs';

const list = (values) => values.map((value) => `'${value}'`).join(', ');
const quoted = (name) => `"${name}"`;

/** SELECT of (run, rule, id, severity) for one rule of `profile`, the section `table` of a configuration. */
function sqlOf(profile, name, rule) {
  const { id_column: id, type_column: type } = profile;
  const run = [...(profile.scope_columns ?? []), profile.run_column];
  const t = profile.from ?? profile.name;
  const of = (row, column) => `${row}.${quoted(column)}`;
  const sameRun = run.map((column) => `${of('o', column)} = ${of('d', column)}`).join(' AND ');
  const columns = rule.unique ?? rule.columns ?? [];
  const same = columns.map((column) => `${of('o', column)} ${rule.nulls === 'equal' ? 'IS NOT DISTINCT FROM' : '='} ${of('d', column)}`);
  const together = [sameRun, ...same].join(' AND ');
  const known = rule.nulls === 'equal' ? 'true' : columns.map((column) => `${of('d', column)} IS NOT NULL`).join(' AND ') || 'true';
  const among = (row, types) => (types ? `${of(row, type)} IN (${list(types)})` : 'true');
  const before = `${of('o', id)} < ${of('d', id)}`;
  const exists = (condition) => `EXISTS (SELECT FROM ${t} o WHERE ${together} AND ${condition})`;
  const others = (first) => (rule.types ? among('d', rule.types) : `${of('d', type)} NOT IN (${list(first)})`);
  let where;
  if (rule.unique) where = `${among('d', rule.types)} AND ${exists(`${among('o', rule.types)} AND ${before}`)}`;
  else if (rule.one_ending) where = `${among('d', rule.one_ending)} AND ${exists(`${among('o', rule.one_ending)} AND ${before}`)}`;
  else if (rule.nothing_after) where = `${others(rule.nothing_after)} AND ${exists(`${among('o', rule.nothing_after)} AND ${before}`)}`;
  else if (rule.after_closing) where = `${others(rule.after_closing)} AND ${exists(`${among('o', rule.after_closing)} AND ${before}`)}`;
  else if (rule.conflict) where = `${among('d', [rule.conflict[1]])} AND ${exists(among('o', [rule.conflict[0]]))}`;
  else if (rule.opener) where = `${among('d', rule.types)} AND NOT ${exists(`${among('o', rule.opener)} AND ${before}`)}`;
  else if (rule.dense) {
    const [n, types] = [quoted(rule.dense), `${among('o', rule.types)}`];
    where = `${among('d', rule.types)} AND d.${n} > ${rule.from ?? 0} AND NOT EXISTS (SELECT FROM ${t} o WHERE ${sameRun} AND ${types} AND o.${n} = d.${n} - 1)
      AND NOT EXISTS (SELECT FROM ${t} o WHERE ${sameRun} AND ${types} AND o.${n} = d.${n} AND ${before})`;
  } else if (rule.increasing) {
    // Needs track_commit_timestamp: of two rows the one with the greater id committed first.
    where = `${among('d', rule.types)} AND EXISTS (SELECT FROM ${t} o WHERE ${sameRun} AND ${among('o', rule.types)} AND ${of('o', id)} > ${of('d', id)}
      AND pg_xact_commit_timestamp(o.xmin) < pg_xact_commit_timestamp(d.xmin))`;
  } else throw new Error(`no such rule: ${name}`);
  return `SELECT concat_ws('/', ${run.map((column, i) => (i < run.length - 1 ? `replace(replace(${of('d', column)}::text, '%', '%25'), '/', '%2F')` : `${of('d', column)}::text`)).join(', ')}) AS run, '${name}' AS rule, ${of('d', id)}::text AS id,
    '${rule.severity ?? 'unknown'}' AS severity FROM ${t} d WHERE ${known} AND ${where}`;
}

/** Every row at fault: [{run, rule, id, severity}]. */
export async function expectedFaults(client, profile) {
  const rows = [];
  for (const [name, rule] of Object.entries(profile.rules)) rows.push(...(await client.query(sqlOf(profile, name, rule))).rows);
  return rows;
}

const keyOf = ({ run, rule, id, severity }) => `${rule} ${run} ${id} ${severity}`;

/** {expected, missed, false_} of a findings file or list of findings, gone ones left out; `without`: rules that are not compared. */
export async function compareRules(source, client, profile, { without = [] } = {}) {
  const expected = new Set((await expectedFaults(client, profile)).filter(({ rule }) => !without.includes(rule)).map(keyOf));
  const found = new Set(latestFindings(source).filter(({ state, profile_rule: rule }) => state !== 'gone' && !without.includes(rule))
    .map((finding) => keyOf({ run: finding.run_id, rule: finding.profile_rule, id: finding.duplicate.id, severity: finding.severity })));
  return {
    expected: expected.size,
    missed: [...expected].filter((key) => !found.has(key)),
    false_: [...found].filter((key) => !expected.has(key)),
  };
}

/** The daemon's findings are those of SQL, within 40 s; or those of `source`, at once. How many there are. */
export async function assertRules(daemon, profile, { source, without } = {}) {
  const client = await daemon.cluster.client();
  try {
    let result;
    for (let i = 0; i < 40; i += 1) {
      result = await compareRules(source ?? daemon.findingsFile, client, profile, { without });
      if (source || !(result.missed.length || result.false_.length)) break;
      await sleep(1000);
    }
    assert.deepEqual({ missed: result.missed, false_: result.false_ }, { missed: [], false_: [] }, daemon.tail(3));
    return result.expected;
  } finally {
    await client.end();
  }
}
