// A hole in the slots of a run, seen from the stream: told within 5 s and a little, however many runs are open, and taken back
// when it fills.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { latestFindings } from './ground_truth.mjs';
import { daemonFor, EVENTS, insertEvents, serverWithSchema } from './scene.mjs';

const RUNS = 1500;
const slot = (number) => `evnt_${String(number).padStart(26, '0')}`;
const run = (number) => `wrun_01KQ3V6T0A7M2N5P8R1S4V${String(number).padStart(4, '0')}`;
const step = (number) => `step_01KQ3V6T0A7M2N5P8R1S4V${String(number).padStart(4, '0')}`;

/** Begins so many runs, each with three rows; they stay open. */
async function beginRuns(cluster, count) {
  await cluster.query(`INSERT INTO ${EVENTS} (run_id, id, type, correlation_id)
    SELECT 'wrun_01KQ3V6T0A7M2N5P8R1S4V' || lpad(r::text, 4, '0'), 'evnt_' || lpad(s::text, 26, '0'), t,
      CASE WHEN s = 3 THEN 'step_01KQ3V6T0A7M2N5P8R1S4V' || lpad(r::text, 4, '0') END
    FROM generate_series(0, ${count - 1}) r, (VALUES (1, 'run_created'), (2, 'run_started'), (3, 'step_created')) rows(s, t)`);
}

const holes = (daemon) => new Map(latestFindings(daemon.findingsFile).filter(({ rule }) => rule === 'slot_gap').map((one) => [one.run_id, one]));

async function until(reached, timeoutMs, what) {
  const begin = Date.now();
  while (!reached()) {
    assert.ok(Date.now() - begin < timeoutMs, `${what()} after ${timeoutMs} ms`);
    await sleep(50);
  }
  return Date.now() - begin;
}

for (const plugin of ['pgoutput', 'wal2json']) {
  test(`${plugin}: holes among ${RUNS} open runs`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null });
    await cluster.query(`CREATE SCHEMA workflow; CREATE TABLE ${EVENTS} (id varchar NOT NULL, type varchar NOT NULL, correlation_id varchar,
      run_id varchar NOT NULL, PRIMARY KEY (run_id, id))`);
    const daemon = await daemonFor(t, cluster, { slot: { plugin } });
    await daemon.start();
    await beginRuns(cluster, RUNS);
    await daemon.caughtUp();

    await t.test('those that last are told in time, and no others', async () => {
      const broken = Array.from({ length: 300 }, (_, i) => i * 5);
      await insertEvents(cluster, broken.map((n) => ({ run: run(n), type: 'step_completed', correlation: step(n), id: slot(5) })));
      // Their slot 4 comes a little later; those of others in order; one run has another id too; one begins with slot 2.
      const filled = [1, 6, 11];
      await insertEvents(cluster, filled.map((n) => ({ run: run(n), type: 'step_completed', correlation: step(n), id: slot(5) })));
      await insertEvents(cluster, [{ run: run(2), type: 'step_started', correlation: step(2), id: slot(4) },
        { run: run(3), type: 'step_completed', correlation: step(3), id: slot(7) }, { run: run(3), type: 'noop', id: 'wevt_01KQ3V6T0A7M2N5P8R1S4V0000' },
        { run: 'wrun_headless', type: 'run_started', id: slot(2) }, { run: 'wrun_headless', type: 'step_created', correlation: 'step_h', id: slot(3) },
        // Of a type that no rule knows, so that the stream may lack it.
        { run: run(4), type: 'of_the_future', id: slot(4) }, { run: run(4), type: 'step_completed', correlation: step(4), id: slot(5) }]);
      await sleep(1000);
      await insertEvents(cluster, filled.map((n) => ({ run: run(n), type: 'step_started', correlation: step(n), id: slot(4) })));
      const took = 1000 + await until(() => holes(daemon).size >= broken.length, 12_000, () => `${holes(daemon).size} of ${broken.length} told`);
      t.diagnostic(`${broken.length} holes told after ${took} ms`);
      assert.ok(took < 8000, `${took} ms`);
      await sleep(1500);
      const told = holes(daemon);
      assert.deepEqual([...told.keys()].sort(), broken.map(run).sort());
      const one = told.get(run(5));
      assert.deepEqual([one.severity, one.state, one.origin, one.canonical.id, one.duplicate.id], ['fatal', 'open', 'stream', slot(3), slot(5)]);
    });

    await t.test('one that fills is taken back at once, one of two holes is not', async () => {
      await insertEvents(cluster, [{ run: run(10), type: 'step_completed', correlation: step(10), id: slot(7) }]);
      await insertEvents(cluster, [{ run: run(5), type: 'noop', id: slot(4) }, { run: run(10), type: 'noop', id: slot(6) }]);
      const took = await until(() => holes(daemon).get(run(5)).state === 'gone', 5000, () => JSON.stringify(holes(daemon).get(run(5))));
      t.diagnostic(`taken back after ${took} ms`);
      await sleep(500);
      assert.equal(holes(daemon).get(run(10)).state, 'open');
      await insertEvents(cluster, [{ run: run(10), type: 'noop', id: slot(4) }]);
      await until(() => holes(daemon).get(run(10)).state === 'gone', 5000, () => JSON.stringify(holes(daemon).get(run(10))));
      assert.equal([...holes(daemon).values()].filter(({ state }) => state === 'open').length, 298);
    });
  });
}
