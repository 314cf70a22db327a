// A long day: 100,000 runs and 1,000 findings. What is exported does not grow, and the page stays as quick as it was.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { clientFor } from '../integration/request.mjs';
import { assertTruth, daemonFor, EVENTS, eventId, insertEvents, serverWithSchema } from '../integration/scene.mjs';
import { openPage, startBrowser } from './browser.mjs';

const RUNS = 100_000;
const PIECE = 10_000;
const KEPT = 1000; // findings.keep
const ROWS = 100; // of the page

/** Runs number `from` to `to` with a step each; every 100th has its step created twice, every 200th after its end. */
async function writeRuns(cluster, from, to) {
  await cluster.query(
    `INSERT INTO ${EVENTS} (run_id, type, correlation_id, id)
     SELECT 'wrun_' || run, type, CASE WHEN type LIKE 'step%' THEN 'step_' || run END, 'wevt_01K' || lpad(run::text, 11, '0') || lpad(place::text, 12, '0')
     FROM generate_series($1::int, $2::int) run,
       (VALUES (1, 'run_created', 1, 0), (2, 'step_created', 1, 0), (3, 'step_created', 200, 100), (4, 'step_started', 1, 0),
               (5, 'step_completed', 1, 0), (6, 'step_created', 200, 0)) event (place, type, every, rest)
     WHERE run % every = rest ORDER BY run, place`, [from, to]);
}

/** Names and labels of all series. */
const seriesOf = async (daemon) => (await (await daemon.fetch('/metrics')).text()).split('\n').filter((line) => line && !line.startsWith('#')).map((line) => line.slice(0, line.lastIndexOf(' '))).sort();

