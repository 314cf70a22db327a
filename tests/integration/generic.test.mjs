// A table that is not a workflow engine's, with columns and types of its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTruth, daemonFor, serverWithSchema } from './scene.mjs';

const TABLE = `
  CREATE SCHEMA "Shop";
  CREATE TABLE "Shop"."order.events" (payload jsonb, event_id bigint, "Kind" varchar(30), order_id uuid, line_id integer, dropped int, site text,
    PRIMARY KEY (order_id, event_id));
  ALTER TABLE "Shop"."order.events" DROP COLUMN dropped;
  CREATE TABLE "Shop".plain (id text PRIMARY KEY, order_id text NOT NULL, what text)`;

// Two identity columns, a NULL among them, ids as zero-padded numbers of fixed width, quotes and blanks in values.
const EVENTS = `
  INSERT INTO "Shop"."order.events" (event_id, order_id, line_id, site, "Kind", payload)
  SELECT id + 1000000000, ('00000000-0000-0000-0000-00000000000' || run)::uuid, line, site, kind, '{"a": "b"}'
  FROM (VALUES
    (1, 1, NULL::int, NULL, 'order_opened'), (2, 1, NULL, NULL, 'order_opened'), (3, 2, NULL, NULL, 'order_opened'),
    (4, 1, 7, 'a''b "c" \\', 'line_added'), (5, 1, 7, 'a''b "c" \\', 'line_added'), (6, 1, 7, 'other', 'line_added'), (7, 1, 8, 'other', 'line_added'),
    (8, 1, 7, 'other', 'line_note'), (9, 1, 7, 'other', 'line_note'),
    (10, 1, 7, 'other', 'line_shipped'), (11, 1, 7, 'other', 'line_added'), (12, 1, 7, NULL, 'line_added'), (13, 1, 7, NULL, 'line_added')
  ) AS rows(id, run, line, site, kind)`;

const TRUTH = {
  table: '"Shop"."order.events"', run: 'order_id', id: 'event_id', identity: ['line_id', 'site'], type: 'Kind',
  types: ['order_opened', 'line_added', 'line_shipped'], runEnds: ['order_closed'], closing: { line_shipped: ['line_added', 'line_note', 'line_shipped'] },
};

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`two identity columns and types of its own, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null });
    await cluster.query(TABLE);
    const daemon = await daemonFor(t, cluster, {
      profile: 'generic',
      slot: { plugin },
      table: {
        name: 'Shop."order.events"', run_column: 'order_id', id_column: 'event_id', identity_columns: ['line_id', 'site'],
        type_column: 'Kind', types: TRUTH.types, closing: { line_shipped: ['line_added', 'line_note'] }, run_end_types: ['order_closed'],
      },
    });
    await daemon.start();
    await cluster.query(EVENTS);
    assert.equal((await assertTruth(daemon, { table: TRUTH })).found, 4);
    await cluster.query(`INSERT INTO "Shop"."order.events" (event_id, order_id, "Kind") VALUES (1000000050, '00000000-0000-0000-0000-000000000001', 'order_closed')`);
    assert.equal((await assertTruth(daemon, { table: TRUTH })).found, 4);
    // Once more after a restart with a read-back: a row that joins identities known from before.
    await daemon.stop();
    await daemon.start();
    await cluster.query(`INSERT INTO "Shop"."order.events" (event_id, order_id, line_id, site, "Kind") VALUES (1000000099, '00000000-0000-0000-0000-000000000001', 8, 'other', 'line_added')`);
    assert.equal((await assertTruth(daemon, { table: TRUTH })).found, 5);
  });

  test(`no type column, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null });
    await cluster.query(TABLE);
    const daemon = await daemonFor(t, cluster, {
      profile: 'generic', slot: { plugin }, baseline: 'all',
      table: { name: 'Shop.plain', run_column: 'order_id', id_column: 'id', identity_columns: ['what'] },
    });
    await cluster.query(`INSERT INTO "Shop".plain VALUES ('a1', 'r', 'x'), ('a2', 'r', 'x')`);
    await daemon.start();
    await cluster.query(`INSERT INTO "Shop".plain VALUES ('a3', 'r', 'y'), ('a4', 'r', NULL), ('a5', 'r', NULL), ('a0', 'r', 'y')`);
    const plain = { table: '"Shop".plain', run: 'order_id', id: 'id', identity: ['what'] };
    assert.equal((await assertTruth(daemon, { table: plain })).found, 3);
  });
}
