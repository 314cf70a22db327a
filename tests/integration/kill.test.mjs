// kill -9 at random points: what the daemon wrote in all its lives together is exactly the truth.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertTruth, daemonFor, findingCounts, full, serverWithSchema, slots, startRace } from './scene.mjs';

async function until(check, timeoutMs = 60_000) {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await sleep(50)) if (await check()) return;
  throw new Error(`nothing within ${timeoutMs} ms`);
}

const rounds = full ? 200 : 20;

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`kill -9 ${rounds} times while writers run, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t);
    const daemon = await daemonFor(t, cluster, { slot: { plugin } });
    await daemon.start();
    const writers = startRace(cluster, { runs: 0, rate: 30, processes: 2, late: 0.2 });
    t.after(() => writers.stop().catch(() => {}));
    // Killing begins when there is something to miss.
    await until(async () => (await cluster.query('SELECT count(*) AS n FROM workflow.workflow_events'))[0].n > 100);
    for (let round = 0; round < rounds; round += 1) {
      // Sometimes inside the start, sometimes in the middle of the stream.
      await sleep(20 + Math.random() * 800);
      assert.deepEqual(await daemon.kill(), { code: null, signal: 'SIGKILL' });
      if (round % 3 === 0) await sleep(Math.random() * 300);
      await daemon.start({ ready: false });
    }
    await writers.stop();
    await daemon.ready();
    const result = await assertTruth(daemon, { atLeast: 50 });
    assert.equal((await slots(cluster)).length, 1);
    const counts = findingCounts(daemon);
    t.diagnostic(`${result.found} findings in ${counts.lines} lines`);
  });
}
