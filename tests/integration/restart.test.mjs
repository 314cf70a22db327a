// Postgres goes away under the daemon: it comes back by itself, misses nothing and invents nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertTruth, daemonFor, serverWithSchema, startRace } from './scene.mjs';

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`Postgres restarted while streaming, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t);
    const daemon = await daemonFor(t, cluster, { slot: { plugin } });
    await daemon.start();
    const { pid } = daemon.child;
    const writers = startRace(cluster, { runs: 0, rate: 15, processes: 2, late: 0.2, reconnect: true });
    t.after(() => writers.stop().catch(() => {}));
    for (const mode of ['immediate', 'fast', 'immediate']) {
      await sleep(2000);
      await cluster.stop(mode);
      const stopped = Date.now();
      await daemon.until('unreadiness without a server', async () => (await daemon.fetch('/readyz')).status === 503, 5000);
      t.diagnostic(`${mode}: not ready ${Date.now() - stopped} ms after the server's end`);
      assert.equal((await daemon.fetch('/healthz')).status, 200, 'alive without a server');
      await cluster.start();
      await daemon.ready();
    }
    await sleep(1000);
    const written = await writers.stop();
    assert.ok(written.retries > 0, 'the writers did not notice the restarts');
    const result = await assertTruth(daemon, { atLeast: 50 });
    assert.equal(daemon.child.pid, pid);
    assert.ok(daemon.running());
    t.diagnostic(`${result.found} findings over three restarts, ${written.retries} writes repeated`);
  });
}
