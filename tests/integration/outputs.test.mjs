// Nothing that writes can stop the loop: a log that nobody reads, that is closed or full, and a findings file on a pipe, a
// full disk or a disk that hangs. Status goes on, /healthz stays 200, the position is held where findings are at stake, and
// SIGTERM ends the process within five seconds.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createCluster } from '../postgres/cluster.mjs';
import { lsn } from '../postgres/client.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { binary, Daemon } from './daemon.mjs';
import { insertEvents, runSetup } from './scene.mjs';

const SENDER_TIMEOUT_S = 3;
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-outputs-'));
let cluster;
let slowDisk;
before(async () => {
  cluster = await createCluster({ settings: { wal_sender_timeout: `${SENDER_TIMEOUT_S}s` } });
  await installSchema('4.1.1', cluster.uri());
  slowDisk = path.join(dir, 'slow_disk.so');
  const source = fileURLToPath(new URL('slow_disk.c', import.meta.url));
  assert.equal(spawnSync('cc', ['-shared', '-fPIC', '-o', slowDisk, source]).status, 0, 'slow_disk.c does not compile');
});
after(async () => {
  await cluster?.destroy();
  fs.rmSync(dir, { recursive: true, force: true });
});

let counter = 0;
const pair = (run) => [{ run, type: 'run_created' }, { run, type: 'run_created' }];
/** As many runs with a duplicate each; their ids. */
async function insertPairs(count) {
  const runs = Array.from({ length: count }, () => `wrun_${(counter += 1)}`);
  await insertEvents(cluster, runs.flatMap(pair));
  return runs;
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => { server.once('listening', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

/** A daemon with a slot and an address of its own, not started: its stderr may be unreadable. */
async function daemonOf(t, config = {}) {
  counter += 1;
  const port = await freePort();
  const daemon = new Daemon(cluster, {
    slot: { name: `outputs_${counter}` }, baseline: 'none', http: { listen: `127.0.0.1:${port}` }, ...config,
  });
  t.after(async () => {
    await daemon.destroy();
    await cluster.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
  });
  daemon.address = `http://127.0.0.1:${port}`;
  return daemon;
}

/** Starts it with this stderr: a descriptor, or 'closed'. */
async function startWithStderr(daemon, stderr) {
  const args = ['run', '--config', daemon.configFile];
  daemon.child = stderr === 'closed'
    ? spawn('sh', ['-c', 'exec "$@" 2>&-', 'sh', binary(), ...args], { stdio: 'ignore' })
    : spawn(binary(), args, { stdio: ['ignore', 'ignore', stderr] });
  daemon.exit = undefined;
  daemon.ended = new Promise((resolve) => {
    daemon.child.once('close', (code, signal) => { resolve(daemon.exit = { code, signal }); });
  });
  daemon.httpBase = daemon.address;
  await daemon.ready();
}

const slotOf = async (daemon) => (await cluster.query('SELECT active, confirmed_flush_lsn AS confirmed FROM pg_replication_slots WHERE slot_name = $1', [daemon.config.slot.name]))[0];
const readiness = async (daemon) => (await daemon.fetch('/readyz')).text();

/** Longer than the server's patience: alive, and its walsender is not ended. */
async function assertGoesOn(daemon, ms = (SENDER_TIMEOUT_S + 2) * 1000) {
  const { pid } = (await cluster.query('SELECT active_pid AS pid FROM pg_replication_slots WHERE slot_name = $1', [daemon.config.slot.name]))[0];
  for (const end = Date.now() + ms; Date.now() < end; await sleep(500)) {
    assert.equal((await daemon.fetch('/healthz')).status, 200);
    assert.equal((await slotOf(daemon)).active, true);
  }
  const now = (await cluster.query('SELECT active_pid AS pid FROM pg_replication_slots WHERE slot_name = $1', [daemon.config.slot.name]))[0];
  assert.equal(now.pid, pid, 'the same stream');
}

async function assertStops(daemon) {
  const began = performance.now();
  const exit = await daemon.stop('SIGTERM', 15_000);
  const took = performance.now() - began;
  assert.deepEqual(exit, { code: 0, signal: null });
  assert.ok(took < 5000, `it took ${Math.round(took)} ms`);
}

const foundIn = (file) => new Set(fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line).run_id));
async function assertFound(daemon, runs, file = daemon.config.findings.file) {
  await daemon.until('every finding in the file', () => {
    const found = foundIn(file);
    return runs.every((run) => found.has(run));
  });
}

function fifo(name) {
  const file = path.join(dir, `${name}.${(counter += 1)}`);
  assert.equal(spawnSync('mkfifo', [file]).status, 0);
  // Both ends, so that neither opening nor writing waits for the other one.
  const fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  return { file, fd };
}
/** Reads what is in the pipe now. */
function drain(fd) {
  let text = '';
  const buffer = Buffer.alloc(1 << 16);
  for (;;) {
    try {
      const count = fs.readSync(fd, buffer);
      if (count === 0) return text;
      text += buffer.toString('utf8', 0, count);
    } catch (error) {
      if (error.code === 'EAGAIN') return text;
      throw error;
    }
  }
}

test('a log that nobody reads: lines are lost, counted, and said when it is read again', async (t) => {
  const daemon = await daemonOf(t);
  const { file, fd } = fifo('log');
  const end = fs.openSync(file, 'w');
  await startWithStderr(daemon, end);
  fs.closeSync(end);
  // 700 bytes a line: a pipe of 64 KiB and a buffer of 1 MiB are full long before.
  const runs = await insertPairs(3000);
  await assertGoesOn(daemon);
  await assertFound(daemon, runs);
  await daemon.caughtUp();
  const lost = await daemon.metric('dupwatch_log_lines_lost_total');
  assert.ok(lost > 500, `${lost} lines`);
  let text = '';
  await daemon.until('the line that says so', async () => {
    text += drain(fd);
    if (!text.includes('event=log_lines_lost')) await insertPairs(1);
    return text.includes('event=log_lines_lost');
  });
  assert.match(text, new RegExp(`level=warn msg="log lines were lost[^\\n]* lines=${lost}`));
  for (const line of text.split('\n').filter(Boolean)) assert.match(line, /^ts=\S+ level=\w+ msg=/, 'no torn line');
  await assertStops(daemon);
  fs.closeSync(fd);
});

test('a log that nobody reads: SIGTERM ends it', async (t) => {
  const daemon = await daemonOf(t);
  const { file, fd } = fifo('log');
  const end = fs.openSync(file, 'w');
  await startWithStderr(daemon, end);
  fs.closeSync(end);
  await insertPairs(400);
  await sleep(1000);
  await assertStops(daemon);
  fs.closeSync(fd);
});

for (const [name, stderr] of [
  ['a full disk', () => fs.openSync('/dev/full', 'w')],
  ['a pipe whose reader is gone', () => {
    const { file, fd } = fifo('log');
    const end = fs.openSync(file, 'w');
    fs.closeSync(fd);
    return end;
  }],
  ['closed', () => 'closed']]) {
  test(`a log on ${name}: findings are written, lines are counted, SIGTERM ends it`, async (t) => {
    const daemon = await daemonOf(t);
    const fd = stderr();
    await startWithStderr(daemon, fd);
    if (fd !== 'closed') fs.closeSync(fd);
    const runs = await insertPairs(5);
    await assertFound(daemon, runs);
    await daemon.caughtUp();
    assert.ok(await daemon.metric('dupwatch_log_lines_lost_total') >= 5);
    // Nothing of the log is in what was opened since.
    assert.doesNotMatch(fs.readFileSync(daemon.findingsFile, 'utf8'), /level=/);
    await assertStops(daemon);
  });
}

test('a findings file that is a pipe: its reader stalls half way and goes on, and nothing is lost', async (t) => {
  const { file, fd } = fifo('findings');
  const daemon = await daemonOf(t, { findings: { file, log_rate_max: 0 } });
  await daemon.start();
  const first = await insertPairs(20);
  await daemon.caughtUp();
  let text = drain(fd);
  const held = lsn((await slotOf(daemon)).confirmed);
  const runs = [...first, ...await insertPairs(300)];
  await daemon.until('unreadiness', async () => await readiness(daemon) === "findings.file can't be written: nobody reads the pipe\n");
  await assertGoesOn(daemon);
  assert.equal(await daemon.metric('dupwatch_findings_durable'), 0);
  assert.ok(lsn((await slotOf(daemon)).confirmed) >= held);
  await daemon.until('every finding from the pipe', () => {
    text += drain(fd);
    return runs.every((run) => text.includes(`"run_id":"${run}"`));
  });
  await daemon.ready();
  await daemon.caughtUp();
  for (const line of text.split('\n').filter(Boolean)) JSON.parse(line);
  fs.closeSync(fd);
});

test('a findings file that is a pipe nobody reads: the position is held and SIGTERM ends it', async (t) => {
  const { file, fd } = fifo('findings');
  const daemon = await daemonOf(t, { findings: { file, log_rate_max: 0 } });
  await daemon.start();
  await insertPairs(400);
  await daemon.until('unreadiness', async () => (await readiness(daemon)).includes('nobody reads the pipe'));
  const held = (await slotOf(daemon)).confirmed;
  await insertPairs(1);
  await sleep(1500);
  assert.equal((await slotOf(daemon)).confirmed, held);
  await assertStops(daemon);
  assert.equal((await slotOf(daemon)).confirmed, held);
  fs.closeSync(fd);
});

test('a disk that hangs in a sync: the position is held, readiness says why, and it goes on where the disk does', async (t) => {
  const daemon = await daemonOf(t);
  const flag = path.join(dir, 'hang');
  await daemon.start({ env: { LD_PRELOAD: slowDisk, SLOW_DISK: flag } });
  t.after(() => fs.rmSync(flag, { force: true }));
  fs.writeFileSync(flag, '');
  const runs = await insertPairs(3);
  await assertFound(daemon, runs);
  const held = (await slotOf(daemon)).confirmed;
  await daemon.until('unreadiness', async () => /^findings\.file can't be written: no answer from its disk for \d+ s\n$/.test(await readiness(daemon)));
  await assertGoesOn(daemon);
  assert.equal((await slotOf(daemon)).confirmed, held, 'confirmed before it was synced');
  fs.rmSync(flag);
  await daemon.ready();
  await daemon.caughtUp();
  assert.equal(fs.readFileSync(daemon.findingsFile, 'utf8').split('\n').filter(Boolean).length, 3, 'each once');
});

test('a disk that hangs in a sync: SIGTERM ends it', async (t) => {
  const daemon = await daemonOf(t);
  const flag = path.join(dir, 'hang_at_stop');
  await daemon.start({ env: { LD_PRELOAD: slowDisk, SLOW_DISK: flag } });
  t.after(() => fs.rmSync(flag, { force: true }));
  fs.writeFileSync(flag, '');
  const runs = await insertPairs(3);
  await assertFound(daemon, runs);
  await sleep(1500);
  await assertStops(daemon);
  fs.rmSync(flag);
  // What was not confirmed comes again, and what the file has is not found twice.
  await daemon.start();
  await daemon.caughtUp();
  assert.equal(fs.readFileSync(daemon.findingsFile, 'utf8').split('\n').filter(Boolean).length, 3);
});

test('a disk that hangs at the start: it is alive, says why it is not ready, and SIGTERM ends it', async (t) => {
  const daemon = await daemonOf(t);
  const flag = path.join(dir, 'hang_at_start');
  fs.writeFileSync(flag, '');
  t.after(() => fs.rmSync(flag, { force: true }));
  const env = { LD_PRELOAD: slowDisk, SLOW_DISK: flag };
  await daemon.start({ ready: false, env });
  await daemon.until('life', async () => (await daemon.fetch('/healthz').catch(() => undefined))?.status === 200);
  await daemon.until('unreadiness', async () => (await readiness(daemon)).includes("findings.file can't be written: no answer from its disk"));
  await assertStops(daemon);
  await daemon.start({ ready: false, env });
  await daemon.until('a stream', async () => (await slotOf(daemon))?.active);
  const runs = await insertPairs(2);
  await sleep(1000);
  assert.equal(fs.readFileSync(daemon.findingsFile, 'utf8'), '', 'nothing is judged before the past is known');
  fs.rmSync(flag);
  await daemon.ready();
  await assertFound(daemon, runs);
});

test('a disk that is full: findings wait, and are written when there is room', { skip: process.getuid() !== 0 && 'mounts a file system' }, async (t) => {
  const disk = path.join(dir, 'disk');
  fs.mkdirSync(disk);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'dupwatch', disk], { encoding: 'utf8' });
  if (mounted.status !== 0) return t.skip(`no file system can be mounted here: ${mounted.stderr}`);
  t.after(() => spawnSync('umount', ['-l', disk]));
  const ballast = path.join(disk, 'ballast');
  fs.writeFileSync(ballast, Buffer.alloc(48 << 10));
  const daemon = await daemonOf(t, { findings: { file: path.join(disk, 'findings.jsonl'), log_rate_max: 0 } });
  await daemon.start();
  const runs = await insertPairs(40);
  await daemon.until('unreadiness', async () => await readiness(daemon) === "findings.file can't be written: No space left on device\n");
  await assertGoesOn(daemon);
  fs.rmSync(ballast);
  await daemon.ready();
  await daemon.caughtUp();
  await assertFound(daemon, runs);
  fs.readFileSync(daemon.config.findings.file, 'utf8').split('\n').filter(Boolean).forEach(JSON.parse);
  await daemon.stop();
});

