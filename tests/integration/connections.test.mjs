// How many sessions dupwatch has at once, by the server's own log of who came and went.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from './daemon.mjs';
import { assertTruth, daemonFor, eventId, insertEvents, serverWithSchema } from './scene.mjs';

/** The most sessions of dupwatch at one time, and how many there were in all. */
function sessions(log) {
  const open = new Set();
  let most = 0;
  let all = 0;
  for (const line of log.split('\n')) {
    const [, pid] = /\[(\d+)\]/.exec(line) ?? [];
    if (/connection authorized: .*application_name=dupwatch/.test(line)) {
      open.add(pid);
      all += 1;
      most = Math.max(most, open.size);
    } else if (/disconnection: /.test(line)) {
      open.delete(pid);
    }
  }
  return { most, all };
}

const step = (run, types) => types.map((type) => ({ run, type, correlation: 'step_1', id: eventId() }));

/** Scans, rechecks, findings, lost connections and a restarted server. */
async function busyDay(cluster, daemon) {
  const runs = Array.from({ length: 30 }, (_, index) => `wrun_${index}`);
  await insertEvents(cluster, runs.flatMap((run) => [{ run, type: 'run_created' }, ...step(run, ['step_created', 'step_completed'])]));
  await daemon.start();
  for (let round = 0; round < 6; round += 1) {
    await insertEvents(cluster, step(runs[round], ['step_created']));
    if (round % 2) await cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dupwatch'");
    await sleep(700);
  }
  await cluster.restart('fast');
  await insertEvents(cluster, step(runs[7], ['step_created']));
  await daemon.ready();
  await sleep(1500); // One more recheck.
  await assertTruth(daemon, { atLeast: 7 });
}

for (const [mode, most] of [['observe', 3], ['record', 4]]) {
  test(`never more than ${most} sessions, quarantine ${mode}`, { timeout: 180_000 }, async (t) => {
    const cluster = await serverWithSchema(t, { settings: { log_connections: 'on', log_disconnections: 'on' } });
    const daemon = await daemonFor(t, cluster, { baseline: 'all', recheck: { interval: '1s' }, findings: { table: 'dupwatch.findings' }, quarantine: { mode } });
    const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
    await cluster.query(setup.stdout);
    await busyDay(cluster, daemon);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    const seen = sessions(cluster.log());
    t.diagnostic(`${seen.all} sessions, at most ${seen.most} at once`);
    assert.ok(seen.all > 8, 'the log tells of them');
    assert.equal(seen.most, most);
  });
}
