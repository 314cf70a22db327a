// The built-in profiles over the tables that the packages make, written by the packages' own calls: nothing is found in a
// healthy load, and every planted fault of every rule is found, by the stream, by audit and by `profile test`, as SQL says.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { installMessageDb, openEmmett, writeEmmett, writeMessageDb } from '../profiles/stores.mjs';
import { binary, runCommand } from './daemon.mjs';
import { latestFindings } from './ground_truth.mjs';
import { assertRules } from './rules_sql.mjs';
import { daemonFor, full, serverWithSchema } from './scene.mjs';

const ROWS = full ? 100_000 : 2000;
const settings = { track_commit_timestamp: 'on' };

const MESSAGE_DB = {
  name: 'message_store.messages', run_column: 'stream_name', id_column: 'global_position', type_column: 'type',
  rules: {
    position_twice: { unique: ['position'], severity: 'fatal' },
    message_twice: { unique: ['id'], severity: 'fatal' },
    position_missing: { dense: 'position', severity: 'fatal' },
    behind_readers: { increasing: true, severity: 'conflict' },
  },
};
const emmett = (name) => ({
  name, run_column: 'stream_id', id_column: 'global_position', type_column: 'message_type',
  rules: {
    position_twice: { unique: ['stream_position'], severity: 'fatal' },
    message_twice: { unique: ['message_id'], severity: 'conflict' },
    position_missing: { dense: 'stream_position', from: 1, severity: 'fatal' },
    behind_readers: { increasing: true, severity: 'conflict' },
  },
});

const namesOf = (daemon) => [...new Set(latestFindings(daemon.findingsFile).map(({ profile_rule: rule }) => rule))].sort();