test('a device that is full: SIGTERM ends it', async (t) => {
  const daemon = await daemonOf(t, { findings: { file: '/dev/full', log_rate_max: 0 } });
  await daemon.start();
  await insertPairs(2);
  await daemon.until('unreadiness', async () => (await readiness(daemon)).includes('No space left on device'));
  await assertStops(daemon);
});

test('a finding that only the table had when the process was killed is written to the file at the next start', async (t) => {
  const daemon = await daemonOf(t, { findings: { file: '/dev/full', table: 'dupwatch.findings', log_rate_max: 0 } });
  await runSetup(cluster, daemon);
  await daemon.start();
  const runs = await insertPairs(2);
  await daemon.until('both in the table', async () => (await cluster.query('SELECT 1 FROM dupwatch.findings WHERE run_id = ANY($1)', [runs])).length === 2);
  await daemon.kill();
  daemon.configure({ ...daemon.config, findings: { ...daemon.config.findings, file: daemon.findingsFile } });
  await daemon.start();
  await daemon.caughtUp();
  const records = fs.readFileSync(daemon.findingsFile, 'utf8').split('\n').filter(Boolean).map(JSON.parse);
  assert.deepEqual(records.map(({ run_id: run }) => run).sort(), runs.sort());
  const stored = await cluster.query('SELECT record FROM dupwatch.findings WHERE run_id = ANY($1)', [runs]);
  for (const { record } of stored) assert.deepEqual(records.find(({ finding_id: id }) => id === record.finding_id), record, 'with all its evidence');
});
