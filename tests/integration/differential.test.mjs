// The two plugins must tell the same story of one workload, on a real server, through the decoders' own options.
// UPDATE_GOLDEN=1 also records the small workload's streams into tests/golden for the unit tests.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemMajor } from '../postgres/binaries.mjs';
import { identifier, literal } from '../postgres/client.mjs';
import { createCluster } from '../postgres/cluster.mjs';
import { SETUP, TABLES, bigRows, smallWorkload } from '../differential/workload.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const PLUGINS = ['wal2json', 'pgoutput'];
const ALL_ACTIONS = { wal2json: { actions: 'insert,update,delete,truncate' }, pgoutput: { publication_names: '"all ""p"' } };

let cluster;
let client;

/** change_dump of DUPWATCH_BUILD, or of the first build that has one. */
function changeDump(args, input) {
  const builds = process.env.DUPWATCH_BUILD ? [process.env.DUPWATCH_BUILD] : ['dev', 'asan', 'tsan'].map((name) => path.join(root, 'build', name));
  const tool = builds.map((build) => path.join(build, 'bin', 'change_dump')).find((file) => fs.existsSync(file));
  if (!tool) throw new Error(`no change_dump in ${builds.join(', ')}: build the tests first`);
  const tables = TABLES.flatMap(([schema, name, ...columns]) => ['--table', schema, name, ...columns]);
  const done = spawnSync(tool, [...args, ...tables], { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout;
}

/** The decoder's own options, with some replaced. */
function options(plugin, over = {}) {
  const lines = changeDump(['options', plugin, 'inserts "p']).trimEnd().split('\n');
  return Object.entries({ ...Object.fromEntries(lines.map((line) => line.split('\t'))), ...over });
}

/** What the slot holds, as "LSN HEX" lines; it stays in the slot. */
async function peek(plugin, over) {
  const words = options(plugin, over).flat().map(literal).join(', ');
  const { rows } = await client.query({
    text: `SELECT lsn || ' ' || encode(data, 'hex')
           FROM pg_logical_slot_peek_binary_changes(${literal(`slot_${plugin}`)}, NULL, NULL, VARIADIC ARRAY[${words}])`,
    rowMode: 'array',
  });
  return rows.map(([line]) => `${line}\n`).join('');
}

async function changes(over = {}) {
  const told = {};
  for (const plugin of PLUGINS) told[plugin] = changeDump(['changes', plugin], await peek(plugin, over[plugin]));
  return told;
}

function assertSame(told) {
  assert.deepEqual(told.wal2json.split('\n'), told.pgoutput.split('\n'));
}

async function emptySlots() {
  for (const plugin of PLUGINS) await client.query(`SELECT pg_replication_slot_advance(${literal(`slot_${plugin}`)}, pg_current_wal_lsn())`);
}

async function run(statements) {
  for (const statement of statements) await client.query(statement);
}

before(async () => {
  cluster = await createCluster();
  client = await cluster.client();
  await run(SETUP);
  const names = TABLES.map(([schema, name]) => `${identifier(schema)}.${identifier(name)}`).join(', ');
  await client.query(`CREATE PUBLICATION ${identifier('inserts "p')} FOR TABLE ${names} WITH (publish = 'insert, truncate')`);
  await client.query(`CREATE PUBLICATION ${identifier('all "p')} FOR TABLE ${names}`);
  for (const plugin of PLUGINS) await client.query(`SELECT pg_create_logical_replication_slot('slot_${plugin}', '${plugin}')`);
});

after(async () => {
  await client?.end();
  await cluster?.destroy();
});

/** Writes NAME.PLUGIN.stream, NAME.changes and the list of tables for tests/unit/decoder/golden_test.cpp. */
async function record(name, told, over = {}) {
  if (!process.env.UPDATE_GOLDEN) return;
  const file = (ending) => path.join(root, 'tests', 'golden', ending);
  const [{ version }] = (await client.query("SELECT current_setting('server_version') AS version")).rows;
  const wal2json = spawnSync('dpkg-query', ['-W', '-f', '${Version}', `postgresql-${systemMajor}-wal2json`], { encoding: 'utf8' }).stdout;
  for (const plugin of PLUGINS) {
    const header = `# Recorded by tests/integration/differential.test.mjs with UPDATE_GOLDEN=1.\n# Server ${version}, ${plugin} ${{ wal2json, pgoutput: version }[plugin]}\n`;
    fs.writeFileSync(file(`${name}.${plugin}.stream`), header + (await peek(plugin, over[plugin])));
  }
  const quoted = (word) => `"${word.replaceAll(/[\\"]/g, '\\$&')}"`;
  fs.writeFileSync(file('tables'), TABLES.map((words) => `table ${words.map(quoted).join(' ')}\n`).join(''));
  fs.writeFileSync(file(`${name}.changes`), told.wal2json);
}

test('both plugins give equal changes for every kind of value and for DDL in mid-stream', async () => {
  await emptySlots();
  await run(smallWorkload());
  const told = await changes();
  assertSame(told);
  assert.equal(told.wal2json.match(/^insert /gm).length, 39);
  assert.equal(told.wal2json.match(/^truncate /gm).length, 3);
  assert.equal(told.wal2json.match(/^message /gm).length, 4);
  assert.equal(told.wal2json.match(/^error missing_column$/gm).length, 2);
  assert.doesNotMatch(told.wal2json, /^(update|delete) |^error (?!missing_column)|rolled_back/m);
  await record('inserts', told);
});

test('updates and deletes are equal too where they are asked for', async () => {
  const told = await changes(ALL_ACTIONS);
  assertSame(told);
  assert.match(told.wal2json, /^update 3 "t1-moved" absent$/m); // unchanged TOAST
  assert.match(told.wal2json, /^delete 0 absent "e-deleted" absent absent$/m);
  await record('all', told, ALL_ACTIONS);
});

test('the time zone of the session changes nothing but the text of timestamptz values', async () => {
  const utc = await changes();
  await client.query("SET timezone = 'Asia/Kolkata'");
  const told = await changes();
  await client.query('RESET timezone');
  assertSame(told);
  assert.equal(told.wal2json.replaceAll('2020-01-01 05:30:00+05:30', '2020-01-01 00:00:00+00'), utc.wal2json);
});

test('megabytes in one column and in the identity', async () => {
  await emptySlots();
  await run(bigRows());
  const told = await changes();
  assertSame(told);
  assert.match(told.wal2json, /^insert 0 "big" "e-\d+" "(x|é|\\"){1000000}" "big"$/m);
});

test('a thousand transactions of a few rows each', async () => {
  await emptySlots();
  for (let i = 0; i < 1000; i += 1) {
    await client.query(`INSERT INTO workflow.workflow_events (run_id, id, correlation_id, type)
      SELECT 'r' || ${i % 7}, 'bulk-${i}-' || n, NULLIF(n, 1)::text, 'step_created' FROM generate_series(1, 3) n`);
  }
  const told = await changes();
  assertSame(told);
  assert.equal(told.wal2json.match(/^insert /gm).length, 3000);
});

test('known difference: under another name wal2json is silent, pgoutput goes on if it knew the table before', async () => {
  const rename = [
    'ALTER TABLE workflow.workflow_events RENAME TO renamed',
    "DELETE FROM workflow.renamed WHERE id = 'renamed'",
    "INSERT INTO workflow.renamed (run_id, id, type) VALUES ('r', 'renamed', 'x')",
    'ALTER TABLE workflow.renamed RENAME TO workflow_events',
  ];
  await emptySlots();
  await run(["INSERT INTO workflow.workflow_events (run_id, id, type) VALUES ('r', 'before', 'x')", ...rename]);
  const known = await changes();
  assert.doesNotMatch(known.wal2json, /"renamed"/);
  assert.match(known.pgoutput, /^insert 0 "r" "renamed" null "x"$/m);
  await emptySlots();
  await run(rename);
  assert.deepEqual(await changes(), { wal2json: '', pgoutput: '' });
});

test('known difference: wal2json prints NaN as null and bytea without its prefix', async () => {
  await emptySlots();
  await run([`INSERT INTO "Od d.S,c*".differing VALUES ('NaN', '\\x00ff')`]);
  const told = await changes();
  assert.match(told.wal2json, /^insert 4 null "00ff"$/m);
  assert.match(told.pgoutput, /^insert 4 "NaN" "\\\\x00ff"$/m);
});
