// Writes WAL that has nothing to do with the watched table, until something happens.

/** Switches segments and checkpoints until `until()` holds; each round is one segment of 16 MiB. */
export async function writeWal(cluster, { until, rounds = 200 }) {
  for (let round = 0; round < rounds; round += 1) {
    await cluster.query(`SELECT pg_logical_emit_message(false, 'noise', repeat('x', 1000))`);
    await cluster.query('SELECT pg_switch_wal()');
    await cluster.query('CHECKPOINT');
    if (await until()) return;
  }
  throw new Error(`${rounds} segments of WAL did not do it`);
}
