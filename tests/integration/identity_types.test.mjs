// Ids and identities compare as their column types do: random rows of tables of a generic profile, and what SQL's own GROUP BY and
// ORDER BY of that type say of them, beside what audit and the daemon say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../engines/ids.mjs';
import { majors, systemMajor } from '../postgres/binaries.mjs';
import { runCommand } from './daemon.mjs';
import { latestFindings } from './ground_truth.mjs';
import { daemonFor, full, serverWithSchema } from './scene.mjs';

const hex = (number, width) => number.toString(16).padStart(width, '0');
// How a type writes a number. Text is ordered by bytes, whatever the collation.
const IDS = {
  smallint: (n) => n - 40,
  integer: (n) => (n - 40) * 37,
  bigint: (n) => `${(n - 40) * 37}00000000`,
  numeric: (n) => `${n - 40}${n % 3 === 0 ? '.5' : ''}`,
  'numeric(40,0)': (n) => `${n * n * n}`,
  oid: (n) => n * 97,
  text: (n) => `e${n}`,
  'varchar(30)': (n) => `${n}`,
  name: (n) => `id_${n}`,
  uuid: (n) => `00000000-0000-4000-8000-${hex(n * 7919, 12)}`,
  date: (n) => `20${String(10 + (n % 80)).padStart(2, '0')}-0${1 + (n % 9)}-1${n % 10}`,
  timestamp: (n) => `2026-01-01 00:0${n % 6}:${String(n % 60).padStart(2, '0')}.${String(n).padStart(3, '0')}`,
  bytea: (n) => `\\x${hex(n * 31, 6)}`,
};
const ENTITIES = {
  smallint: (n) => n, integer: (n) => -n, bigint: (n) => `${n}00000000000`, boolean: (n) => n % 2 === 0, text: (n) => `entity ${n} "x\\`,
  'varchar(9)': (n) => `v${n}`, uuid: (n) => `00000000-0000-4000-8000-${hex(n, 12)}`, date: (n) => `2026-01-0${1 + n}`, timestamp: (n) => `2026-01-01 00:00:0${n}.5`,
  timestamptz: (n) => `2026-10-25 0${n}:30:00+00`, bytea: (n) => `\\x0${n}ff`, inet: (n) => `10.0.0.${n}`, 'text[]': (n) => `{a,${n},NULL}`, 'time': (n) => `0${n}:00:00`,
};

/** Rows of 8 runs: opened and closed at random ids, some twice and three times. */
function rowsOf(random, idOf, entityOf) {
  const numbers = Array.from({ length: 80 }, (_, n) => n).sort(() => (random.chance(0.5) ? 1 : -1));
  return numbers.map((n) => ({ run: `r${n % 8}`, entity: n % 11 === 0 ? null : entityOf(random.int(3)), kind: random.chance(0.25) ? 'closed' : 'opened', id: idOf(n) }));
}

const byBytes = (type) => /^(text|varchar|name)/.test(type);

/** run, duplicate, canonical, severity of every second opened row of an entity, by the server's own comparison. */
const truth = (cluster, table, type) => cluster.query(`
  WITH rows AS (SELECT run, entity, kind, id, row_number() OVER (PARTITION BY run ORDER BY id${byBytes(type) ? ' COLLATE "C"' : ''}) AS place FROM ${table}),
    closing AS (SELECT run, entity, min(place) AS place FROM rows WHERE kind = 'closed' GROUP BY run, entity),
    opened AS (SELECT r.*, first_value(r.id) OVER same AS canonical, row_number() OVER same AS number FROM rows r
      WHERE kind = 'opened' WINDOW same AS (PARTITION BY run, entity ORDER BY place))
  SELECT o.run, o.id::text AS duplicate, o.canonical::text AS canonical, CASE WHEN c.place < o.place THEN 'fatal' ELSE 'harmless' END AS severity
  FROM opened o LEFT JOIN closing c ON c.run = o.run AND c.entity IS NOT DISTINCT FROM o.entity WHERE o.number > 1 ORDER BY 1, 2`);

const said = (findings) => findings.filter(({ rule, type }) => rule === 'duplicate' && type === 'opened')
  .map(({ run_id: run, duplicate, canonical, severity }) => ({ run, duplicate: duplicate.id, canonical: canonical.id, severity }))
  .sort((a, b) => (`${a.run}\n${a.duplicate}` < `${b.run}\n${b.duplicate}` ? -1 : 1));
const sorted = (rows) => rows.map(({ run, duplicate, canonical, severity }) => ({ run, duplicate, canonical, severity }))
  .sort((a, b) => (`${a.run}\n${a.duplicate}` < `${b.run}\n${b.duplicate}` ? -1 : 1));

async function compareTypes(t, { major, plugin }, pairs) {
  const cluster = await serverWithSchema(t, { world: null, major });
  for (const [number, [idType, entityType]] of pairs.entries()) {
    const table = `public.log_${number}`;
    await cluster.query(`CREATE TABLE ${table} (run text NOT NULL, id ${idType} NOT NULL, entity ${entityType}, kind text NOT NULL, PRIMARY KEY (run, id))`);
    const config = {
      profile: 'generic', slot: { plugin, name: `dupwatch_${number}`, publication: `dupwatch_${number}` },
      table: { name: table, run_column: 'run', id_column: 'id', identity_columns: ['entity'], type_column: 'kind', types: ['opened', 'closed'], closing: { closed: ['opened'] } },
    };
    const daemon = await daemonFor(t, cluster, config);
    await daemon.start();
    const rows = rowsOf(new Random(`${idType}/${entityType}/${plugin}/${major}`), IDS[idType], ENTITIES[entityType]);
    // In transactions of some rows each, in no order of ids.
    for (let from = 0; from < rows.length; from += 7) {
      await cluster.query(`INSERT INTO ${table} (run, entity, kind, id) SELECT r, e::${entityType}, k, i::${idType} FROM jsonb_to_recordset($1::jsonb) AS rows(r text, e text, k text, i text)`,
        [JSON.stringify(rows.slice(from, from + 7).map(({ run, entity, kind, id }) => ({ r: run, e: entity === null ? null : String(entity), k: kind, i: String(id) })))]);
    }
    const expected = sorted(await truth(cluster, table, idType));
    assert.ok(expected.length >= 10, `${expected.length} duplicates`);
    await daemon.caughtUp();
    const name = `${idType}, identity ${entityType}, Postgres ${major}, ${plugin}`;
    assert.deepEqual(said(latestFindings(daemon.findingsFile)), expected, `daemon: ${name}`);
    const audit = await runCommand(['audit', '--format', 'json', '--config', daemon.configFile]);
    const records = audit.stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    assert.deepEqual(said(records.filter(({ event }) => event === 'finding')), expected, `audit: ${name}`);
    await daemon.stop();
    await cluster.query('SELECT pg_drop_replication_slot($1)', [config.slot.name]);
  }
}

const ids = Object.keys(IDS);
const entities = Object.keys(ENTITIES);
/** Each type at least once on either side; in ./test --full each id type beside several identities. */
const pairs = (shift, count) => Array.from({ length: count }, (_, i) => [ids[i % ids.length], entities[(i * 5 + shift) % entities.length]]);
const servers = [{ major: systemMajor, plugin: 'wal2json' }, ...(full ? majors : [systemMajor]).map((major) => ({ major, plugin: 'pgoutput' }))];

for (const [number, server] of servers.entries()) {
  test(`Postgres ${server.major}, ${server.plugin}: findings are what SQL says of the types`, async (t) => {
    await compareTypes(t, server, pairs(number, full ? 40 : 14));
  });
}
