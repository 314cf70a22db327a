// A row that the output plugin can never deliver does not stop the watch for ever: it is stepped over, declared, scanned for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installSchema } from '../writers/install_schema.mjs';
import { EVENTS, assertTruth, daemonFor, eventId, full, insertEvents, serverWithSchema } from './scene.mjs';

/** Writes a duplicate, the poison, another duplicate; then waits until all is judged and compares. */
async function poisoned(_t, cluster, daemon, poison, error, timeoutMs = 60_000) {
  await daemon.start();
  await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ('wrun_1', 'd', 'running', 'w')`);
  const duplicate = (step) => insertEvents(cluster, [0, 1].map(() => ({ run: 'wrun_1', type: 'step_created', correlation: step })));
  await duplicate('step_0');
  await assertTruth(daemon, { atLeast: 1 });
  await poison();
  await duplicate('step_1');
  const line = await daemon.line('the step over', (entry) => entry.gap === 'poison_row', { timeoutMs });
  assert.match(line.error, error);
  assert.match(line.remedy, /column list/);
  const gap = await daemon.until('the end of the gap', async () => (
    (await daemon.status()).coverage.gaps.find(({ reason, closed_at: closed }) => reason === 'poison_row' && closed !== null)), timeoutMs);
  assert.ok(gap.from_lsn && gap.to_lsn);
  assert.equal(await daemon.metric('dupwatch_poison_rows_total'), 1);
  await duplicate('step_2');
  // One of the pair before the place that was stepped over, one behind it.
  await insertEvents(cluster, [{ run: 'wrun_1', type: 'step_created', correlation: 'step_1' }]);
  await assertTruth(daemon, { atLeast: 4, timeoutMs });
  assert.equal((await daemon.status()).mode, 'streaming');
}

test('text that is no UTF-8 is stepped over under pgoutput', async (t) => {
  const cluster = await serverWithSchema(t, { world: undefined });
  await cluster.query(`CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`);
  cluster.database = 'bytes';
  await installSchema('4.1.1', cluster.uri());
  // All columns, as somebody may publish them, and one that holds bytes of any encoding.
  await cluster.query(`ALTER TABLE ${EVENTS} ADD COLUMN note text`);
  await cluster.query(`CREATE PUBLICATION dupwatch FOR TABLE ${EVENTS} WITH (publish = 'insert')`);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'auto' } });
  const poison = () => cluster.query(`INSERT INTO ${EVENTS} (id, type, correlation_id, run_id, note)
    VALUES ($1, 'step_created', 'step_9', 'wrun_1', convert_from('\\xff'::bytea, 'SQL_ASCII'))`, [eventId()]);
  await poisoned(t, cluster, daemon, poison, /invalid byte sequence/);
});

test('a row of 520 MB is stepped over under wal2json', { skip: full ? false : 'needs gigabytes: DUPWATCH_FULL=1' }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json' } });
  const poison = () => cluster.query(`INSERT INTO ${EVENTS} (id, type, correlation_id, run_id, payload_cbor)
    VALUES ($1, 'step_created', 'step_9', 'wrun_1', convert_to(repeat('x', 520 * 1024 * 1024), 'UTF8'))`, [eventId()]);
  await poisoned(t, cluster, daemon, poison, /invalid memory alloc request size/, 300_000);
});
