// What a service manager sees of dupwatch run: ready only when it streams, a watchdog that a stuck loop does not feed.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Gate } from '../fault/gate.mjs';
import { lsn } from '../postgres/client.mjs';
import { notifySocket } from './notify_socket.mjs';
import { assertTruth, daemonFor, insertEvents, serverWithSchema, slots } from './scene.mjs';

const WATCHDOG_MS = 1000;

/** No two pings from `from` to now are further apart than the watchdog allows, and there are some. */
function assertFed(manager, from) {
  const pings = [from, ...manager.with('WATCHDOG', from).map(({ at }) => at), Date.now()];
  const gaps = pings.slice(1).map((at, i) => at - pings[i]);
  assert.ok(pings.length >= 4, `${pings.length - 2} pings`);
  assert.ok(Math.max(...gaps) < WATCHDOG_MS, `no ping for ${Math.max(...gaps)} ms`);
}

/** The message with which it ends; the manager's end may read it later than the process has ended. */
async function lastWord(manager) {
  for (const deadline = Date.now() + 10_000; manager.messages.at(-1).STOPPING !== '1' && Date.now() < deadline;) await sleep(20);
  assert.equal(manager.messages.at(-1).STOPPING, '1', JSON.stringify(manager.messages.slice(-3)));
  return manager.messages.at(-1);
}

const pair = (run) => [{ run, type: 'run_created' }, { run, type: 'run_created' }];

for (const abstract of [false, true]) {
  test(`ready when it streams, and gone within 5 s with its position confirmed, ${abstract ? 'abstract socket' : 'socket in a folder'}`, async (t) => {
    const cluster = await serverWithSchema(t);
    const manager = await notifySocket(t, { abstract, watchdogMs: WATCHDOG_MS });
    const daemon = await daemonFor(t, cluster);
    await daemon.start({ env: manager.env });
    const streaming = await daemon.line('the stream', ({ event }) => event === 'streaming');
    await daemon.until('READY, which a busy machine reads late', () => manager.with('READY').length !== 0);
    const [ready, ...more] = manager.with('READY');
    assert.equal(more.length, 0, 'ready is said once');
    assert.ok(ready.at >= Date.parse(streaming.ts) - 1, 'ready before it streamed');
    for (const { at, EXTEND_TIMEOUT_USEC: extended } of manager.with('WATCHDOG')) {
      assert.equal(extended, at < ready.at ? String(WATCHDOG_MS * 1000) : undefined, 'the start is extended until it is over');
    }
    await daemon.until('the verdict', () => /^Watching since .*, 0 fatal findings\.$/.test(manager.with('STATUS').at(-1).STATUS));
    await insertEvents(cluster, pair('wrun_a'));
    await assertTruth(daemon);
    await daemon.until('the finding in the status', () => /finding/.test(manager.with('STATUS').at(-1).STATUS));
    await sleep(2 * WATCHDOG_MS);
    assertFed(manager, ready.at);

    const [{ pg_current_wal_lsn: end }] = await cluster.query('SELECT pg_current_wal_lsn()');
    const asked = Date.now();
    assert.deepEqual(await daemon.stop('SIGTERM'), { code: 0, signal: null });
    assert.ok(Date.now() - asked < 5000, `${Date.now() - asked} ms`);
    assert.match((await lastWord(manager)).STATUS, /signal/);
    const [slot] = await slots(cluster);
    assert.equal(lsn(slot.confirmed_flush_lsn), lsn(daemon.lines.find(({ event }) => event === 'stopped').confirmed_lsn));
    assert.ok(lsn(slot.confirmed_flush_lsn) >= lsn(end), `${slot.confirmed_flush_lsn} confirmed, ${end} written`);
  });
}

test('a server that never answers: not ready, the start is extended, the watchdog fed', async (t) => {
  const silent = net.createServer(() => {});
  await new Promise((resolve) => { silent.listen(0, '127.0.0.1', resolve); });
  t.after(() => silent.close());
  const cluster = await serverWithSchema(t, { world: null });
  const manager = await notifySocket(t, { watchdogMs: WATCHDOG_MS });
  const dsn = cluster.dsn({ port: silent.address().port });
  // One attempt outlasts the test: the loop waits in a single connect all the time.
  const daemon = await daemonFor(t, cluster, { connection: { dsn, connect_timeout: '60s', startup_timeout: '0s' } });
  await daemon.start({ env: manager.env, ready: false });
  await daemon.until('the first ping', () => manager.with('WATCHDOG').length);
  const from = manager.with('WATCHDOG')[0].at;
  await sleep(4 * WATCHDOG_MS);
  assertFed(manager, from);
  assert.equal(manager.with('READY').length, 0);
  assert.equal(manager.with('EXTEND_TIMEOUT_USEC').length, manager.with('WATCHDOG').length);
  assert.match(manager.with('STATUS').at(-1).STATUS, /^Not watching: /);
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test('a server that stops to answer while streaming: the watchdog is fed on, and nothing is said twice', async (t) => {
  const cluster = await serverWithSchema(t);
  const gate = await Gate.open(t, cluster.port);
  const manager = await notifySocket(t, { watchdogMs: WATCHDOG_MS });
  const heartbeat = { interval: '200ms', timeout: '1s' };
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ port: gate.port }) }, heartbeat });
  await daemon.start({ env: manager.env });
  const from = Date.now();
  gate.blackhole();
  await daemon.until('the status', () => /^Not watching: /.test(manager.with('STATUS', from).at(-1)?.STATUS));
  await sleep(3 * WATCHDOG_MS);
  assertFed(manager, from);
  gate.pass();
  await daemon.ready();
  assert.equal(manager.with('READY').length, 1);
  assertFed(manager, from);
});

test('a process that stands still feeds no watchdog, and the signal that systemd sends then ends it', async (t) => {
  const cluster = await serverWithSchema(t);
  const manager = await notifySocket(t, { watchdogMs: WATCHDOG_MS });
  const daemon = await daemonFor(t, cluster);
  await daemon.start({ env: manager.env });
  const from = Date.now();
  await sleep(2 * WATCHDOG_MS);
  assertFed(manager, from);
  // No file, pipe or receiver stops the loop; this stops everything.
  daemon.child.kill('SIGSTOP');
  await daemon.until('the end of the pings', () => Date.now() - manager.with('WATCHDOG').at(-1).at > 3 * WATCHDOG_MS);
  assert.ok(daemon.running());
  const ended = daemon.stop('SIGABRT');
  daemon.child.kill('SIGCONT');
  assert.deepEqual(await ended, { code: null, signal: 'SIGABRT' });
});

test('an end that a person must mend is told with its reason', async (t) => {
  const cluster = await serverWithSchema(t, { settings: { wal_level: 'replica' } });
  const manager = await notifySocket(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start({ env: manager.env, ready: false });
  assert.equal((await daemon.ended).code, 3);
  assert.match((await lastWord(manager)).STATUS, /wal_level/);
  assert.equal(manager.with('READY').length, 0);
  assert.equal(manager.with('WATCHDOG').length, 0, 'nobody asked for pings');
});

test('an address that is none, or that nobody serves, is said in the log and stops nothing', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  for (const address of ['vsock:2:1', '/nonexistent/notify', `/${'x'.repeat(200)}`]) {
    const from = daemon.lines.length;
    await daemon.start({ env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: '1000000' } });
    await sleep(1000);
    assert.equal(daemon.lines.slice(from).filter(({ reason }) => reason === 'notify_socket').length, 1, address);
    assert.equal((await daemon.stop()).code, 0);
  }
});
