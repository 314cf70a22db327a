// The primary dies under load and a standby that has the synchronized failover slot is promoted: Postgres 17. The dead
// one is made its standby, and so on, so that each round changes the timeline and the server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCluster } from '../postgres/cluster.mjs';
import { REPLICATION_HBA, cutOff, follow, replayed, slotSynchronized, until } from '../postgres/standby.mjs';
import { daemonFor, full, serverWithSchema } from '../integration/scene.mjs';
import { compare, describe, latestFindings } from '../integration/ground_truth.mjs';
import { covered, gapsOf, tellRow, twoFindings } from './fault.mjs';
import { Load } from './load.mjs';

/** Two servers and the daemon between them; `round` fails over once. */
class Scene {
  static async open(t) {
    const scene = new Scene();
    scene.t = t;
    scene.primary = await serverWithSchema(t, { major: 17, hba: REPLICATION_HBA });
    scene.standby = await createCluster({ major: 17, start: false });
    t.after(() => scene.standby.destroy());
    const dsn = scene.primary.dsn({
      host: '127.0.0.1,127.0.0.1', port: `${scene.primary.port},${scene.standby.port}`, target_session_attrs: 'read-write',
    });
    scene.daemon = await daemonFor(t, scene.primary, {
      connection: { dsn, connect_timeout: '2s', backoff_min: '20ms', backoff_max: '500ms' },
      slot: { failover: true }, recheck: { interval: '1s' },
    });
    await scene.daemon.start();
    await covered(scene.daemon);
    return scene;
  }

  /** The other server becomes a standby of the one that is the primary now. */
  async standbyJoins({ ahead, unsynchronized }) {
    await follow(this.standby, this.primary, {
      settings: { sync_replication_slots: unsynchronized ? 'off' : 'on', synchronized_standby_slots: '' },
    });
    this.primary.configure({ synchronized_standby_slots: ahead ? '' : 'standby' });
    this.primary.reload();
  }

  /** Kills the primary and promotes the standby; afterwards the two have changed their places. */
  async failOver(switchover) {
    if (switchover) {
      const begun = performance.now();
      await this.primary.stop('fast');
      this.stoppedIn = performance.now() - begun;
    } else {
      await this.primary.kill();
    }
    await this.standby.query('SELECT pg_promote()');
    [this.primary, this.standby] = [this.standby, this.primary];
    this.daemon.cluster = this.primary;
  }

  /** Until the findings are those that SQL finds on the new primary; rows that were lost with the old one are gone. */
  async truth() {
    await this.daemon.caughtUp();
    const client = await this.primary.client();
    let result;
    try {
      await until('the findings of the table', async () => {
        result = await compare(this.daemon.findingsFile, client, {});
        return result.ok;
      }, 30_000);
    } catch {
      assert.fail(`${describe(result)}\n${this.daemon.tail(20)}`);
    } finally {
      await client.end();
    }
    return result;
  }
}

const ROUNDS = [
  {}, {}, {},
  { switchover: true, words: 'the old primary shut down' },
  { ahead: true, words: 'dupwatch ahead of the standby' },
  { unsynchronized: true, words: 'the slot not yet on the standby' },
];

async function round(scene, number, { switchover = false, ahead = false, unsynchronized = false, words = 'the slot on the standby' }) {
  const { daemon, t } = scene;
  await scene.standbyJoins({ ahead, unsynchronized });
  if (!unsynchronized) await slotSynchronized(scene.standby, scene.primary);
  const load = new Load({ client: (config) => scene.primary.client(config) }, { reconnect: true });
  t.after(() => load.abandon());
  await load.more(20);
  if (ahead) {
    await replayed(scene.standby, scene.primary);
    await cutOff(scene.standby);
    await twoFindings(scene.primary, 900_000 + number);
    await load.more(10);
    await daemon.caughtUp();
  }
  const before = (await gapsOf(daemon)).length;
  const struck = performance.now();
  await scene.failOver(switchover);
  if (switchover) assert.ok(scene.stoppedIn < 5000, `the primary went down in ${Math.round(scene.stoppedIn)} ms`);
  await daemon.until('the other timeline', async () => (await daemon.status().catch(() => undefined))?.timeline === number + 2, 60_000);
  const streams = (performance.now() - struck) / 1000;
  await load.more(20);
  await load.stop();
  await daemon.ready();
  await covered(daemon);
  const closed = (performance.now() - struck) / 1000;
  const result = await scene.truth();
  const gaps = [...new Set((await gapsOf(daemon)).slice(before))];
  const gone = latestFindings(daemon.findingsFile).filter(({ state }) => state === 'gone').length;
  assert.ok(result.expected >= 10 * (number + 1), `${result.expected}`);
  assert.deepEqual(load.failures, []);
  assert.ok(gaps.includes('other_history'), `${gaps}`);
  if (ahead) assert.ok(gone >= 2, 'what was lost with the old primary is gone');
  const line = `| failover ${number + 1}, pgoutput, Postgres 17 | ${switchover ? `primary shut down in ${Math.round(scene.stoppedIn)} ms` : 'primary killed'}, standby promoted, timeline ${number + 2}, ${words}`
    + ` | streams after ${streams.toFixed(1)} s, covered after ${closed.toFixed(1)} s | ${result.expected} / ${result.found} / ${result.false_.length}`
    + `${gone ? `, ${gone} gone with their rows` : ''} | ${gaps.join(', ')} |`;
  tellRow(t, line);
}

test('failover to a promoted standby, six times under load, pgoutput', { skip: full ? false : './test --full' }, async (t) => {
  const scene = await Scene.open(t);
  const [{ failover }] = await scene.primary.query("SELECT failover FROM pg_replication_slots WHERE slot_name = 'dupwatch'");
  assert.equal(failover, true, 'dupwatch makes a failover slot');
  for (const [number, kind] of ROUNDS.entries()) await round(scene, number, kind);
});
