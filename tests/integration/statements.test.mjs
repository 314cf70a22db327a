// What dupwatch asks must not push the application's statements out of pg_stat_statements: its texts stay few, whatever it reads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit } from './audit_truth.mjs';
import { assertTruth, daemonFor, EVENTS, findingCounts, insertEvents, runSetup, serverWithSchema } from './scene.mjs';

test('runs read back and audits add no statements to pg_stat_statements', async (t) => {
  const cluster = await serverWithSchema(t, { settings: { shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.track': 'all' } });
  await cluster.query('CREATE EXTENSION pg_stat_statements');
  const dsn = { user: 'watcher' };
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn(dsn) } });
  await runSetup(cluster, daemon);
  await daemon.start();
  const statements = async () => (await cluster.query(`SELECT DISTINCT query FROM pg_stat_statements WHERE userid = 'watcher'::regrole`)).map(({ query }) => query);
  // Each run is read back by itself.
  const write = async (from, to) => {
    for (let number = from; number < to; number += 1) {
      const run = `wrun_${number}`;
      await insertEvents(cluster, [{ run, type: 'run_created' }, { run, type: 'step_created', correlation: 'step_1' }, { run, type: 'step_created', correlation: 'step_1' }]);
      await daemon.until(`the finding of ${run}`, () => findingCounts(daemon).findings > number);
    }
  };
  await write(0, 5);
  await audit(cluster, ['--json'], { dsn });
  const before = await statements();
  assert.ok(before.some((text) => text.includes('COPY (SELECT')), 'nothing was read by COPY');
  await write(5, 45);
  await cluster.query(`INSERT INTO ${EVENTS} (id, run_id, type, payload_cbor) SELECT 'wevt_' || n, 'wrun_' || n, 'run_started', repeat('x', 1000)::bytea FROM generate_series(1000, 3000) n`);
  const audited = await audit(cluster, ['--json'], { dsn });
  assert.equal(audited.findings.length, 45);
  const after = await statements();
  const added = after.filter((text) => !before.includes(text)).filter((text) => text.includes('COPY') || text.includes('dupwatch.'));
  assert.deepEqual(added, []);
  assert.ok(after.length - before.length <= 5, `${after.length - before.length} statements more`);
  t.diagnostic(`${before.length} statements, then ${after.length}`);
  await assertTruth(daemon, { atLeast: 45 });
});
