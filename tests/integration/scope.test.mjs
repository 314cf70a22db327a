// Runs that are told apart by columns in front of the run column: two tenants with one run id are two runs, in the stream, in
// what is read back, at a recheck, in audit and explain.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { runCommand } from './daemon.mjs';
import { latestFindings } from './ground_truth.mjs';
import { compareRules } from './rules_sql.mjs';
import { daemonFor, runSetup, serverWithSchema } from './scene.mjs';

const TABLE = `
  CREATE SCHEMA shop;
  CREATE TABLE shop.events (tenant uuid NOT NULL, region varchar(40) NOT NULL, order_id text NOT NULL, id bigint NOT NULL, kind text NOT NULL,
    line text, n integer, payload jsonb, PRIMARY KEY (tenant, region, order_id, id))`;

const PROFILE = {
  name: 'shop.events', scope_columns: ['tenant', 'region'], run_column: 'order_id', id_column: 'id', type_column: 'kind',
  rules: {
    line_added_twice: { unique: ['line'], types: ['added'], severity: 'fatal' },
    same_again: { unique: ['kind', 'line', 'n'], nulls: 'equal', severity: 'harmless' },
    ends_once: { one_ending: ['closed'], severity: 'conflict' },
    over: { nothing_after: ['closed'], types: ['added', 'shipped'], severity: 'fatal' },
    note_after_shipping: { after_closing: ['shipped'], types: ['note'], columns: ['line'] },
    added_and_refused: { conflict: ['added', 'refused'], columns: ['line'], severity: 'conflict' },
    shipped_unseen: { opener: ['added'], types: ['shipped'], columns: ['line'], severity: 'fatal' },
    no_hole: { dense: 'n', from: 1, severity: 'fatal' },
  },
};

// A separator and an escape among the regions: "a/b" + "c" is not "a" + "b/c".
const REGIONS = ['eu', 'eu/o0', '50%', '%2F'];

/** The same few order ids under every tenant and region. */
async function orders(cluster, first) {
  await cluster.query(`
    INSERT INTO shop.events (tenant, region, order_id, id, kind, line, n)
    SELECT ('00000000-0000-0000-0000-00000000000' || (random() * 2)::int)::uuid, (ARRAY[${REGIONS.map((one) => `'${one}'`).join(', ')}])[1 + floor(random() * 4)::int],
           (ARRAY['', 'o0/'])[1 + floor(random() * 2)::int] || 'o' || (random() * 2)::int, nextval('shop.ids'),
           (ARRAY['added', 'shipped', 'note', 'refused', 'closed', 'other'])[1 + floor(random() * random() * 6)::int],
           CASE WHEN random() < 0.8 THEN 'l' || (random() * 9)::int END, CASE WHEN random() < 0.7 THEN (random() * 9)::int END
    FROM generate_series(1, ${first})`);
}

const settle = (daemon) => daemon.caughtUp().then(() => sleep(7000));

async function assertRules(daemon, source) {
  const client = await daemon.cluster.client();
  try {
    let result = await compareRules(source ?? daemon.findingsFile, client, PROFILE);
    for (let i = 0; i < 40 && !source && (result.missed.length || result.false_.length); i += 1) {
      await sleep(1000);
      result = await compareRules(daemon.findingsFile, client, PROFILE);
    }
    assert.deepEqual({ missed: result.missed, false_: result.false_ }, { missed: [], false_: [] }, daemon.tail(5));
    return result.expected;
  } finally {
    await client.end();
  }
}

