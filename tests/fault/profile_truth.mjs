// What the rules of a profile find in a table, worked out by SQL from the words of config/guide/profiles.md: no stream, no index.
import { identifier, literal } from '../postgres/client.mjs';
import { allColumns, qualified } from './profile_draws.mjs';

/** A value as Postgres prints it, by the output function of its type: a cast to text trims char(n) and writes inet otherwise. */
const printed = (name) => `CASE WHEN ${identifier(name)} IS NOT NULL THEN format('%s', ${identifier(name)}) END COLLATE "C"`;
const list = (values) => values.map(literal).join(', ');
const escaped = (text) => `replace(replace(${text}, '%', '%25'), '/', '%2F')`;

/** A row for each row that is judged: r (its run), name, id, place (its order), kind, seq (of its commit), v (what rules name). */
function rowsSql(world) {
  const { scope, run, id, type } = world.columns;
  const runs = [...scope, run].map(({ name }) => printed(name));
  const place = id.number ? identifier(id.name) : printed(id.name);
  const kind = type ? `nullif(${printed(type.name)}, '')` : 'NULL::text';
  const values = allColumns(world).map((each) => `${literal(each.name)}, ${each === type ? kind : printed(each.name)}`).join(', ');
  const name = [...scope.map((each) => escaped(printed(each.name))), printed(run.name)].join(` || '/' || `);
  return `SELECT ARRAY[${runs.join(', ')}] AS r, ${name} AS name, ${printed(id.name)} AS id,
      row_number() OVER (PARTITION BY ${runs.join(', ')} ORDER BY ${place}) AS place, ${kind} AS kind,
      commits.seq, pg_xact_commit_timestamp(wtx::text::xid) AS committed, jsonb_build_object(${values}) AS v
    FROM ${qualified(world)} AS watched LEFT JOIN commits ON commits.tx = watched.wtx
    WHERE ${[...scope, run, id].map((each) => `${identifier(each.name)} IS NOT NULL`).join(' AND ')} AND ${printed(run.name)} <> '' AND ${printed(id.name)} <> ''`;
}

/** What the text of a rule is about, all rows that take part: with e, their entity, and crowd, how many rows of any type that has. */
function partsSql(columns, nulls) {
  const entity = `ARRAY[${["''", ...columns.map((column) => `v->>${literal(column)}`)].join(', ')}]`;
  const whole = nulls === 'equal' ? 'true' : columns.map((column) => `v->>${literal(column)} IS NOT NULL`).join(' AND ') || 'true';
  return `parts AS (SELECT *, count(*) OVER (PARTITION BY r, e) AS crowd FROM (SELECT *, ${entity} AS e FROM rows) AS named WHERE ${whole})`;
}

const isOne = (types) => (types ? `kind IN (${list(types)})` : 'true');
const FOUND = 'name, id, kind, crowd, seq, committed';
/** Rows for which `fault` holds; `first` is the place of the first row of `types` in their entity. */
const facing = (rule, types, fault) => `WITH ${partsSql(rule.columns ?? [], rule.nulls)},
    faced AS (SELECT *, min(place) FILTER (WHERE ${isOne(types)}) OVER (PARTITION BY r, e) AS first FROM parts)
  SELECT ${FOUND}, (SELECT c.id FROM rows c WHERE c.r = d.r AND c.place = d.first) AS canonical FROM faced d WHERE ${fault}`;
const behind = (rule, endings) => facing(rule, endings, `place > first AND ${rule.types ? isOne(rule.types) : `(kind NOT IN (${list(endings)}) OR kind IS NULL)`}`);
const beyondFirst = (columns, nulls, types) => `WITH ${partsSql(columns, nulls)}
  SELECT * FROM (SELECT ${FOUND}, row_number() OVER w AS number, first_value(id) OVER w AS canonical FROM parts WHERE ${isOne(types)}
    WINDOW w AS (PARTITION BY r, e ORDER BY place)) AS numbered WHERE number > 1`;

