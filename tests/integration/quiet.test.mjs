// The watched table is quiet while another table writes: the slot must not hold that WAL on the server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertTruth, daemonFor, full, insertEvents, serverWithSchema } from './scene.mjs';

const MIB = 1024 * 1024;
const TOTAL = (full ? 1024 : 96) * MIB;
const LIMIT = 64 * MIB;

async function retained(cluster) {
  const [row] = await cluster.query(`SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint AS bytes,
    pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint AS unconfirmed FROM pg_replication_slots WHERE slot_name = 'dupwatch'`);
  return { bytes: Number(row.bytes), unconfirmed: Number(row.unconfirmed) };
}

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`${TOTAL / MIB} MiB of other tables' WAL, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t);
    const daemon = await daemonFor(t, cluster, { slot: { plugin } });
    await daemon.start();
    // Incompressible rows of 4 KiB, stored in the table itself.
    await cluster.query('CREATE TABLE noise (n bigint, junk text); ALTER TABLE noise ALTER junk SET STORAGE PLAIN');
    const [{ at: begin }] = await cluster.query('SELECT pg_current_wal_lsn() AS at');
    let worst = 0;
    for (let written = 0, rounds = 0; written < TOTAL; rounds += 1) {
      await cluster.query(`INSERT INTO noise SELECT n, string_agg(md5(n::text || part), '') FROM generate_series(1, 1000) n, generate_series(1, 128) part GROUP BY n`);
      await cluster.query('TRUNCATE noise');
      if (rounds % 3 === 2) await cluster.query('CHECKPOINT');
      worst = Math.max(worst, (await retained(cluster)).bytes);
      const [{ bytes }] = await cluster.query('SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), $1)::bigint AS bytes', [begin]);
      written = Number(bytes);
    }
    assert.ok(worst < LIMIT, `the slot retained ${(worst / MIB).toFixed(1)} MiB at the worst`);

    // In the end nothing is left unconfirmed, and the events are still seen.
    await sleep(1000);
    await cluster.query('CHECKPOINT');
    const end = await daemon.until('confirmation of the idle stream', async () => {
      const now = await retained(cluster);
      return now.unconfirmed < MIB && now;
    });
    await insertEvents(cluster, [{ run: 'wrun_quiet', type: 'run_created' }, { run: 'wrun_quiet', type: 'run_created' }]);
    assert.equal((await assertTruth(daemon)).found, 1);
    t.diagnostic(`retained at most ${(worst / MIB).toFixed(1)} MiB, ${(end.bytes / MIB).toFixed(1)} MiB at the end`);
  });
}
