// The engine's log in a world that is partitioned by tenant: LIST partitions by tenant_id, primary key (tenant_id, run_id, id),
// unique index (tenant_id, run_id, correlation_id, type) for creating types. Two tenants may have one run id.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from './daemon.mjs';
import { compare, describe, latestFindings } from './ground_truth.mjs';
import { daemonFor, eventId, serverWithSchema } from './scene.mjs';

const WORLD = `
  CREATE SCHEMA workflow;
  CREATE TABLE workflow.workflow_events (tenant_id text NOT NULL, id varchar NOT NULL, run_id varchar NOT NULL, type varchar NOT NULL, correlation_id varchar,
    payload jsonb, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (tenant_id, run_id, id)) PARTITION BY LIST (tenant_id);
  CREATE TABLE workflow.workflow_events_acme PARTITION OF workflow.workflow_events FOR VALUES IN ('acme');
  CREATE TABLE workflow.workflow_events_rest PARTITION OF workflow.workflow_events DEFAULT;
  CREATE UNIQUE INDEX ON workflow.workflow_events (tenant_id, run_id, correlation_id, type)
    WHERE type IN ('step_created', 'hook_created', 'wait_created', 'attr_set');
  CREATE TABLE workflow.workflow_runs (tenant_id text NOT NULL, id varchar NOT NULL, status varchar NOT NULL, PRIMARY KEY (tenant_id, id))`;

const TYPES = ['step_created', 'step_started', 'step_completed', 'step_failed', 'wait_created', 'wait_completed', 'hook_created', 'hook_received', 'hook_disposed'];
const RUNS = Array.from({ length: 6 }, (_, i) => `wrun_01KAAAAAAA${String(i).padStart(16, '0')}`);

/** The same runs under every tenant, each begun once and then at random. */
function events(tenants, count, random) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const rows = tenants.flatMap((tenant) => RUNS.flatMap((run) => ['run_created', 'run_started'].map((type) => ({ tenant, run, type, id: eventId(), entity: null }))));
  for (let i = 0; i < count; i += 1) {
    const type = pick(TYPES);
    rows.push({ tenant: pick(tenants), run: pick(RUNS), type, id: eventId(), entity: `${type.split('_')[0]}_01KAAAAAAA000000000000000${Math.floor(random() * 4)}` });
  }
  return rows;
}

const insert = (cluster, rows) => cluster.query(`
  INSERT INTO workflow.workflow_events (tenant_id, run_id, type, id, correlation_id)
  SELECT tenant, run, type, id, entity FROM jsonb_to_recordset($1::jsonb) AS rows(tenant text, run text, type text, id text, entity text)
  ON CONFLICT DO NOTHING`, [JSON.stringify(rows)]);

/** The truth knows runs by one column: the same log in a database of its own, with the keys for runs. */
async function truth(cluster, table) {
  const database = `truth_${Date.now()}`;
  await cluster.createDatabase(database);
  const rows = await cluster.query(`SELECT tenant_id || '/' || run_id AS run_id, id, type, correlation_id FROM ${table}`);
  const client = await cluster.client({ database });
  await client.query('CREATE SCHEMA workflow; CREATE TABLE workflow.workflow_events (run_id text, id text, type text, correlation_id text)');
  await client.query('INSERT INTO workflow.workflow_events SELECT * FROM jsonb_populate_recordset(NULL::workflow.workflow_events, $1)', [JSON.stringify(rows)]);
  return client;
}

async function assertSame(cluster, source, table) {
  const client = await truth(cluster, table);
  try {
    const result = await compare(source, client, { engine: 'v4' });
    assert.ok(result.ok, describe(result));
    return result.expected;
  } finally {
    await client.end();
  }
}

/** What the daemon's record of a finding tells to do, done: its SQL takes the row out, and the finding ends. */
async function fixByHand(cluster, daemon) {
  const run = 'wrun_01KAAAAAAA0000000000007777';
  await insert(cluster, ['run_created', 'run_started', 'step_created', 'step_completed', 'step_completed'].map((type) => ({
    tenant: 'globex', run, type, id: eventId(), entity: type.startsWith('step') ? 'step_01KAAAAAAA0000000000000000' : null })));
  await daemon.until('its finding', () => latestFindings(daemon.findingsFile).some(({ run_id: of }) => of === `globex/${run}`));
  const { finding_id: id, fix, duplicate } = latestFindings(daemon.findingsFile).find(({ run_id: of }) => of === `globex/${run}`);
  assert.equal(fix, `dupwatch explain --repair-plan repair.sql globex/${run}`);
  const [, command, ...rest] = fix.split(' ');
  const file = join(dirname(daemon.configFile), 'repair.sql');
  const words = [command, '--config', daemon.configFile, ...rest.map((word) => word.replace('repair.sql', file))];
  const made = await runCommand(words);
  assert.match(made.stderr, /holds the SQL; dupwatch has not run it/, made.stdout + made.stderr);
  const sql = readFileSync(file, 'utf8').split('\n').filter((line) => !line.startsWith('\\')).join('\n');
  await cluster.query(sql);
  const [{ count }] = await cluster.query('SELECT count(*)::int AS count FROM workflow.workflow_events WHERE id = $1', [duplicate.id]);
  assert.equal(count, 0);
  await daemon.until('the end of the finding', () => latestFindings(daemon.findingsFile).find(({ finding_id: other }) => other === id).state === 'gone');
}

