// The primary dies and a standby with the synchronized failover slot takes over: Postgres 17.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { createCluster } from '../postgres/cluster.mjs';
import { assertTruth, daemonFor, full, serverWithSchema } from '../integration/scene.mjs';
import { covered, gapsOf, twoFindings } from './fault.mjs';

async function until(check, what, timeoutMs = 60_000) {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await new Promise((resolve) => { setTimeout(resolve, 50); })) {
    if (await check().catch(() => false)) return;
  }
  throw new Error(`no ${what} within ${timeoutMs} ms`);
}

/** A standby of `primary`, made from a copy of its stopped data folder. */
async function standbyOf(t, primary) {
  const standby = await createCluster({ major: 17, start: false });
  t.after(() => standby.destroy());
  await primary.stop('fast');
  fs.rmSync(standby.dataDir, { recursive: true });
  fs.cpSync(primary.dataDir, standby.dataDir, { recursive: true });
  const chown = (dir) => {
    for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
      const file = `${dir}/${entry.name}`;
      if (entry.isDirectory()) chown(file);
      if (standby.owner.uid !== undefined) fs.chownSync(file, standby.owner.uid, standby.owner.gid);
    }
  };
  chown(standby.dataDir);
  if (standby.owner.uid !== undefined) fs.chownSync(standby.dataDir, standby.owner.uid, standby.owner.gid);
  fs.chmodSync(standby.dataDir, 0o700);
  standby.configure({
    primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres dbname=app`, primary_slot_name: 'standby',
    hot_standby: 'on', hot_standby_feedback: 'on', sync_replication_slots: 'on',
  });
  standby.writeFile('standby.signal', '');
  await primary.start();
  await standby.start();
  return standby;
}

test('failover to a promoted standby, pgoutput', { skip: full ? false : './test --full' }, async (t) => {
  const primary = await serverWithSchema(t, { major: 17, hba: ['local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'] });
  const setup = await daemonFor(t, primary, { slot: { plugin: 'pgoutput' } });
  await primary.query("SELECT pg_create_physical_replication_slot('standby', true)");
  const standby = await standbyOf(t, primary);
  await primary.query("SELECT pg_create_logical_replication_slot('dupwatch', 'pgoutput', false, false, true)");
  primary.configure({ synchronized_standby_slots: 'standby' });
  primary.reload();
  const dsn = primary.dsn({ host: '127.0.0.1,127.0.0.1', port: `${primary.port},${standby.port}`, target_session_attrs: 'read-write' });
  const daemon = await daemonFor(t, primary, { ...setup.config, connection: { ...setup.config.connection, dsn, connect_timeout: '2s', backoff_max: '500ms' }, findings: {} });
  await daemon.start();
  await covered(daemon);
  for (let number = 0; number < 10; number += 1) await twoFindings(primary, number);
  await daemon.caughtUp();
  // The standby has a copy of the slot that is fit for use.
  await until(async () => (await standby.query(`SELECT FROM pg_replication_slots WHERE slot_name = 'dupwatch' AND synced AND NOT temporary AND invalidation_reason IS NULL`)).length === 1, 'synchronized slot');
  await twoFindings(primary, 10);
  const [{ at }] = await primary.query('SELECT pg_current_wal_flush_lsn() AS at');
  await until(async () => (await standby.query('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS there', [at]))[0].there, 'replay');
  await primary.kill();
  await standby.query('SELECT pg_promote()');
  const began = Date.now();
  await twoFindings(standby, 11);
  daemon.cluster = standby;
  await daemon.until('the other timeline', async () => (await daemon.status()).timeline === 2, 60_000);
  await daemon.ready();
  await covered(daemon);
  const gaps = await gapsOf(daemon);
  assert.ok(gaps.includes('other_history'), `${gaps}`);
  const result = await assertTruth(daemon, { atLeast: 24 });
  t.diagnostic(`| failover to a standby, pgoutput, Postgres 17 | primary killed, standby promoted, timeline 2 | ${((Date.now() - began) / 1000).toFixed(1)} s | ${result.expected} / ${result.found} / 0 | ${gaps.join(', ')} |`);
});
