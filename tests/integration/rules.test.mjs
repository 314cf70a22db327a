// Damaged runs of every shape, as they are written: the stream's findings are those of SQL, for each engine generation.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { insertShapes } from './audit_shapes.mjs';
import { assertTruth, daemonFor, serverWithSchema } from './scene.mjs';

const RULES = ['after_run_end', 'delivery_after_disposal', 'duplicate_created', 'duplicate_run_event', 'hook_self_conflict', 'id_scheme',
  'lifecycle_after_close', 'run_lost', 'second_terminal'];

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`every rule, engine auto, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t);
    const daemon = await daemonFor(t, cluster, { slot: { plugin } });
    await daemon.start();
    await insertShapes(cluster);
    assert.deepEqual(Object.keys((await assertTruth(daemon)).rules), RULES);
    const status = await daemon.status();
    assert.equal(status.level, 'fatal');
    assert.ok(status.findings_fatal > 0 && status.findings_fatal < status.findings_open, JSON.stringify(status));
  });
}

for (const engine of ['v4', 'v5-before-class-skip', 'v5']) {
  test(`every rule, engine ${engine}, rows from before the start`, async (t) => {
    const cluster = await serverWithSchema(t);
    await insertShapes(cluster);
    const daemon = await daemonFor(t, cluster, { engine, baseline: 'all' });
    await daemon.start();
    assert.deepEqual(Object.keys((await assertTruth(daemon, { engine, forced: true })).rules), RULES);
  });
}

test('rules that are switched off, and severities of the user\'s', async (t) => {
  const cluster = await serverWithSchema(t);
  const off = RULES.filter((rule) => rule !== 'second_terminal');
  const daemon = await daemonFor(t, cluster, { rules: { ...Object.fromEntries(off.map((rule) => [rule, 'off'])), second_terminal: 'harmless' } });
  await daemon.start();
  await insertShapes(cluster);
  await daemon.caughtUp();
  const { findings } = await daemon.json('/api/findings?limit=1000');
  assert.ok(findings.length > 0);
  assert.ok(findings.every(({ rule, severity }) => rule === 'second_terminal' && severity === 'harmless'));
  assert.equal((await daemon.status()).level, 'findings');
});
