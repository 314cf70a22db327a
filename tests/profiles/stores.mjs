// Event stores as their packages make them, and writers that use the packages' own calls: what the built-in profiles are
// proved on.
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import pg from 'pg';

const database = fileURLToPath(new URL('node_modules/@eventide/message-db/database/', import.meta.url));

const sqlFiles = (folder) => fs.readdirSync(database + folder).filter((name) => name.endsWith('.sql')).sort()
  .map((name) => fs.readFileSync(`${database}${folder}/${name}`, 'utf8'));

/** The schema of Message DB, from the package's files in the order of its install.sh. */
export async function installMessageDb(cluster) {
  const client = await cluster.client();
  await client.query('CREATE ROLE message_store; CREATE SCHEMA message_store; SET search_path TO message_store, public');
  for (const folder of ['extensions', 'tables', 'types']) for (const sql of sqlFiles(folder)) await client.query(sql);
  // Functions call each other, and their bodies are checked when they are used.
  await client.query('SET check_function_bodies = off');
  for (const folder of ['functions', 'indexes']) for (const sql of sqlFiles(folder)) await client.query(sql);
  await client.end();
}

/** `writers` sessions write `messages` messages to `streams` streams by the package's write_message. */
export async function writeMessageDb(cluster, { messages, streams, writers = 4, prefix = 'order' }) {
  const pool = new pg.Pool({ connectionString: cluster.uri(), max: writers });
  let next = 0;
  await Promise.all(Array.from({ length: writers }, async () => {
    const client = await pool.connect();
    await client.query('SET search_path TO message_store, public');
    while (next < messages) {
      const first = next;
      next += 100;
      await client.query(`SELECT write_message(gen_random_uuid()::varchar, '${prefix}-' || ((n * 7919) % ${streams}), 'Placed', '{"n": 1}')
        FROM generate_series(${first}, ${Math.min(messages, first + 100) - 1}) n ORDER BY (n * 7919) % ${streams}`);
    }
    client.release();
  }));
  await pool.end();
}

/** An Emmett store over the cluster, its schema made; `close()` at the end. */
export async function openEmmett(cluster) {
  const store = getPostgreSQLEventStore(cluster.uri());
  await store.schema.migrate();
  return store;
}

/** `writers` loops append `messages` events in batches of 1 to 5 to `streams` streams by appendToStream. */
export async function writeEmmett(store, { messages, streams, writers = 4, prefix = 'cart' }) {
  let written = 0;
  await Promise.all(Array.from({ length: writers }, async (_, writer) => {
    for (let turn = 0; written < messages; turn += 1) {
      const count = 1 + (turn % 5);
      written += count;
      const events = Array.from({ length: count }, () => ({ type: 'ItemAdded', data: { n: 1 }, metadata: { messageId: randomUUID() } }));
      // A conflict of two writers is the store's own matter: nothing is written then.
      await store.appendToStream(`${prefix}-${(turn * 31 + writer * 17) % streams}`, events).catch((error) => {
        if (!/version|concurren|duplicate key/i.test(`${error.name} ${error.message}`)) throw error;
      });
    }
  }));
}

/** A transactional outbox of the common shape, as the guide's page on profiles writes it. */
export const OUTBOX = `
  CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message_id uuid NOT NULL DEFAULT gen_random_uuid(), aggregate_type text NOT NULL, aggregate_id text NOT NULL,
    event_type text NOT NULL, payload jsonb NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON outbox (aggregate_type, aggregate_id, id)`;

/** `writers` sessions change aggregates, each under its lock, and put a message for each change into the outbox. */
export async function writeOutbox(cluster, { messages, aggregates, writers = 4 }) {
  await cluster.query(`CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, version int NOT NULL);
    INSERT INTO orders SELECT n, 0 FROM generate_series(0, ${aggregates - 1}) n ON CONFLICT DO NOTHING`);
  let written = 0;
  await Promise.all(Array.from({ length: writers }, async (_, writer) => {
    const client = await cluster.client();
    for (let turn = 0; written < messages; turn += 1) {
      written += 50;
      const order = (turn * 31 + writer * 17) % aggregates;
      await client.query('BEGIN');
      await client.query('UPDATE orders SET version = version + 1 WHERE id = $1', [order]);
      await client.query(`INSERT INTO outbox (aggregate_type, aggregate_id, event_type)
        SELECT CASE WHEN n % 2 = 0 THEN 'order' ELSE 'invoice' END, $1, 'Changed' FROM generate_series(1, 50) n`, [order]);
      await client.query('COMMIT');
    }
    await client.end();
  }));
}