/** audit, and the dry run of the profile, say what the table shows: all but the order of commits. */
async function assertCommands(daemon, profile, builtin) {
  const audit = await runCommand(['audit', '--json', '--config', daemon.configFile]);
  assert.equal(audit.code, 1, audit.stderr);
  const findings = audit.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter(({ event }) => event === 'finding');
  await assertRules(daemon, profile, { source: findings, without: ['behind_readers'] });
  const dry = await runCommand(['profile', 'test', profile.name === daemon.config.table?.name ? daemon.configFile : builtin, '--dsn', daemon.cluster.dsn(), '--json']);
  assert.equal(dry.code, 1, dry.stderr);
  const told = JSON.parse(dry.stdout);
  assert.equal(told.findings, findings.length);
  assert.deepEqual(told.rules.filter(({ findings: count }) => count > 0).map(({ name }) => name).sort(), [...new Set(findings.map(({ profile_rule: rule }) => rule))].sort());
  assert.ok(told.rows_per_second > 0);
}

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`Message DB, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null, settings });
    await installMessageDb(cluster);
    const daemon = await daemonFor(t, cluster, { profile: 'message-db', slot: { plugin }, recheck: { interval: '1s' } });
    const check = await runCommand(['check', '--json', '--config', daemon.configFile]);
    assert.ok(JSON.parse(check.stdout).lines.every(({ verdict }) => verdict !== 'fail'), check.stdout);
    await daemon.start();
    await writeMessageDb(cluster, { messages: ROWS, streams: 200 });
    await daemon.caughtUp(120_000);
    await sleep(6000);
    assert.deepEqual(latestFindings(daemon.findingsFile), []);

    await cluster.query(`DROP INDEX message_store.messages_stream, message_store.messages_id`);
    const write = (stream, position, id = 'gen_random_uuid()') => cluster.query(
      `INSERT INTO message_store.messages (stream_name, position, type, id) VALUES ('${stream}', ${position}, 'Placed', ${id})`);
    await write('order-1', 3);
    await write('order-2', 4);
    await write('fault-1', 0, `'00000000-0000-0000-0000-000000000001'`);
    await write('fault-1', 1, `'00000000-0000-0000-0000-000000000001'`);
    await write('fault-1', 4);
    await write('fault-2', 2);
    const slow = await cluster.client();
    await slow.query(`BEGIN; INSERT INTO message_store.messages (stream_name, position, type) VALUES ('fault-3', 0, 'Placed')`);
    await write('fault-3', 1);
    await slow.query('COMMIT');
    await slow.end();
    await daemon.caughtUp();
    assert.equal(await assertRules(daemon, MESSAGE_DB), 6);
    assert.deepEqual(namesOf(daemon), Object.keys(MESSAGE_DB.rules).sort());
    await cluster.query('CREATE INDEX ON message_store.messages (stream_name)');
    await assertCommands(daemon, MESSAGE_DB, 'message-db');
    const explain = await runCommand(['explain', 'fault-1', '--config', daemon.configFile]);
    assert.match(explain.stdout, /^stream fault-1: 3 messages, judged by profile message-db$/m);
  });

  test(`Emmett, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null, settings });
    const store = await openEmmett(cluster);
    await writeEmmett(store, { messages: 10, streams: 2, prefix: 'first' });
    const [{ leaf }] = await cluster.query(`SELECT DISTINCT tableoid::regclass::text AS leaf FROM emt_messages`);
    // wal2json names the partition that holds a row, pgoutput can name the table.
    const name = plugin === 'wal2json' ? `public.${leaf}` : 'public.emt_messages';
    const daemon = await daemonFor(t, cluster, { profile: 'emmett', slot: { plugin }, baseline: 'all', recheck: { interval: '1s' }, ...(plugin === 'wal2json' ? { table: { name } } : {}) });
    await daemon.start();
    await writeEmmett(store, { messages: ROWS, streams: 200 });
    await store.close();
    await daemon.caughtUp(120_000);
    await sleep(6000);
    assert.deepEqual(latestFindings(daemon.findingsFile), []);

    const profile = emmett(name);
    const write = (stream, position, id = 'gen_random_uuid()::text', client = cluster) => client.query(
      `INSERT INTO ${name} (stream_id, stream_position, partition, message_data, message_metadata, message_schema_version, message_type, message_id, transaction_id)
       SELECT '${stream}', ${position}, (SELECT partition FROM emt_messages LIMIT 1), '{}', '{}', '1', 'ItemAdded', ${id}, pg_current_xact_id()`);
    // Nothing of the schema is in the way of these: the package's key is about the position alone.
    await write('fault-1', 1, `'one'`);
    await write('fault-1', 2, `'one'`);
    await write('fault-1', 5);
    await write('fault-2', 4);
    await cluster.query('DELETE FROM emt_streams');
    const slow = await cluster.client();
    await slow.query('BEGIN');
    await write('fault-3', 1, `'slow'`, slow);
    await write('fault-3', 2);
    await slow.query('COMMIT');
    await slow.end();
    await cluster.query('ALTER TABLE emt_messages DROP CONSTRAINT emt_messages_pkey');
    await write('fault-1', 2);
    await daemon.caughtUp();
    assert.equal(await assertRules(daemon, profile), 5);
    assert.deepEqual(namesOf(daemon), Object.keys(profile.rules).sort());
    await cluster.query(`CREATE INDEX ON emt_messages (stream_id, stream_position)`);
    await assertCommands(daemon, profile, 'emmett');
  });
}

test('profiles are listed and shown, and what is shown is a configuration', async () => {
  assert.ok(binary());
  const list = await runCommand(['profile', 'list', '--json']);
  assert.equal(list.code, 0, list.stderr);
  const names = JSON.parse(list.stdout).profiles.map(({ name }) => name);
  assert.deepEqual(names, ['workflow-devkit', 'message-db', 'emmett', 'dbos', 'openworkflow', 'outbox']);
  for (const name of names.slice(1)) {
    const { code, stdout } = await runCommand(['profile', 'show', name]);
    assert.equal(code, 0);
    assert.match(stdout, /^profile: generic\ntable:\n/);
  }
  const unknown = await runCommand(['profile', 'show', 'nothing']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /no built-in profile.*message-db/s);
});
