// A compact tour on every server major and plugin: rows from before, the stream, a stop, rows from meanwhile, drop.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { majors, systemMajor } from '../postgres/binaries.mjs';
import { runCommand } from './daemon.mjs';
import { assertTruth, daemonFor, full, race, serverWithSchema, slots } from './scene.mjs';

const TOUR = [{ major: systemMajor, plugin: 'wal2json' }, ...majors.map((major) => ({ major, plugin: 'pgoutput' }))];
const RUNS = full ? 30 : 12;
const AT_LEAST = full ? 20 : 8;

for (const { major, plugin } of TOUR) {
  test(`Postgres ${major}, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { major });
    await race(cluster, { runs: RUNS, late: 0.2, seed: 1 });
    const daemon = await daemonFor(t, cluster, { slot: { plugin }, baseline: 'all' });
    await daemon.start();
    const before = await assertTruth(daemon, { atLeast: AT_LEAST });

    await race(cluster, { runs: RUNS, late: 0.2, seed: 2 });
    const streamed = await assertTruth(daemon, { atLeast: before.expected + AT_LEAST });
    const status = await daemon.status();
    assert.ok(String(status.server_version).startsWith(String(major)), `server_version ${status.server_version}`);
    assert.equal(status.plugin, plugin);
    assert.equal(status.slot, 'dupwatch');

    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    await race(cluster, { runs: RUNS, late: 0.2, seed: 3 });
    await daemon.start();
    await assertTruth(daemon, { atLeast: streamed.expected + AT_LEAST });

    const check = await runCommand(['check', '--json', '--config', daemon.configFile]);
    assert.equal(check.code, 0, `${check.stdout}${check.stderr}`);
    await daemon.stop();
    const dropped = await runCommand(['drop', '--config', daemon.configFile]);
    assert.equal(dropped.code, 0, dropped.stderr);
    assert.deepEqual(await slots(cluster), []);
  });
}
