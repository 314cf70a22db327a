// findings.file on a disk that is full: told at once and by its name, the position is held, and nothing is lost.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { lsn } from '../postgres/client.mjs';
import { assertTruth, daemonFor, insertEvents, serverWithSchema, slots } from './scene.mjs';

const pair = (run) => [{ run, type: 'run_created' }, { run, type: 'run_created' }];
const confirmed = async (cluster) => lsn((await slots(cluster))[0].confirmed_flush_lsn);
const complaints = (daemon) => daemon.lines.filter(({ reason }) => reason === 'findings_file');

/** Everybody who asks is told that the file refuses, in the words of the system. */
async function assertTold(cluster, daemon, words) {
  const began = performance.now();
  const answer = await daemon.until('unreadiness', async () => {
    const response = await daemon.fetch('/readyz');
    return response.status === 503 && response.text();
  });
  assert.equal(answer, `findings.file can't be written: ${words}\n`);
  assert.ok(performance.now() - began < 5000, 'at once, not at the next complaint');
  const [line] = complaints(daemon);
  assert.deepEqual([line.level, line.error, line.file], ['error', words, daemon.config.findings.file]);
  assert.match(line.remedy, /position is held/);
  assert.equal((await daemon.fetch('/healthz')).status, 200);
  assert.equal((await daemon.status()).level, 'blind');
  assert.ok(await daemon.metric('dupwatch_findings_write_failures_total{store="file"}') > 0);
  assert.equal(await daemon.metric('dupwatch_ready'), 0);

  // It lasts: each look for three seconds says so, and no position beyond the finding is confirmed.
  const held = await confirmed(cluster);
  for (let look = 0; look < 30; look += 1) {
    assert.equal((await daemon.fetch('/readyz')).status, 503);
    await sleep(100);
  }
  await insertEvents(cluster, pair('wrun_meanwhile'));
  await daemon.until('the next finding at /api/findings', async () => (await daemon.json('/api/findings')).findings.some(({ run_id: run }) => run === 'wrun_meanwhile'));
  assert.equal(await confirmed(cluster), held, 'a position was confirmed whose findings are not written');
  assert.equal(complaints(daemon).length, 1, 'once in ten seconds');
}

test('a device without room: told, held, and found again in a file with room', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { findings: { file: '/dev/full' } });
  await daemon.start();
  await insertEvents(cluster, pair('wrun_first'));
  await assertTold(cluster, daemon, 'No space left on device');
  await daemon.stop();
  daemon.configure({ ...daemon.config, findings: { ...daemon.config.findings, file: daemon.findingsFile } });
  await daemon.start();
  await assertTruth(daemon, { atLeast: 2 });
});

test('a file that may not grow: half a record is written, and the rest once there is room, without a restart', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  await insertEvents(cluster, pair('wrun_before'));
  await daemon.caughtUp();
  const limit = (bytes) => {
    const { status, stderr } = spawnSync('prlimit', ['--pid', String(daemon.child.pid), `--fsize=${bytes}:`], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  };
  const room = fs.statSync(daemon.findingsFile).size + 100;
  limit(room);
  await insertEvents(cluster, pair('wrun_first'));
  await assertTold(cluster, daemon, 'File too large');
  assert.equal(fs.statSync(daemon.findingsFile).size, room);
  limit('unlimited');
  await daemon.ready();
  await assertTruth(daemon, { atLeast: 3 });
  assert.equal(daemon.running(), true);
});
