// Real processes race through the package that has no unique index: every duplicate is found and nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTruth, daemonFor, findingCounts, full, race, serverWithSchema } from './scene.mjs';

const NAMES = { 2: 'two', 4: 'four' };

for (const processes of [2, 4]) {
  for (const plugin of ['wal2json', 'pgoutput']) {
    const skip = processes > 2 && !full && 'the race of two again, with more of it: DUPWATCH_FULL=1';
    test(`${NAMES[processes]} processes, ${plugin}`, { skip }, async (t) => {
      const cluster = await serverWithSchema(t);
      const daemon = await daemonFor(t, cluster, { slot: { plugin } });
      await daemon.start();
      const written = await race(cluster, { processes, runs: full ? 2000 : 200, seed: processes, late: 0.15 });
      const result = await assertTruth(daemon, { atLeast: 100 });
      assert.ok(result.rules.duplicate_created > 50, JSON.stringify(result.rules));

      // The race must have held what a careless monitor would report: legal repeats.
      const [legal] = await cluster.query(`SELECT
        count(*) FILTER (WHERE type = 'hook_received') - count(DISTINCT correlation_id) FILTER (WHERE type = 'hook_received') AS received,
        count(*) FILTER (WHERE type = 'step_started') - count(DISTINCT correlation_id) FILTER (WHERE type = 'step_started') AS started
        FROM workflow.workflow_events`);
      assert.ok(Number(legal.received) > 50 && Number(legal.started) > 50, JSON.stringify(legal));

      const counts = findingCounts(daemon);
      const logged = daemon.lines.filter((line) => line.event === 'finding');
      assert.equal(logged.length, counts.lines, 'every line of the findings file is in the log');
      const api = await daemon.json('/api/findings?limit=5');
      assert.equal(api.total, counts.findings);
      assert.equal(api.findings.length, 5);
      assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
      t.diagnostic(`${written.events} events in ${written.seconds} s, ${result.found} findings: ${JSON.stringify(result.rules)}`);
    });
  }
}
