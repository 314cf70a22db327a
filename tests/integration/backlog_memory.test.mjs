// A backlog larger than what fits into memory, over runs that are all read back, with an index that holds few of them: what waits,
// waits in the server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENTS, assertTruth, daemonFor, serverWithSchema } from './scene.mjs';

const RUNS = 50_000;
const MESSAGE_BYTES = 500;

test('a backlog that is read slowly is not kept in the daemon', { timeout: 180_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json' }, index: { memory_max: '64KiB' }, baseline: 'none' });
  await cluster.query(`INSERT INTO ${EVENTS} (id, run_id, type, correlation_id)
    SELECT 'wevt_' || lpad((n * 10 + part)::text, 26, '0'), 'wrun_' || lpad(n::text, 26, '0'), type, CASE WHEN part > 0 THEN 'step_' || lpad(n::text, 26, '0') END
    FROM generate_series(1, ${RUNS}) n, (VALUES (0, 'run_created'), (1, 'step_created'), (2, 'step_started')) AS events(part, type)`);
  await daemon.start();
  await daemon.stop();
  const lines = daemon.lines.length;
  // One event of each run, of one in fifty a second step_created.
  await cluster.query(`INSERT INTO ${EVENTS} (id, run_id, type, correlation_id)
    SELECT 'wevt_' || lpad((n * 10 + 5)::text, 26, '0'), 'wrun_' || lpad(n::text, 26, '0'), CASE WHEN n % 50 = 0 THEN 'step_created' ELSE 'step_completed' END,
           'step_' || lpad(n::text, 26, '0') FROM generate_series(1, ${RUNS}) n ORDER BY md5(n::text)`);
  await daemon.start({ ready: false });
  await daemon.line('stream', (line) => line.event === 'streaming', { from: lines });
  await assertTruth(daemon, { atLeast: RUNS / 50, timeoutMs: 120_000 });
  const peak = daemon.peakMemory() / 2 ** 20;
  const stream = await daemon.metric('dupwatch_stream_received_bytes_total') / 2 ** 20;
  assert.ok(stream > (RUNS * MESSAGE_BYTES) / 2 ** 20, `the stream had only ${stream.toFixed(0)} MiB`);
  assert.ok(peak < 32, `the daemon held ${peak.toFixed(0)} MiB at most while ${stream.toFixed(0)} MiB came`);
});
