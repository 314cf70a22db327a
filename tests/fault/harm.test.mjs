// The database comes first: whatever state dupwatch is in, the application's statements and the engine's own migrations
// succeed; and whatever state the database is in, dupwatch answers its scrapers and keeps to three connections.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installSchema } from '../writers/install_schema.mjs';
import { EVENTS, assertTruth, daemonFor, full, insertEvents, serverWithSchema } from '../integration/scene.mjs';
import { Gate } from './gate.mjs';
import { Load } from './load.mjs';

// Two ends of a step violate no unique index of any engine version.
const twice = (run) => ['step_created', 'step_completed', 'step_completed'].map((type) => ({ run, type, correlation: `step_${run}` }));

for (const plugin of full ? ['wal2json', 'pgoutput'] : ['pgoutput']) {
  test(`migrations and statements while dupwatch runs, is stopped and is killed, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t);
    const daemon = await daemonFor(t, cluster, { slot: { plugin } });
    await daemon.start();
    await insertEvents(cluster, twice('wrun_before'));
    // Adds columns and types, deletes duplicates, makes the unique index: the engine's own program.
    await installSchema('4.3.7', cluster.uri());
    await insertEvents(cluster, twice('wrun_running'));
    daemon.child.kill('SIGSTOP');
    await installSchema('5.0.0-beta.27', cluster.uri());
    await insertEvents(cluster, twice('wrun_stopped'));
    await cluster.query(`UPDATE ${EVENTS} SET spec_version = 2 WHERE run_id = 'wrun_stopped'`);
    daemon.child.kill('SIGCONT');
    await daemon.kill();
    // What a later migration of the engine does to the primary key.
    await cluster.query(`ALTER TABLE ${EVENTS} DROP CONSTRAINT workflow_events_pkey, ADD CONSTRAINT workflow_events_run_id_id_pk PRIMARY KEY (run_id, id)`);
    await insertEvents(cluster, twice('wrun_killed'));
    await cluster.query(`INSERT INTO ${EVENTS} (run_id, id, type) VALUES ('wrun_short', 'wevt_short', 'hook_received')`);
    await cluster.query(`DELETE FROM ${EVENTS} WHERE run_id = 'wrun_short'`);
    await daemon.start();
    assert.equal((await assertTruth(daemon, { atLeast: 4 })).found, 4);
  });
}

/** Scrapes /metrics a hundred times at once; gives the slowest answer in ms. */
async function scrapeHundred(daemon) {
  const times = await Promise.all(Array.from({ length: 100 }, async () => {
    const began = performance.now();
    // Without the usual 5 s: how long it takes is told, and a busy machine is no failure.
    const response = await fetch(`${daemon.httpBase}/metrics`);
    await response.text();
    assert.equal(response.status, 200);
    return performance.now() - began;
  }));
  return Math.max(...times);
}

test('a hundred scrapes at once, the table locked and the server stopped', async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.query('CREATE ROLE watcher LOGIN SUPERUSER');
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json' }, connection: { dsn: cluster.dsn({ user: 'watcher' }) }, recheck: { interval: '1s' } });
  await daemon.start();
  const load = new Load(cluster);
  t.after(() => load.abandon());
  await load.more(10);
  const most = { connections: 0 };
  const count = async () => {
    const [{ n }] = await cluster.query(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'watcher'`);
    most.connections = Math.max(most.connections, n);
  };
  await count();
  await load.stop();
  assert.deepEqual(load.failures, []);

  const locker = await cluster.client();
  await locker.query('BEGIN');
  await locker.query(`LOCK TABLE ${EVENTS} IN ACCESS EXCLUSIVE MODE`);
  const locked = [];
  for (let round = 0; round < 3; round += 1) {
    locked.push(await scrapeHundred(daemon));
    await count();
  }
  await locker.query('ROLLBACK');
  await locker.end();
  await assertTruth(daemon, { atLeast: 5 });
  await count();

  await cluster.stop('immediate');
  await daemon.until('unreadiness', async () => (await daemon.fetch('/readyz')).status === 503);
  const stopped = [];
  for (let round = 0; round < 3; round += 1) stopped.push(await scrapeHundred(daemon));
  t.diagnostic(`slowest of 100 at once: ${Math.min(...locked).toFixed(0)} ms with the table locked, ${Math.min(...stopped).toFixed(0)} ms without a server; ${most.connections} connections at the most`);
  assert.ok(most.connections >= 2 && most.connections <= 3, `${most.connections} connections`);
});

// A scan is one transaction. What waits for a lock that it has keeps all that comes after from the table.
for (const plugin of ['wal2json', 'pgoutput']) {
  test(`a migration, and the rows behind it, wait for no scan, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t);
    await cluster.query(`INSERT INTO ${EVENTS} (run_id, id, type) SELECT 'wrun_' || n / 10, 'wevt_' || lpad(n::text, 26, '0'), 'step_created' FROM generate_series(1, 60000) n`);
    const gate = await Gate.open(t, cluster.port);
    const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ port: gate.port }) }, slot: { plugin }, baseline: 'all' });
    gate.throttle(300_000);
    await daemon.start({ ready: false });
    await daemon.line('where it listens', ({ event }) => event === 'listening');
    await daemon.until('a scan under way', async () => {
      const { state, rows } = (await daemon.status()).baseline;
      return state === 'running' && rows > 2000;
    });
    const began = performance.now();
    const altered = cluster.query(`ALTER TABLE ${EVENTS} ADD COLUMN note text`);
    await insertEvents(cluster, [0, 1].map((order) => ({ run: 'wrun_new', type: 'step_created', correlation: 'step_x', id: `wevt_${'9'.repeat(25)}${order}` })));
    await altered;
    const ms = performance.now() - began;
    assert.ok(ms < 3000, `${ms.toFixed(0)} ms`);
    await daemon.line('why it ended', ({ event, reason }) => event === 'baseline' && reason === 'made_way');
    gate.pass();
    assert.equal((await daemon.fetch('/readyz')).status, 503);
    if (!full) return;
    await daemon.ready(120_000);
    await assertTruth(daemon, { atLeast: 1 });
  });
}
