// The node-postgres client that the event log's own package uses, so that tests and quickstart install only one.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../writers/4.1.1/package.json', import.meta.url));
const pg = require('pg');

/**
 * Connects one client. A server that goes away while the client is idle must not end the process, so the error is
 * kept on the client (`client.lost`) and the next query reports it.
 */
export async function connect(config) {
  const client = new pg.Client(config);
  client.on('error', (error) => {
    client.lost = error;
  });
  await client.connect();
  return client;
}

/** Quotes an SQL identifier. */
export function identifier(name) {
  return `"${String(name).replaceAll('"', '""')}"`;
}

/** Quotes an SQL string. */
export function literal(text) {
  return `'${String(text).replaceAll("'", "''")}'`;
}

/** A Postgres LSN ("16/B374D848") as a BigInt, so that two can be compared. */
export function lsn(text) {
  const [high, low] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}
