// A physical standby of a running cluster, from an online backup: the npm packages have no pg_basebackup.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from './cluster.mjs';

/** What the primary's access rules need for a standby. */
export const REPLICATION_HBA = ['local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'];

/** Waits until `check` resolves something true. A failure of `check` counts as not yet. */
export async function until(what, check, timeoutMs = 60_000) {
  let last;
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await sleep(50)) {
    try {
      const found = await check();
      if (found) return found;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`no ${what} within ${timeoutMs} ms${last ? `: ${last.message}` : ''}`);
}

// A file that vanishes while it is copied is one that the replay removes, too.
function copyFolder(from, to) {
  return new Promise((resolve, reject) => {
    const child = spawn('cp', ['-a', from, to], { stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', resolve);
  });
}

/**
 * Makes the data folder of `standby`, which is stopped, a standby of the running `primary`, and starts it. `slot`: the
 * physical slot on the primary, made here. `settings` go over the standby's.
 */
export async function follow(standby, primary, { slot = 'standby', settings = {} } = {}) {
  await primary.query(`SELECT pg_create_physical_replication_slot($1, true)
    WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)`, [slot]);
  const backup = await primary.client();
  try {
    await backup.query("SELECT pg_backup_start('standby', true)");
    fs.rmSync(standby.dataDir, { recursive: true, force: true });
    await copyFolder(primary.dataDir, standby.dataDir);
    const [{ label }] = (await backup.query('SELECT labelfile AS label FROM pg_backup_stop(false)')).rows;
    standby.writeFile('backup_label', label);
  } finally {
    await backup.end();
  }
  // The physical slot keeps what the backup needs, so the standby gets all of it from the primary.
  for (const folder of ['pg_wal', 'pg_replslot']) {
    const full = path.join(standby.dataDir, folder);
    for (const entry of fs.readdirSync(full)) {
      if (entry !== 'archive_status' && entry !== 'summaries') fs.rmSync(path.join(full, entry), { recursive: true });
    }
  }
  for (const file of ['postmaster.pid', 'postmaster.opts']) fs.rmSync(path.join(standby.dataDir, file), { force: true });
  return startAsStandby(standby, primary, { slot, settings });
}

/** Starts `standby` with the data folder that it has: one that `primary`'s history goes on from. Options: those of follow(). */
export async function startAsStandby(standby, primary, { slot = 'standby', settings = {} } = {}) {
  standby.configure({
    primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres dbname=${primary.database}`,
    primary_slot_name: slot, hot_standby: 'on', hot_standby_feedback: 'on', ...settings,
  }, primary.hba);
  standby.writeFile('standby.signal', '');
  await standby.start();
  return standby;
}

/** Waits until `standby` has a copy of the logical slot that it may be promoted with. */
export function slotSynchronized(standby, primary, slot = 'dupwatch') {
  return until('synchronized slot', async () => {
    // An idle primary does not move its slots on.
    await primary.query('SELECT pg_log_standby_snapshot()');
    return (await standby.query(`SELECT FROM pg_replication_slots
      WHERE slot_name = $1 AND synced AND NOT temporary AND invalidation_reason IS NULL`, [slot])).length === 1;
  }, 120_000);
}

/** Cuts the standby off from its primary: what is committed from here on is lost with that. */
export async function cutOff(standby) {
  standby.configure({ primary_conninfo: `host=127.0.0.1 port=1 user=postgres dbname=${standby.database}` });
  standby.reload();
  await until('a standby that is cut off', async () => (await standby.query('SELECT FROM pg_stat_wal_receiver')).length === 0);
}

/** A new cluster that is a standby of `primary`; removed at the end of test `t`. Options: those of follow(). */
export async function standbyOf(t, primary, options = {}) {
  const standby = await createCluster({ major: primary.major, database: primary.database, start: false });
  t.after(() => standby.destroy());
  return follow(standby, primary, options);
}

/** Waits until `standby` has replayed what `primary` has flushed by now. */
export async function replayed(standby, primary, timeoutMs = 60_000) {
  const [{ at }] = await primary.query('SELECT pg_current_wal_flush_lsn() AS at');
  await until('replay', async () => (await standby.query('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS there', [at]))[0].there, timeoutMs);
}
