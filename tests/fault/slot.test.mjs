// The server gives the slot up while the daemon stands still, and what the slot holds back stays within its bounds.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { writeWal } from '../integration/wal.mjs';
import { faultKinds } from './fault.mjs';

const MiB = 1024 ** 2;
const SEGMENT = 16 * MiB;
// Far above the fuse, so that it is the fuse that acts first.
const KEEP = 96 * MiB;
const FUSE = 40 * MiB;

const slot = async (cluster) => (await cluster.query(
  `SELECT wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint AS retained FROM pg_replication_slots WHERE slot_name = 'dupwatch'`))[0];
const walBytes = async (cluster) => Number((await cluster.query('SELECT sum(size)::bigint AS size FROM pg_ls_waldir()'))[0].size);

for (const plugin of ['wal2json', 'pgoutput']) {
  describe(`the slot and its bounds, ${plugin}`, () => {
    let cluster;
    before(async () => {
      cluster = await createCluster({ settings: { max_slot_wal_keep_size: `${KEEP / MiB}MB`, max_wal_size: '32MB', min_wal_size: '32MB', wal_keep_size: '0' } });
      await installSchema('4.1.1', cluster.uri());
    });
    after(() => cluster?.destroy());

    const { fault } = faultKinds(plugin, 'wal2json', () => cluster);

    fault('slot invalidated under a daemon that stands still', {
      gaps: ['slot_lost'],
      config: { poll: { interval: '1s' } },
      async inject({ daemon, load }) {
        daemon.child.kill('SIGSTOP');
        await load.more(20);
        let most = 0;
        await writeWal(cluster, { until: async () => {
          most = Math.max(most, await walBytes(cluster));
          return (await slot(cluster)).wal_status === 'lost';
        } });
        await load.more(10);
        daemon.child.kill('SIGCONT');
        // The server's own bound: what it keeps for slots, what it keeps for itself, and a segment in the making.
        assert.ok(most <= KEEP + 32 * MiB + 2 * SEGMENT, `${most} bytes in pg_wal`);
        return `SIGSTOP until max_slot_wal_keep_size (${KEEP / MiB} MiB) was used up; pg_wal held ${Math.round(most / MiB)} MiB at the most`;
      },
    });
    fault('slot held back up to the fuse', {
      gaps: ['fuse'],
      config: { slot: { max_retained_wal: `${FUSE / MiB}MiB` }, poll: { interval: '1s' } },
      async inject({ daemon, load }) {
        const holder = await cluster.client();
        let most = 0;
        try {
          await holder.query('BEGIN');
          await holder.query(`SELECT pg_logical_emit_message(true, 'held', 'x')`);
          for (let gone = false; !gone;) {
            await writeWal(cluster, { rounds: 1, until: async () => true });
            await daemon.until('a look at the slot', async () => {
              const seen = await slot(cluster);
              gone = seen === undefined;
              if (gone) return true;
              most = Math.max(most, Number(seen.retained));
              return (await daemon.status()).slot_retained_bytes >= Number(seen.retained) - SEGMENT || seen.retained < FUSE;
            });
          }
          await load.more(10);
        } finally {
          await holder.end();
        }
        assert.ok(most <= FUSE + 2 * SEGMENT, `${most} bytes retained`);
        return `an open transaction holds it; ${Math.round(most / MiB)} MiB retained at the most, the fuse at ${FUSE / MiB} MiB`;
      },
    });
  });
}