const seeded = (seed) => () => {
  seed = (seed * 1103515245 + 12345) % 2147483648; // eslint-disable-line no-param-reassign
  return seed / 2147483648;
};

for (const [plugin, name, tenants] of [
  ['pgoutput', 'workflow.workflow_events', ['acme', 'globex', 'in/itech']],
  ['wal2json', 'workflow.workflow_events_rest', ['globex', 'initech']],
]) {
  test(`one run id under several tenants, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null });
    await cluster.query(WORLD);
    const random = seeded(plugin.length);
    await insert(cluster, events(tenants, 150, random));
    const daemon = await daemonFor(t, cluster, { slot: { plugin }, engine: 'v4', baseline: 'all', recheck: { interval: '1s' }, table: { name, scope_columns: ['tenant_id'] } });
    const check = await runCommand(['check', '--config', daemon.configFile]);
    assert.match(check.stdout, /primary_key.*\(tenant_id,run_id,id\): engine 5\.x/);
    await daemon.start();
    await daemon.caughtUp();
    // A tenant that begins a run of another one's is no finding.
    await insert(cluster, [...tenants, 'umbrella'].map((tenant) => ({ tenant, run: 'wrun_01KAAAAAAA0000000000009999', type: 'run_created', id: eventId(), entity: null })));
    await daemon.caughtUp();
    assert.equal(latestFindings(daemon.findingsFile).filter(({ run_id: run }) => run.endsWith('9999')).length, 0);
    await insert(cluster, events(tenants, 150, random));
    await daemon.caughtUp();
    const slashes = (source) => latestFindings(source).map((finding) => ({ ...finding, run_id: finding.run_id.replace('%2F', '/') }));
    const found = await assertSame(cluster, slashes(daemon.findingsFile), name);
    assert.ok(found > 60, `${found}`);
    await daemon.stop();
    await insert(cluster, events(tenants, 100, random));
    await daemon.start();
    await daemon.caughtUp();
    assert.ok(await assertSame(cluster, slashes(daemon.findingsFile), name) > found);
    const audit = await runCommand(['audit', '--json', '--config', daemon.configFile]);
    const findings = audit.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter(({ event }) => event === 'finding');
    await assertSame(cluster, slashes(findings), name);
    const late = 'wrun_01KAAAAAAA0000000000008888';
    await insert(cluster, ['run_created', 'run_started', 'step_created', 'step_completed', 'step_started', 'step_created'].map((type, i) => ({
      tenant: 'globex', run: late, type, id: eventId(), entity: type.startsWith('step') ? `step_01KAAAAAAA000000000000000${i === 5 ? 1 : 0}` : null })));
    const explain = await runCommand(['explain', `globex/${late}`, '--config', daemon.configFile]);
    assert.match(explain.stdout, new RegExp(`WHERE "tenant_id" = 'globex' AND "run_id" = '${late}'`));
    assert.doesNotMatch(explain.stdout, /quarantine apply/);
    const fatal = findings.find(({ severity }) => severity === 'fatal');
    for (const finding of findings) assert.doesNotMatch(finding.fix ?? '', /quarantine/);
    assert.match(findings.find(({ fix }) => fix).fix, /^dupwatch explain --repair-plan repair\.sql \S+\/wrun_\w+$/);
    for (const words of [['audit'], ['findings', '--source', 'file'], ['findings', 'show', fatal.finding_id]]) {
      const told = await runCommand([...words, '--config', daemon.configFile]);
      assert.doesNotMatch(told.stdout + told.stderr, /quarantine/, words.join(' '));
      assert.match(told.stdout + told.stderr, /explain --config \S+.* --repair-plan/, words.join(' '));
    }
    await fixByHand(cluster, daemon);
    for (const command of [['quarantine', 'apply', fatal.finding_id], ['guard', 'status'], ['upgrade-check', '--to', '4.2.0']]) {
      const refused = await runCommand([...command, '--config', daemon.configFile]);
      assert.equal(refused.code, 2, `${command}: ${refused.stdout}${refused.stderr}`);
      assert.match(refused.stderr, /scope_columns/);
    }
  });
}
