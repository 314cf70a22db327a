// DDL on the watched table and on its slot in the middle of the stream. Nothing errors there; the danger is silence.
import { after, before, describe } from 'node:test';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { EVENTS, insertEvents, runSetup } from '../integration/scene.mjs';
import { faultKinds, gapsOf, twoFindings } from './fault.mjs';

const gap = (daemon, reason) => daemon.until(`the gap ${reason}`, async () => (await gapsOf(daemon).catch(() => [])).includes(reason));

for (const plugin of ['wal2json', 'pgoutput']) {
  describe(`table and slot, ${plugin}`, () => {
    let cluster;
    before(async () => {
      cluster = await createCluster();
      await installSchema('4.1.1', cluster.uri());
    });
    after(() => cluster?.destroy());

    const { always, fault, fullFault } = faultKinds(plugin, 'wal2json', () => cluster);

    fault('table altered', {
      async inject({ load }) {
        // What the engine's own later migrations do: new columns, a new type for one, an index.
        await cluster.query(`ALTER TABLE ${EVENTS} ADD COLUMN resume_id varchar, ALTER COLUMN created_at TYPE timestamptz`);
        await load.more(5);
        await cluster.query(`CREATE INDEX extra ON ${EVENTS} (resume_id); ALTER TABLE ${EVENTS} ALTER COLUMN id TYPE text`).catch((error) => {
          // Documented: a column that a publication lists can't change its type.
          if (plugin !== 'pgoutput' || !/publication/.test(error.message)) throw error;
        });
        await load.more(5);
        await cluster.query(`DROP INDEX IF EXISTS extra; ALTER TABLE ${EVENTS} DROP COLUMN resume_id, ALTER COLUMN created_at TYPE timestamp`);
        return 'columns added, retyped and dropped under load';
      },
    });
    fullFault('table renamed and back', {
      gaps: ['table_changed'],
      async inject({ daemon, load }) {
        await load.stop();
        await cluster.query(`ALTER TABLE ${EVENTS} RENAME TO away`);
        await gap(daemon, 'table_changed');
        await twoFindings(cluster, 910, 'workflow.away');
        await cluster.query('ALTER TABLE workflow.away RENAME TO workflow_events');
        return 'renamed, written to under the other name, renamed back';
      },
    });
    fullFault('table dropped and made again', {
      load: false,
      atLeast: 2,
      async inject({ daemon }) {
        await daemon.caughtUp();
        await cluster.query(`CREATE TABLE workflow.copy (LIKE ${EVENTS} INCLUDING ALL)`);
        await cluster.query(`DROP TABLE ${EVENTS}; ALTER TABLE workflow.copy RENAME TO workflow_events`);
        await twoFindings(cluster, 920); // under pgoutput the publication no longer holds the table: nothing arrives
        await gap(daemon, 'table_changed');
        if (plugin === 'pgoutput') {
          await cluster.query('DROP PUBLICATION dupwatch');
          await runSetup(cluster, daemon);
        }
        // The restart that the log asks for; its scan of the open runs finds what did not arrive.
        await daemon.kill();
        await daemon.start({ ready: false });
        return 'dropped and created anew: table_changed declared, then the restart that the log asks for';
      },
    });
    always('table truncated', {
      load: false,
      atLeast: 2,
      async inject({ daemon }) {
        const event = () => ({ run: 'wrun_truncated', type: 'step_created', correlation: 'step_truncated' });
        await insertEvents(cluster, [event()]);
        await daemon.caughtUp();
        await cluster.query(`TRUNCATE ${EVENTS}`);
        await insertEvents(cluster, [event()]); // the only row of its identity now
        await twoFindings(cluster, 930);
        return 'TRUNCATE between two events of one identity, then duplicates';
      },
    });
    fullFault('slot dropped mid-stream', {
      gaps: ['slot_created'],
      async inject({ daemon, load, gate }) {
        await load.more(3);
        gate.refuse();
        await daemon.until('the slot to be free', async () => (await cluster.query(`SELECT pg_drop_replication_slot(slot_name)
          FROM pg_replication_slots WHERE slot_name = 'dupwatch' AND NOT active`).catch(() => [])).length === 1);
        await load.more(10);
        await gate.accept();
        return 'another session drops the slot, ten runs are written meanwhile';
      },
    });
  });
}