function residentMiB(daemon, name) {
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(fs.readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8'))[1]) / 1024;
}

/** What /api/events sends within `ms` to who says that it had `lastEventId`. */
function catchUp(daemon, lastEventId, ms) {
  return new Promise((resolve, reject) => {
    let text = '';
    const request = clientFor(daemon.httpBase).get(`${daemon.httpBase}/api/events`, { headers: { 'Last-Event-ID': lastEventId }, agent: false }, (response) => {
      response.setEncoding('utf8').on('data', (data) => { text += data; });
      response.on('error', () => {});
      setTimeout(() => {
        request.destroy();
        resolve(text);
      }, ms);
    });
    request.on('error', (error) => (error.code === 'ECONNRESET' ? undefined : reject(error)));
  });
}

test('100,000 runs and 1,000 findings', { timeout: 600_000 }, async (t) => {
  const cluster = await serverWithSchema(t, { settings: { shared_buffers: '128MB', max_wal_size: '4GB' } });
  const daemon = await daemonFor(t, cluster, { findings: { keep: KEPT, log_rate_max: 60 } });
  await daemon.start();
  // Series that are there once the server was asked (config/METRICS.md).
  for (const name of ['dupwatch_slot_retained_wal_bytes', 'dupwatch_schema_release']) {
    await daemon.until(name, async () => (await daemon.metric(name)) !== undefined);
  }
  const browser = await startBrowser(t);
  const began = { series: await seriesOf(daemon), memory: residentMiB(daemon, 'VmRSS') };

  // The page is open all the while; whatever blocks it for more than 50 ms is told.
  const { page, errors } = await openPage(browser, daemon.httpBase);
  await page.locator('#link.live').waitFor();
  await page.evaluate(() => {
    window.blocked = [];
    new PerformanceObserver((list) => window.blocked.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
  });
  const start = performance.now();
  for (let run = 1; run <= RUNS; run += PIECE) await writeRuns(cluster, run, run + PIECE - 1);
  const written = performance.now();
  await daemon.caughtUp(300_000);
  const caught = performance.now();
  await daemon.until('1,000 findings', async () => (await daemon.metric('dupwatch_findings_total')) === RUNS / 100);
  await page.locator('#shown', { hasText: `1 to ${ROWS} of 1,000, open fatal ones first` }).waitFor();
  const blocked = await page.evaluate(() => window.blocked);
  t.diagnostic(`${RUNS} runs in ${((written - start) / 1000).toFixed(1)} s, judged ${((caught - written) / 1000).toFixed(1)} s later; the page was never blocked for more than ${Math.max(0, ...blocked).toFixed(0)} ms`);
  assert.ok(Math.max(0, ...blocked) < 500, `the page was blocked for ${blocked} ms`);
  assert.equal(await page.locator('#findings .finding').count(), ROWS);

  await t.test('the findings are those of the table', () => assertTruth(daemon, { atLeast: 1000, caughtUp: false }));

  await t.test('series and memory', async () => {
    const after = { series: await seriesOf(daemon), memory: residentMiB(daemon, 'VmRSS'), peak: residentMiB(daemon, 'VmHWM') };
    t.diagnostic(`series ${began.series.length} and ${after.series.length}; dupwatch ${began.memory.toFixed(0)} MiB before, ${after.memory.toFixed(0)} MiB after, ${after.peak.toFixed(0)} MiB at the most`);
    // There only while WAL accumulates (config/METRICS.md), whatever the findings.
    const lasting = (series) => series.filter((name) => !name.startsWith('dupwatch_slot_time_to_lost_seconds'));
    assert.deepEqual(lasting(after.series), lasting(began.series));
    assert.ok(after.series.length <= 450);
    assert.ok(after.peak < 256, `${after.peak} MiB`);
  });

  await t.test('what the API answers is bounded', async () => {
    const sizes = {};
    for (const where of ['/', '/api/status', '/api/history', '/api/findings', `/api/findings?limit=${KEPT}`, '/metrics']) {
      const before = performance.now();
      const answer = await daemon.fetch(where);
      const { length } = await answer.text();
      sizes[where] = `${Math.ceil(length / 1024)} KiB in ${(performance.now() - before).toFixed(0)} ms`;
      assert.equal(answer.status, 200, where);
      assert.ok(length < 2 ** 21, `${where}: ${length} bytes`);
    }
    t.diagnostic(JSON.stringify(sizes));
    assert.equal((await daemon.fetch(`/api/findings?limit=${KEPT + 1}`)).status, 400);
    const { findings, total } = await daemon.json(`/api/findings?limit=${KEPT}`);
    assert.deepEqual([findings.length, total], [KEPT, 1000]);
    // Of a long absence the events tell what is kept, or that the list is to be read anew.
    const fresh = await catchUp(daemon, '', 300);
    const [, origin] = /^id: (\w+)-\d+$/m.exec(fresh);
    const missed = await catchUp(daemon, `${origin}-1`, 1500);
    assert.ok(missed.includes('event: list') || missed.match(/^event: finding$/gm).length <= KEPT);
    t.diagnostic(`who was away for all of it is sent ${Math.ceil(missed.length / 1024)} KiB`);
    assert.ok(missed.length < 2 ** 21);
  });

  await t.test('a page opened now is quick', async () => {
    const before = performance.now();
    const opened = await openPage(browser, daemon.httpBase);
    await opened.page.locator('#link.live').waitFor();
    await opened.page.locator('#findings time').nth(ROWS - 1).waitFor({ state: 'attached' });
    const loaded = performance.now() - before;
    const session = await opened.context.newCDPSession(opened.page);
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize } = await session.send('Runtime.getHeapUsage');
    const filter = await opened.page.evaluate(() => new Promise((resolve) => {
      const at = performance.now();
      new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - at)))).observe(document.getElementById('hidden'), { childList: true });
      document.getElementById('severity').value = 'fatal';
      document.getElementById('severity').dispatchEvent(new Event('change'));
    }));
    const fatal = await opened.page.locator('#findings .finding.fatal').count();
    const scroll = await opened.page.evaluate(() => new Promise((resolve) => {
      const at = performance.now();
      scrollTo(0, document.body.scrollHeight);
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - at)));
    }));
    t.diagnostic(`page: loaded with ${ROWS} rows in ${loaded.toFixed(0)} ms, filtered to ${fatal} in ${filter.toFixed(0)} ms, scrolled to its end in ${scroll.toFixed(0)} ms, ${(usedSize / 2 ** 20).toFixed(1)} MiB of script memory`);
    assert.ok(loaded < 10_000 && filter < 2000 && scroll < 2000, `${loaded}, ${filter}, ${scroll}`);
    assert.equal(fatal, ROWS, 'open fatal findings are shown before all others');
    assert.ok(usedSize < 32 * 2 ** 20);
    await opened.context.close();
  });

  await t.test('a new finding comes to the page by itself', async () => {
    const delays = [];
    for (let round = 0; round < 10; round += 1) {
      const run = `wrun_late_${round}`;
      const step = { run, correlation: 'step_1' };
      await insertEvents(cluster, [{ run, type: 'run_created', id: eventId(RUNS + 1) }, ...['step_created', 'step_completed'].map((type) => ({ ...step, type, id: eventId(RUNS + 1) }))]);
      await daemon.caughtUp();
      const seen = page.locator('#findings .run', { hasText: run }).waitFor({ timeout: 10_000 });
      await insertEvents(cluster, [{ ...step, type: 'step_created', id: eventId(RUNS + 2) }]);
      const committed = performance.now();
      await seen;
      delays.push(performance.now() - committed);
    }
    delays.sort((a, b) => a - b);
    t.diagnostic(`commit to page: median ${delays[5].toFixed(0)} ms, maximum ${delays.at(-1).toFixed(0)} ms`);
    assert.deepEqual(errors, []);
  });
});
