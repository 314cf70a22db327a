// Two servers of which one is the standby of the other, and which change their places.
import assert from 'node:assert/strict';
import { createCluster } from '../postgres/cluster.mjs';
import { REPLICATION_HBA, follow, slotSynchronized, startAsStandby, until } from '../postgres/standby.mjs';
import { serverWithSchema } from '../integration/scene.mjs';
import { compare, describe, latestFindings } from '../integration/ground_truth.mjs';
import { timeToStop } from './fault.mjs';
import { Load } from './load.mjs';

/** Drops the slot, unless it is a copy that the synchronization goes on with. */
const drop = (cluster, slot) => cluster.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT synced', [slot]);
export const receives = (standby) => until('a standby that receives', async () => (await standby.query("SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'")).length === 1);

/** Two servers that change their places; `synchronized`: the standby keeps a copy of dupwatch's slot. */
export class Pair {
  static async open(t, { synchronized, major = 17 }) {
    const pair = new Pair();
    Object.assign(pair, { t, synchronized, timeline: 1 });
    pair.primary = await serverWithSchema(t, { major, hba: REPLICATION_HBA });
    pair.standby = await createCluster({ major, start: false });
    t.after(() => pair.standby.destroy());
    pair.dsn = pair.primary.dsn({
      host: '127.0.0.1,127.0.0.1', port: `${pair.primary.port},${pair.standby.port}`, target_session_attrs: 'read-write',
    });
    await follow(pair.standby, pair.primary);
    return pair;
  }

  /** Of a daemon that goes where the primary is. */
  config() {
    return {
      connection: { dsn: this.dsn, connect_timeout: '2s', backoff_min: '20ms', backoff_max: '500ms' },
      slot: { failover: this.synchronized }, recheck: { interval: '1s' },
    };
  }

  /** What writes goes to the one that is the primary. */
  load(options) {
    const load = new Load({ client: (config) => this.primary.client(config) }, { reconnect: true, ...options });
    this.t.after(() => load.abandon());
    return load;
  }

  /** How the standby is to stand when the primary is shut down. `waits`: the stream waits for it. */
  async arrange({ waits }) {
    await receives(this.standby);
    if (!this.synchronized) return;
    this.standby.configure({ sync_replication_slots: 'on' });
    this.standby.reload();
    await slotSynchronized(this.standby, this.primary);
    this.primary.configure({ synchronized_standby_slots: waits ? 'standby' : '' });
    this.primary.reload();
  }

  /** Shuts the primary down, promotes the standby, and returns how many milliseconds the first took. */
  async switchOver(daemon) {
    const took = await timeToStop(this.primary, 'fast', daemon);
    await this.promote(daemon);
    return took;
  }

  /** Promotes the standby, whatever becomes of the primary. */
  async promote(daemon) {
    await this.standby.query('SELECT pg_promote()');
    [this.primary, this.standby] = [this.standby, this.primary];
    this.timeline += 1;
    if (daemon) daemon.cluster = this.primary;
  }

  /** Waits until dupwatch streams from the one that is the primary now. */
  followed(daemon) {
    return daemon.until('the other timeline', async () => {
      const { state, timeline } = await daemon.status().catch(() => ({}));
      return state === 'streaming' && timeline === this.timeline;
    }, 60_000);
  }

  /**
   * The old primary comes back as the standby. `copied`: it has what the new primary lacks, and gets that one's files.
   * `keepsSlot`: dupwatch's slot is left as it was, to be met at the next promotion.
   */
  async comeBack({ copied = false, keepsSlot = false } = {}) {
    const { primary, standby } = this;
    const settings = { sync_replication_slots: 'off', synchronized_standby_slots: '' };
    if (copied) {
      await follow(standby, primary, { settings });
      return;
    }
    await primary.query("SELECT pg_create_physical_replication_slot('standby', true)");
    await startAsStandby(standby, primary, { settings });
    await drop(standby, 'standby');
    if (!keepsSlot) await drop(standby, 'dupwatch');
  }
}

/** How many findings are about rows that are gone. */
export const gone = (daemon) => latestFindings(daemon.findingsFile).filter(({ state }) => state === 'gone').length;

/** Until the findings are those of the primary's table. */
export async function truth({ primary }, daemon) {
  await daemon.caughtUp();
  const client = await primary.client();
  let result;
  try {
    await until('the findings of the table', async () => {
      result = await compare(daemon.findingsFile, client, {});
      return result.ok;
    }, 40_000);
  } catch {
    assert.fail(`${describe(result)}\n${daemon.tail(20)}`);
  } finally {
    await client.end();
  }
  return result;
}
