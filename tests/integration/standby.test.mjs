// Two dupwatches on one slot: one streams, the other stands by and takes over when the first is gone, by kill or in good order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { compare, describe } from './ground_truth.mjs';
import { daemonFor, full, runSetup, serverWithSchema, slots, startRace } from './scene.mjs';

const config = (cluster, plugin) => ({
  connection: { dsn: cluster.dsn({ user: 'watcher' }), startup_timeout: '2s' }, slot: { plugin },
  findings: { table: 'dupwatch.findings' }, recheck: { interval: '1s' },
});
const standsBy = (daemon) => daemon.until('a standby', async () => (await daemon.status().catch(() => undefined))?.state === 'standby');

const kills = full ? 20 : 5;

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`the active one is killed ${kills} times under load, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t);
    let active = await daemonFor(t, cluster, config(cluster, plugin));
    let other = await daemonFor(t, cluster, config(cluster, plugin));
    await runSetup(cluster, active);
    await active.start();
    await other.start({ ready: false });
    await standsBy(other);
    const writers = startRace(cluster, { runs: 0, rate: 30, processes: 2, late: 0.2 });
    t.after(() => writers.stop().catch(() => {}));
    const times = [];
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(300 + Math.random() * 700);
      const began = performance.now();
      await active.kill();
      await other.ready();
      times.push(performance.now() - began);
      assert.equal((await slots(cluster)).length, 1);
      [active, other] = [other, active];
      await other.start({ ready: false });
      await standsBy(other);
      assert.equal((await active.status()).state, 'streaming', 'the one that streams keeps the slot');
    }
    await writers.stop();
    await active.caughtUp();
    const client = await cluster.client();
    t.after(() => client.end());
    let result;
    await active.until('the table\'s findings', async () => {
      const records = (await cluster.query('SELECT record::jsonb AS json FROM dupwatch.findings')).map(({ json }) => json);
      result = await compare(records, client);
      return result.ok;
    }).catch(() => assert.fail(describe(result)));
    assert.ok(result.expected >= 20, `${result.expected}`);
    times.sort((a, b) => a - b);
    t.diagnostic(`${result.found} findings; ready again after ${times.map((time) => `${(time / 1000).toFixed(1)} s`).join(', ')}`);

    // In good order: no second without a stream but that of the change.
    assert.deepEqual(await active.stop(), { code: 0, signal: null });
    await other.ready();
    assert.equal((await other.status()).coverage.gaps.filter(({ reason }) => reason !== 'first_start').length, 0);
  });
}

test('a standby says that it is one, holds no walsender, waits for longer than startup_timeout, and stops at once', async (t) => {
  const cluster = await serverWithSchema(t);
  const active = await daemonFor(t, cluster, config(cluster, 'wal2json'));
  const other = await daemonFor(t, cluster, config(cluster, 'wal2json'));
  await runSetup(cluster, active);
  await active.start();
  await other.start({ ready: false });
  await standsBy(other);
  await sleep(3000);
  const answer = await other.fetch('/readyz');
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /standby.*another dupwatch holds slot dupwatch/);
  assert.equal((await other.fetch('/healthz')).status, 200);
  assert.equal(await other.metric('dupwatch_stream_state{state="standby"}'), 1);
  assert.equal(await other.metric('dupwatch_stream_disconnects_total{reason="connect_failed"}'), 0);
  assert.equal(other.lines.filter(({ event }) => event === 'standby').length, 1, 'it is said once');
  assert.equal((await cluster.query('SELECT FROM pg_stat_replication')).length, 1);
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
  assert.equal((await active.status()).state, 'streaming');
});
