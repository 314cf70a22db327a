// A wait that is completed without its event, in the real engine: the run is woken about once a second and never goes on, dupwatch
// says so, and setting the wait back heals it, as the runbook says.
//   DUPWATCH_FULL=1 node --test tests/runtime/engine_tables.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { daemonFor, full, serverWithSchema } from '../integration/scene.mjs';
import { build, endOf, startWorker } from './runtime.mjs';

for (const [version, world] of [['4.2.4', '4.1.1'], ['4.8.9', '4.3.7']]) {
  test(`a silent wait, core ${version}`, { skip: !full && 'takes half a minute: ./test --full' }, async (t) => {
    build(version);
    const cluster = await serverWithSchema(t, { world });
    const daemon = await daemonFor(t, cluster, { recheck: { interval: '500ms' } });
    await daemon.start();
    const worker = await startWorker(version, cluster.uri());
    t.after(() => worker.kill());

    // A healthy run: what jobs an event takes, and nothing to tell.
    const healthy = await worker.start('rounds', [6, 4, 5]);
    await endOf(cluster, [healthy], 30_000);
    await sleep(2500); // the server's statistics are up to a second late
    const [jobs, events] = [await daemon.metric('dupwatch_queue_jobs_total'), await daemon.metric('dupwatch_events_received_total')];
    t.diagnostic(`${version}: ${jobs} jobs for ${events} events of a healthy run`);
    assert.ok(jobs > 0 && jobs < 2 * events, `${jobs} jobs for ${events} events`);

    const run = await worker.start('sleeper', [3000]);
    await daemon.until('the wait', async () => (await cluster.query('SELECT FROM workflow.workflow_waits')).length === 1);
    await cluster.query("UPDATE workflow.workflow_waits SET status = 'completed'");
    const told = await daemon.line('the wait', ({ event }) => event === 'engine_table', { timeoutMs: 15_000 });
    assert.deepEqual([told.kind, told.run_id], ['silent_wait', run]);
    await sleep(3000);
    const [before, quiet] = [await daemon.metric('dupwatch_queue_jobs_total'), await daemon.metric('dupwatch_events_received_total')];
    await sleep(10_000);
    const woken = await daemon.metric('dupwatch_queue_jobs_total') - before;
    t.diagnostic(`${version}: ${woken} wake-ups in 10 s`);
    assert.ok(woken >= 4, `${woken} wake-ups in 10 s`);
    assert.equal(await daemon.metric('dupwatch_events_received_total'), quiet, 'no event');

    await cluster.query("UPDATE workflow.workflow_waits SET status = 'waiting'");
    assert.equal((await endOf(cluster, [run], 15_000)).get(run), 'completed');
    await daemon.until('nothing', async () => await daemon.metric('dupwatch_engine_table_rows') === 0);
  });
}
