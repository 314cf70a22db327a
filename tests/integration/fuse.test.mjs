// The disk fuse: dupwatch gives its own slot up before it fills the primary's disk, polls, and comes back.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemBinaries } from '../postgres/binaries.mjs';
import { assertTruth, daemonFor, insertEvents, serverWithSchema, slots } from './scene.mjs';
import { writeWal } from './wal.mjs';

const gaps = async (daemon) => (await daemon.status()).coverage.gaps;
const SESSIONS = `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'dupwatch%'`;

/** Counts sessions that are there at once: of one that dupwatch has closed the server still shows the backend for a moment. */
function sessionCounter(cluster) {
  let last = new Set();
  let most = 0;
  return {
    async look() {
      const pids = (await cluster.query(SESSIONS)).map(({ pid }) => pid);
      most = Math.max(most, pids.filter((pid) => last.has(pid)).length);
      last = new Set(pids);
    },
    most: () => most,
  };
}

test('a slot that holds back too much WAL is dropped, polled for, and made anew', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json', max_retained_wal: '40MiB' }, poll: { interval: '1s' } });
  await daemon.start();
  await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ('wrun_1', 'd', 'running', 'w')`);
  const duplicate = (step) => insertEvents(cluster, [0, 1].map(() => ({ run: 'wrun_1', type: 'step_created', correlation: step })));
  await duplicate('step_0');
  await assertTruth(daemon, { atLeast: 1 });

  // A transaction that stays open holds the slot back; nothing that dupwatch confirms helps.
  const holder = await cluster.client();
  const sessions = sessionCounter(cluster);
  try {
    await holder.query('BEGIN');
    await holder.query(`SELECT pg_logical_emit_message(true, 'held', 'x')`);
    // A walsender that takes its time to end keeps the daemon in the act of giving the slot up for some turns.
    const [{ active_pid: walsender }] = await slots(cluster);
    process.kill(walsender, 'SIGSTOP');
    try {
      await writeWal(cluster, { until: async () => daemon.lines.some((line) => line.event === 'coverage_gap' && line.gap === 'fuse') });
      await daemon.until('the gap in the status', async () => (await gaps(daemon)).some((gap) => gap.reason === 'fuse'));
      await sleep(1500);
    } finally {
      process.kill(walsender, 'SIGCONT');
    }
    await daemon.until('the end of the slot', async () => (await slots(cluster)).length === 0);
    await daemon.line('the blown fuse', (line) => line.event === 'slot_dropped' && line.why === 'fuse');
    await daemon.line('polling', (line) => line.event === 'polling');
    await daemon.until('polling in the status', async () => (await daemon.status()).mode === 'polling');
    assert.equal(await daemon.metric('dupwatch_slot_fuse_blown_total'), 1);
    const ready = await daemon.fetch('/readyz');
    assert.equal(ready.status, 503);
    assert.match(await ready.text(), /polling every 1 s.*max_retained_wal/);

    // Polling goes on while the new slot waits for that transaction.
    await duplicate('step_1');
    await daemon.until('the duplicate by polling', async () => {
      await sessions.look();
      return (await daemon.json('/api/findings')).total >= 2;
    });
    await assertTruth(daemon, { caughtUp: false, atLeast: 2 });
    assert.equal((await gaps(daemon)).find((gap) => gap.reason === 'fuse').closed_at, null);
  } finally {
    await holder.end();
  }
  await daemon.until('streaming again', async () => {
    await sessions.look();
    return (await daemon.status()).mode === 'streaming' && (await daemon.status()).coverage.complete_since !== null;
  });
  assert.ok(sessions.most() >= 1 && sessions.most() <= 3, `${sessions.most()} connections at once`);
  await duplicate('step_2');
  await assertTruth(daemon, { atLeast: 3 });
  const findings = (await daemon.json('/api/findings')).total;
  assert.equal(findings, 3, 'no finding is told twice as new');
});

test('a slot that is over the limit already at the start is given up as well', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json', max_retained_wal: '20MiB' }, poll: { interval: '1s' } });
  await daemon.start();
  await daemon.stop();
  await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ('wrun_1', 'd', 'running', 'w')`);
  await insertEvents(cluster, [0, 1].map(() => ({ run: 'wrun_1', type: 'step_created', correlation: 'step_1' })));
  let rounds = 0;
  await writeWal(cluster, { until: async () => { rounds += 1; return rounds === 4; } });
  await daemon.start();
  await daemon.line('the blown fuse', (line) => line.event === 'slot_dropped' && Number(line.released_wal_bytes) > 20 * 1024 ** 2);
  await daemon.until('the end of the gap', async () => (await gaps(daemon)).some((gap) => gap.reason === 'fuse' && gap.closed_at !== null));
  const result = await assertTruth(daemon, { atLeast: 1 });
  assert.equal(result.found, 1);
});

test('a slot of somebody else is never dropped', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json', max_retained_wal: '20MiB' }, connection: { startup_timeout: '2s' } });
  await cluster.query(`SELECT pg_create_logical_replication_slot('dupwatch', 'wal2json')`);
  let rounds = 0;
  await writeWal(cluster, { until: async () => { rounds += 1; return rounds === 4; } });
  const holder = await cluster.client();
  let other;
  try {
    await holder.query('BEGIN');
    await holder.query(`SELECT pg_logical_emit_message(true, 'held', 'x')`);
    // Its reader is a stranger; behind another dupwatch this one would stand by.
    other = spawn(`${systemBinaries}/pg_recvlogical`, ['-d', cluster.dsn(), '-S', 'dupwatch', '--start', '-f', '-'], { stdio: 'ignore' });
    await daemon.until('a reader of the slot', async () => (await slots(cluster))[0].active);
    rounds = 0;
    await writeWal(cluster, { until: async () => { rounds += 1; return rounds === 4; } });
    await daemon.start({ ready: false });
    assert.equal((await daemon.ended).code, 3, daemon.tail());
    await daemon.line('the slot that is in use', (line) => line.reason === 'slot_in_use');
    const [slot] = await slots(cluster);
    assert.ok(slot.active);
  } finally {
    other?.kill();
    await holder.end();
  }
});
