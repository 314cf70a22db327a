// One transaction of a million events (--full; fewer otherwise) with a short sender timeout: exact, no reconnect, memory
// beyond the index flat.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTruth, daemonFor, EVENTS, full, serverWithSchema, slots } from './scene.mjs';

const EVENTS_IN_ALL = full ? 1_000_000 : 150_000;
const PER_RUN = 100;
const BEYOND_INDEX = 32 * 1024 * 1024;

// Runs of 25 steps with four events each. Ids have the shape and the order of the real ones.
const FILL = `
  INSERT INTO ${EVENTS} (id, type, correlation_id, run_id)
  SELECT 'wevt_01K' || lpad(n::text, 23, '0'),
         (ARRAY['step_created', 'step_started', 'step_started', 'step_completed'])[1 + n % 4],
         'step_01K' || lpad((n / 4)::text, 23, '0'),
         'wrun_01K' || lpad((n / ${PER_RUN})::text, 23, '0')
  FROM generate_series(0, ${EVENTS_IN_ALL - 1}) n`;

// Five findings: of the first and the last run, before and after the close, and one NULL correlation id.
const PLANT = `
  INSERT INTO ${EVENTS} (id, type, correlation_id, run_id)
  SELECT 'wevt_01K' || lpad(n::text, 23, '0') || 'Z', type, 'step_01K' || lpad((n / 4)::text, 23, '0'), 'wrun_01K' || lpad((n / ${PER_RUN})::text, 23, '0')
  FROM (VALUES (0, 'step_created'), (3, 'step_completed'), (${EVENTS_IN_ALL - 1}, 'step_created'), (${EVENTS_IN_ALL / 2 + 3}, 'step_created')) AS planted(n, type);
  INSERT INTO ${EVENTS} (id, type, run_id) VALUES ('wevt_09A', 'run_created', 'wrun_01K' || lpad('7', 23, '0')), ('wevt_09B', 'run_created', 'wrun_01K' || lpad('7', 23, '0'))`;

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`${EVENTS_IN_ALL} events in one transaction, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { settings: { wal_sender_timeout: '5s', max_wal_size: '2GB' } });
    const daemon = await daemonFor(t, cluster, { slot: { plugin } });
    await daemon.start();
    const before = { memory: daemon.peakMemory(), index: (await daemon.status()).index_bytes, walsender: (await slots(cluster))[0].active_pid };

    const began = Date.now();
    const client = await cluster.client();
    await client.query(`BEGIN; ${FILL}; ${PLANT}; COMMIT`);
    await client.end();
    const committed = Date.now();
    const result = await assertTruth(daemon, { timeoutMs: 180_000 });
    const judged = Date.now();
    assert.deepEqual(result.rules, { duplicate_created: 3, duplicate_run_event: 1, second_terminal: 1 });

    const status = await daemon.status();
    const beyond = daemon.peakMemory() - before.memory - (status.index_bytes - before.index);
    assert.ok(beyond <= BEYOND_INDEX, `${(beyond / 1048576).toFixed(1)} MiB beyond the index (index ${(status.index_bytes / 1048576).toFixed(1)} MiB)`);
    assert.equal((await slots(cluster))[0].active_pid, before.walsender, 'the stream was interrupted');
    assert.doesNotMatch(cluster.log(), /terminating walsender process due to replication timeout/);
    t.diagnostic(`insert ${committed - began} ms, judged ${judged - committed} ms after commit, index ${(status.index_bytes / 1048576).toFixed(1)} MiB, beyond it ${(beyond / 1048576).toFixed(1)} MiB`);
  });
}
