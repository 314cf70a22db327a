// What `dupwatch check` says of a failover slot, line by line, and whether its fixes mend it: primary and standby of
// Postgres 17. On the way an existing slot becomes a failover slot.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { twoFindings } from '../fault/fault.mjs';
import { REPLICATION_HBA, standbyOf, until } from '../postgres/standby.mjs';
import { runCommand } from './daemon.mjs';
import { assertTruth, daemonFor, findingCounts, serverWithSchema, slots } from './scene.mjs';

async function linesOf(daemon, args = []) {
  const { stdout } = await runCommand(['check', '--config', daemon.configFile, '--json', ...args]);
  return new Map(JSON.parse(stdout).lines.map((line) => [line.name, line]));
}

test('check sees what a failover slot lacks on both servers', async (t) => {
  const primary = await serverWithSchema(t, { major: 17, hba: REPLICATION_HBA });
  const standby = await standbyOf(t, primary);
  const name = `standby 127.0.0.1:${standby.port}`;
  const daemon = await daemonFor(t, primary);
  await daemon.start();
  await daemon.stop();
  let lines = await linesOf(daemon);
  assert.deepEqual([lines.get('failover').verdict, lines.has('synchronized_standby_slots')], ['pass', false]);
  assert.match(lines.get('failover').found, /^off/);

  const dsn = primary.dsn({ host: '127.0.0.1,127.0.0.1', port: `${standby.port},${primary.port}`, target_session_attrs: 'read-write' });
  daemon.configure({ ...daemon.config, slot: { ...daemon.config.slot, failover: true } });
  assert.equal((await linesOf(daemon)).get('standbys').verdict, 'skip', 'one server in the DSN');
  daemon.configure({ ...daemon.config, connection: { ...daemon.config.connection, dsn } });
  lines = await linesOf(daemon);
  assert.match(lines.get('failover').found, /dupwatch run makes it one/);
  assert.deepEqual([lines.get('synchronized_standby_slots').verdict, lines.get(name).verdict], ['warn', 'warn']);
  assert.match(lines.get(name).found, /^sync_replication_slots is off$/);
  await primary.query(lines.get('synchronized_standby_slots').fix.split(';')[0]);
  primary.reload();
  standby.configure({ sync_replication_slots: 'on', hot_standby_feedback: 'off', primary_conninfo: standby.settings.primary_conninfo.replace(/ dbname=\w+/, '') });
  standby.reload();
  await until('the new settings', async () => (await standby.query('SHOW hot_standby_feedback'))[0].hot_standby_feedback === 'off');
  lines = await linesOf(daemon);
  assert.match(lines.get(name).found, /hot_standby_feedback is off; primary_conninfo names no dbname/);
  assert.deepEqual([lines.get('synchronized_standby_slots').verdict, lines.get('synchronized_standby_slots').found], ['pass', 'standby']);

  // The daemon makes the slot that is there a failover slot.
  await daemon.start();
  await daemon.line('the failover slot', ({ event }) => event === 'failover_slot');
  const [{ failover }] = await primary.query("SELECT failover FROM pg_replication_slots WHERE slot_name = 'dupwatch'");
  assert.equal(failover, true);
  assert.match((await linesOf(daemon)).get(name).found, /no copy of slot "dupwatch" yet/);

  // What an old primary brings along: a slot of that name that is no copy.
  const own = standby.query("SELECT pg_create_logical_replication_slot('dupwatch', 'pgoutput')");
  await until('a slot of the standby', async () => {
    await primary.query('SELECT pg_log_standby_snapshot()');
    return Promise.race([own, new Promise((resolve) => { setTimeout(resolve, 200); })]);
  });
  standby.configure({ hot_standby_feedback: 'on', primary_conninfo: `${standby.settings.primary_conninfo} dbname=${primary.database}` });
  standby.reload();
  await until('the word of the server', () => /slot "dupwatch" already exists on the standby/.test(standby.log()));
  const stopped = (await linesOf(daemon)).get(name);
  assert.match(stopped.found, /^a slot "dupwatch" of its own stops the synchronization$/);
  await standby.query(stopped.fix.replace('There: ', ''));
  await until('a copy that check finds good', async () => {
    await primary.query('SELECT pg_log_standby_snapshot()');
    return (await linesOf(daemon)).get(name).verdict === 'pass';
  }, 90_000);

  // On the standby alone the copy is no slot to read from.
  lines = await linesOf(daemon, ['--dsn', standby.dsn()]);
  assert.equal(lines.get('slot').verdict, 'fail');
  assert.match(lines.get('slot').found, /copy of the primary's slot/);
  assert.equal(lines.get('failover').verdict, 'warn');

  // A standby that is away holds the stream back, and nothing else.
  await standby.stop();
  await twoFindings(primary, 1);
  await sleep(1500);
  assert.equal(findingCounts(daemon).findings, 0);
  assert.equal((await daemon.status()).state, 'streaming');
  lines = await linesOf(daemon);
  assert.match(lines.get('synchronized_standby_slots').found, /stream stands still while standby is not in use/);
  assert.equal(lines.get(name).verdict, 'warn');
  assert.equal((await slots(primary)).length, 2, 'nothing is left behind');
  await standby.start();
  await assertTruth(daemon, { atLeast: 2 });
});

test('before Postgres 17 a failover slot is told to be none, and the slot is made all the same', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json', failover: true } });
  assert.match((await linesOf(daemon)).get('failover').found, /no effect before Postgres 17/);
  await daemon.start();
});