const KINDS = {
  unique: (rule) => beyondFirst(rule.unique, rule.nulls, rule.types),
  one_ending: (rule) => beyondFirst(rule.columns ?? [], rule.nulls, rule.one_ending),
  nothing_after: (rule) => behind(rule, rule.nothing_after),
  after_closing: (rule) => behind(rule, rule.after_closing),
  conflict: (rule) => facing(rule, [rule.conflict[0]], `first IS NOT NULL AND ${isOne([rule.conflict[1]])}`),
  opener: (rule) => `SELECT ${FOUND}, id AS canonical FROM (${facing(rule, rule.opener, `(first IS NULL OR first > place) AND ${isOne(rule.types)}`)}) AS faced`,
  dense: (rule) => `WITH ${partsSql([rule.dense])}, numbers AS (SELECT *, (e[2])::numeric AS n FROM parts WHERE ${isOne(rule.types)})
    SELECT ${FOUND}, id AS canonical FROM (SELECT *, row_number() OVER (PARTITION BY r, n ORDER BY place) AS number FROM numbers) AS d
    WHERE number = 1 AND n > ${rule.from ?? 0} AND (r, n - 1) NOT IN (SELECT r, n FROM numbers)`,
  // sure: the stream brought every greater row.
  increasing: (rule) => `WITH ${partsSql([])} SELECT * FROM (SELECT ${FOUND}, NULL AS canonical, min(seq) OVER w AS earliest, bool_and(seq IS NOT NULL) OVER w AS sure
    FROM parts WHERE ${isOne(rule.types)} WINDOW w AS (PARTITION BY r ORDER BY place ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)) AS d WHERE earliest < seq`,
};

const SHAPES = {
  unique: 'taken_twice', one_ending: 'second_ending', nothing_after: 'after_ending', after_closing: 'after_closing', conflict: 'contradiction',
  opener: 'not_opened', dense: 'hole', increasing: 'out_of_order',
};
export const kindOf = (rule) => Object.keys(KINDS).find((kind) => rule[kind] !== undefined);

/** After readCommits: {key: {rule, kind, run, duplicate, canonical, severity, shape, type, crowd, sure, committed, seq}} of all that the rules find. */
export async function truthOf(client, world) {
  await client.query(`CREATE TEMP TABLE rows AS ${rowsSql(world)}`);
  await client.query('CREATE INDEX ON rows (r, place); ANALYZE rows');
  const found = new Map();
  if (world.forced === 'off') return found;
  const forced = world.forced === 'default' ? undefined : world.forced;
  for (const [name, rule] of Object.entries(world.rules)) {
    const kind = kindOf(rule);
    // A finding says the type of its row where the rule does.
    const named = [...(rule.types ?? []), ...(kind === 'unique' || !Array.isArray(rule[kind]) ? [] : rule[kind])];
    const { rows } = await client.query(KINDS[kind](rule));
    for (const row of rows) {
      found.set(keyOf(name, row.name, row.id), {
        rule: name, kind, run: row.name, duplicate: row.id, canonical: row.canonical, severity: forced ?? rule.severity ?? 'unknown', shape: SHAPES[kind], type: named.includes(row.kind) ? row.kind : '', crowd: Number(row.crowd), sure: row.sure ?? true, committed: row.committed,
        seq: row.seq === null ? null : Number(row.seq),
      });
    }
  }
  return found;
}

export const keyOf = (rule, run, id) => JSON.stringify([rule, run, id]);

/** Reads from the slot of test_decoding in which order transactions committed after the first `since`, for truthOf. */
export async function readCommits(client, slot, since) {
  await client.query('CREATE TEMP TABLE IF NOT EXISTS commits (tx bigint PRIMARY KEY, seq bigint)');
  await client.query(`INSERT INTO commits SELECT * FROM (SELECT substring(data FROM '[0-9]+')::bigint, row_number() OVER () AS seq
    FROM pg_logical_slot_peek_changes($1, NULL, NULL) WHERE data LIKE 'COMMIT %') AS found WHERE seq > $2`, [slot, since]);
}
