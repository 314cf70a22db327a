// Two dupwatches on one slot: one streams, the other stands by and takes over when the first is gone, by kill or in good order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pair } from '../fault/pair.mjs';
import { compare, describe, expectedFindings } from './ground_truth.mjs';
import { daemonFor, full, runSetup, serverWithSchema, slots, startRace } from './scene.mjs';

const config = (cluster, plugin) => ({
  connection: { dsn: cluster.dsn({ user: 'watcher' }), startup_timeout: '2s' }, slot: { plugin },
  findings: { table: 'dupwatch.findings' }, recheck: { interval: '1s' },
});
const standsBy = (daemon) => daemon.until('a standby', async () => (await daemon.status().catch(() => undefined))?.state === 'standby');

const kills = full ? 20 : 5;
const seconds = (times) => [...times].sort((a, b) => a - b).map((time) => `${(time / 1000).toFixed(2)} s`).join(', ');

/**
 * Looks every few milliseconds how many sessions read the slot and how many hold its advisory lock. `stop()` resolves
 * {samples, streams, locks}: how often it looked, and the most it saw at once.
 */
function watchConsumers(t, cluster) {
  const seen = { samples: 0, streams: 0, locks: 0 };
  let running = true;
  const ended = (async () => {
    const client = await cluster.client();
    while (running) {
      const [now] = (await client.query(`
        SELECT (SELECT count(*) FROM pg_stat_replication WHERE state IN ('streaming', 'catchup'))::int AS streams,
               (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted)::int AS locks`)).rows;
      seen.samples += 1;
      seen.streams = Math.max(seen.streams, now.streams);
      seen.locks = Math.max(seen.locks, now.locks);
      await sleep(5);
    }
    await client.end();
    return seen;
  })();
  ended.catch(() => {}); // Reported to whoever stops it.
  const stop = () => {
    running = false;
    return ended;
  };
  t.after(stop);
  return stop;
}

/** Waits until the findings table equals SQL, and returns the comparison and the findings' records. */
async function tablesFindings(daemon) {
  await daemon.caughtUp();
  const client = await daemon.cluster.client();
  let result;
  let records;
  try {
    await daemon.until('the table\'s findings', async () => {
      records = (await client.query('SELECT record::jsonb AS json FROM dupwatch.findings')).rows.map(({ json }) => json);
      result = await compare(records, client);
      return result.ok;
    });
  } catch {
    assert.fail(describe(result));
  } finally {
    await client.end();
  }
  return { result, records };
}

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
    const consumers = watchConsumers(t, cluster);
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
    const { result } = await tablesFindings(active);
    assert.ok(result.expected >= 20, `${result.expected}`);
    assert.ok(Math.max(...times) < 5000, seconds(times));
    const { samples, streams, locks } = await consumers();
    assert.deepEqual({ streams, locks }, { streams: 1, locks: 1 }, 'never two consumers, and the looks at them saw one');
    t.diagnostic(`${result.found} findings; ready again after ${seconds(times)}; ${samples} looks, never two consumers`);

    // In good order: no second without a stream but that of the change.
    assert.deepEqual(await active.stop(), { code: 0, signal: null });
    await other.ready();
    assert.deepEqual(await lasting(other), []);
  });
}

/**
 * Gaps but those of a start. Each of the two has findings of its own and remembers its own coverage: what the other has
 * seen meanwhile it can't know, and a scan looks for.
 */
async function lasting(daemon) {
  return (await daemon.status()).coverage.gaps.filter(({ reason, closed_at: at }) => at === null || !['first_start', 'unknown_past', 'position_ahead'].includes(reason));
}

test('a rolling upgrade: the new instance is started beside the old one, the old one is stopped', async (t) => {
  const changes = full ? 10 : 3;
  const cluster = await serverWithSchema(t);
  let active = await daemonFor(t, cluster, config(cluster, 'pgoutput'));
  let next = await daemonFor(t, cluster, config(cluster, 'pgoutput'));
  await runSetup(cluster, active);
  await active.start();
  const writers = startRace(cluster, { runs: 0, rate: 30, processes: 2, late: 0.2 });
  t.after(() => writers.stop().catch(() => {}));
  const consumers = watchConsumers(t, cluster);
  const blind = [];
  for (let change = 0; change < changes; change += 1) {
    await next.start({ ready: false });
    await standsBy(next);
    await sleep(500 + Math.random() * 500);
    const from = next.lines.length;
    const stopped = performance.now();
    const exit = active.stop();
    await next.line('the new instance streams', ({ event }) => event === 'streaming', { from });
    blind.push(performance.now() - stopped);
    assert.deepEqual(await exit, { code: 0, signal: null });
    await next.ready();
    assert.deepEqual(await lasting(next), [], 'no gap');
    [active, next] = [next, active];
  }
  // Three changes may be over before the writers have come to a duplicate.
  const client = await cluster.client();
  await active.until('ten findings that the table calls for', async () => (await expectedFindings(client)).length >= 10, 60_000).finally(() => client.end());
  await writers.stop();
  const { result, records } = await tablesFindings(active);
  assert.ok(result.expected >= 10, `${result.expected}`);
  assert.ok(Math.max(...blind) < 2000, seconds(blind));
  const late = records.filter(({ origin, duplicate }) => origin === 'stream' && duplicate.commit_time)
    .map(({ flagged_at: at, duplicate }) => Date.parse(at) - Date.parse(duplicate.commit_time));
  assert.deepEqual({ ...await consumers(), samples: 0 }, { samples: 0, streams: 1, locks: 1 });
  t.diagnostic(`without a stream for ${seconds(blind)}; ${result.found} findings, the latest told ${Math.max(...late)} ms after its commit`);
});

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

test('one that stands by does not go to an old primary that is started again', async (t) => {
  const pair = await Pair.open(t, { synchronized: false });
  const active = await daemonFor(t, pair.primary, pair.config());
  const other = await daemonFor(t, pair.primary, pair.config());
  await active.start();
  await other.start({ ready: false });
  await standsBy(other);
  await pair.switchOver(active);
  // Whichever was the first at the new primary.
  const streams = async (daemon) => (await daemon.status().catch(() => ({}))).state === 'streaming';
  await active.until('the new primary', async () => await streams(active) || streams(other), 60_000);
  const [first, second] = await streams(active) ? [active, other] : [other, active];
  await standsBy(second);
  await sleep(1500); // three looks of the second
  await pair.standby.start(); // as a primary
  await sleep(3000);
  assert.equal((await second.status()).state, 'standby');
  await first.kill();
  await second.until('the stream', () => streams(second), 60_000);
  assert.equal((await second.status()).timeline, 2);
  assert.equal((await pair.standby.query('SELECT FROM pg_stat_replication')).length, 0);
});