const auditOf = async (daemon) => {
  const audit = await runCommand(['audit', '--json', '--config', daemon.configFile]);
  assert.ok(audit.code <= 1, audit.stderr);
  return audit.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter(({ event }) => event === 'finding');
};

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`rules within a run of two scope columns, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null });
    await cluster.query(TABLE);
    await cluster.query('CREATE SEQUENCE shop.ids');
    await cluster.query('SELECT setseed(0.5)');
    await orders(cluster, 200);
    const daemon = await daemonFor(t, cluster, {
      profile: 'generic', slot: { plugin }, baseline: 'all', recheck: { interval: '1s' }, findings: { table: 'dupwatch.findings' }, table: PROFILE,
    });
    if (plugin === 'wal2json') await runSetup(cluster, daemon);
    const check = await runCommand(['check', '--config', daemon.configFile]);
    assert.match(check.stdout, /primary_key.*\(tenant,region,order_id,id\)/);
    await daemon.start();
    await settle(daemon);
    const before = await assertRules(daemon);
    assert.ok(before > 40, `${before}`);
    await orders(cluster, 200);
    await settle(daemon);
    assert.ok(await assertRules(daemon) > before);
    await daemon.stop();
    await orders(cluster, 100);
    await daemon.start();
    await settle(daemon);
    await assertRules(daemon);
    // A recheck closes what went away, in the one run that it went away from.
    const [{ key }] = await cluster.query(`DELETE FROM shop.events WHERE (tenant, region, order_id) = (SELECT tenant, region, order_id FROM shop.events
      WHERE region = 'eu/o0' ORDER BY tenant, order_id LIMIT 1) RETURNING tenant || '/eu%2Fo0/' || order_id AS key`);
    await daemon.until('the findings of the order to be gone', () => latestFindings(daemon.findingsFile)
      .filter(({ run_id: run }) => run === key).every(({ state }) => state === 'gone'));
    await assertRules(daemon);
    await assertRules(daemon, await auditOf(daemon));

    const run = latestFindings(daemon.findingsFile).find(({ state, run_id: id }) => state !== 'gone' && id.includes('/50%25/')).run_id;
    const explain = await runCommand(['explain', run, '--json', '--config', daemon.configFile]);
    const [tenant, , ...order] = run.split('/');
    const [{ n }] = await cluster.query('SELECT count(*)::int AS n FROM shop.events WHERE (tenant, region, order_id) = ($1, $2, $3)', [tenant, '50%', order.join('/')]);
    assert.equal(JSON.parse(explain.stdout).events.length, n, explain.stderr);
    const refused = await runCommand(['explain', 'o1', '--config', daemon.configFile]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /o1 is no whole key; remedy: write tenant\/region\/order_id/);
    // The same key everywhere: API, page, findings table; and in no metric.
    const answer = await daemon.json(`/api/runs/${encodeURIComponent(run)}`);
    assert.equal(answer.run_id, run);
    assert.ok(answer.findings.length > 0);
    const stored = await cluster.query('SELECT count(*)::int AS n FROM dupwatch.findings WHERE run_id = $1', [run]);
    assert.ok(stored[0].n > 0);
    assert.ok((await (await daemon.fetch('/')).text()).includes('50%25'));
    assert.ok(!(await (await daemon.fetch('/metrics')).text()).includes(tenant));
  });

  test(`a generic table without rules, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null });
    await cluster.query(`CREATE TABLE plain (shop smallint, run bigint NOT NULL, id bigint NOT NULL, what text)`);
    await cluster.query('CREATE INDEX ON plain (shop, run)');
    await cluster.query(`INSERT INTO plain VALUES (1, 7, 1, 'a'), (2, 7, 2, 'a'), (2, 7, 3, 'a')`);
    const daemon = await daemonFor(t, cluster, {
      profile: 'generic', slot: { plugin }, baseline: 'all',
      table: { name: 'public.plain', scope_columns: ['shop'], run_column: 'run', id_column: 'id', identity_columns: ['what'] },
    });
    await daemon.start();
    await daemon.caughtUp();
    await cluster.query(`INSERT INTO plain VALUES (1, 7, 4, 'b'), (2, 7, 5, 'b'), (3, 7, 6, 'a'), (1, 7, 7, 'a'), (NULL, 7, 8, 'c'), (NULL, 7, 9, 'c')`);
    await daemon.caughtUp();
    const found = (source) => latestFindings(source).map(({ run_id: run, duplicate }) => `${run} ${duplicate.id}`).sort();
    assert.deepEqual(found(daemon.findingsFile), ['1/7 7', '2/7 3']);
    assert.deepEqual(found(await auditOf(daemon)), ['1/7 7', '2/7 3']);
    assert.match(daemon.tail(200), /a row without shop/);
  });
}

test('scope columns that do not exist or have unfit types', async (t) => {
  const cluster = await serverWithSchema(t, { world: null });
  await cluster.query(`CREATE TYPE zone AS ENUM ('eu', 'us')`);
  await cluster.query(`CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`);
  await cluster.query(`CREATE TABLE log (zone zone, n numeric, at timestamptz, texts text[], soft text COLLATE loose, run text, id bigint PRIMARY KEY, what text);
    CREATE INDEX ON log (zone, run)`);
  for (const [column, words] of [['nowhere', /columns +missing: "nowhere"/], ['n', /scope column "n" is of type numeric/], ['at', /"at" is of type timestamp with time zone/],
    ['texts', /"texts" is of type text\[\]/], ['soft', /"soft" is of type text with a nondeterministic collation/], ['zone', null]]) {
    const daemon = await daemonFor(t, cluster, {
      profile: 'generic', slot: { plugin: 'wal2json' },
      table: { name: 'public.log', scope_columns: [column], run_column: 'run', id_column: 'id', identity_columns: ['what'] },
    });
    const check = await runCommand(['check', '--config', daemon.configFile]);
    if (words) assert.match(check.stdout, words);
    else assert.doesNotMatch(check.stdout, /scope/);
    const audit = await runCommand(['audit', '--config', daemon.configFile]);
    assert.equal(audit.code, words ? 3 : 0, audit.stderr);
    if (words) assert.match(audit.stderr, /scope_columns/);
    fs.rmSync(daemon.configFile);
  }
});
