// Many findings: what a person on call does with 500 fatal and 20,000 harmless ones, on a desk and on a phone; with 97,000 harmless
// ones, which is about all that findings.keep may hold, in ./test --full.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';
import { runCommand } from '../integration/daemon.mjs';
import { daemonFor, EVENTS, eventId, full, insertEvents, serverWithSchema } from '../integration/scene.mjs';
import { accessibilityProblems, openPage, startBrowser } from './browser.mjs';

const FATAL = 500;
const MILD_RUNS = full ? 9700 : 2000;
const MILD_STEPS = 10; // of each of them, each created twice
const MILD = MILD_RUNS * MILD_STEPS;
const PAGE = 100; // findings on a page of the list
const ARRIVING = 1600;
const said = (count) => count.toLocaleString('en-US');
const ALL = said(FATAL + MILD);
const MS = Number(process.env.DUPWATCH_PAGE_MS ?? 5000); // No aim, only an end to what is broken.

let written = 0; // runs
/** Runs with `steps` steps, each created twice: after its end for a fatal finding, before it for a harmless one. */
async function writeRuns(cluster, prefix, runs, steps, late) {
  const before = written;
  written += runs;
  await cluster.query(
    `INSERT INTO ${EVENTS} (run_id, type, correlation_id, id)
     SELECT $1 || lpad(run::text, 6, '0'), type, CASE WHEN type LIKE 'step%' THEN 'step_' || $1 || run || '_' || step END,
            'wevt_01K' || lpad((run + $5::int)::text, 8, '0') || CASE WHEN type LIKE 'run%' THEN '000' ELSE lpad(step::text, 3, '0') END || lpad(place::text, 12, '0')
     FROM generate_series(1, $2::int) run, generate_series(1, $3::int) step,
       (VALUES (1, 'run_created'), (2, 'step_created'), (CASE WHEN $4::bool THEN 4 ELSE 3 END, 'step_created'), (CASE WHEN $4::bool THEN 3 ELSE 4 END, 'step_completed')) event (place, type)
     WHERE type <> 'run_created' OR step = 1 ORDER BY run, step, place`, [prefix, runs, steps, late, before]);
}

/** A proxy that has the daemon at /tools/dupwatch/, as a cluster's ingress may. */
async function behindPath(t, base) {
  const { port } = new URL(base);
  const proxy = http.createServer((request, response) => {
    if (!request.url.startsWith('/tools/dupwatch/')) return response.writeHead(404).end();
    const onward = http.request({ port, host: '127.0.0.1', method: request.method, path: request.url.slice('/tools/dupwatch'.length), headers: { ...request.headers, host: 'localhost' } }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    return request.pipe(onward);
  });
  await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${proxy.address().port}/tools/dupwatch/`;
}

/** How long it takes from a change of the control to the drawn list that is the answer. */
const timeOf = (page, id, value) => page.evaluate(([control, wanted]) => new Promise((resolve) => {
  const began = performance.now();
  new MutationObserver((_, observer) => {
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
  }).observe(document.getElementById('shown'), { childList: true });
  document.getElementById(control).value = wanted;
  document.getElementById(control).dispatchEvent(new Event('change'));
}), [id, value]);

test(`500 fatal and ${said(MILD)} harmless findings can be worked through`, { timeout: 600_000 }, async (t) => {
  const cluster = await serverWithSchema(t, { settings: { shared_buffers: '128MB', max_wal_size: '2GB' } });
  const daemon = await daemonFor(t, cluster, { findings: { keep: full ? 100_000 : 30_000 } });
  await daemon.start();
  await writeRuns(cluster, 'wrun_fatal', FATAL, 1, true);
  await writeRuns(cluster, 'wrun_mild', MILD_RUNS, MILD_STEPS, false);
  await daemon.caughtUp(300_000);
  await daemon.until('all findings', async () => (await daemon.json('/api/findings?limit=1')).kept === FATAL + MILD, 60_000);
  const browser = await startBrowser(t);
  const { page, errors } = await openPage(browser, daemon.httpBase);
  const findings = page.locator('#findings .finding');
  const shown = (text) => page.locator('#shown', { hasText: text }).waitFor();
  await shown(`1 to ${PAGE} of ${ALL}, open fatal ones first`);

  await t.test('what is fatal is on the first screen, at once, on a desk and on a phone, light and dark', async () => {
    for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
      for (const colorScheme of ['light', 'dark']) {
        const opened = await openPage(browser, daemon.httpBase, { viewport, colorScheme });
        await opened.page.locator('#shown', { hasText: ` of ${ALL}` }).waitFor();
        await opened.page.locator('#link.live').waitFor();
        const paint = await opened.page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime);
        const listed = await opened.page.evaluate(() => performance.now());
        t.diagnostic(`${viewport.width} pixels, ${colorScheme}: first paint after ${paint.toFixed(0)} ms, the list within ${listed.toFixed(0)} ms`);
        assert.ok(paint < MS, `${paint} ms`);
        const first = opened.page.locator('#findings .finding').first();
        assert.match(await first.getAttribute('class'), /\bfatal\b/);
        const box = await first.boundingBox();
        assert.ok(box.y + box.height < viewport.height * 0.8, `the first finding ends at ${box.y + box.height} of ${viewport.height} pixels`);
        assert.equal(await opened.page.locator('#findings .finding:not(.fatal)').count(), 0, 'the first page is of fatal ones');
        assert.deepEqual(await accessibilityProblems(opened.page), [], `${viewport.width}, ${colorScheme}`);
        const { scroll, width } = await opened.page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, width: innerWidth }));
        assert.ok(scroll <= width, `${scroll} of ${width} pixels: it scrolls sideways`);
        assert.deepEqual(opened.errors, []);
        await opened.context.close();
      }
    }
  });

  await t.test('filters are quick, say what they hide, and are undone at once', async () => {
    const times = [];
    for (const [id, value, text] of [['severity', 'harmless', `of ${said(MILD)},`], ['severity', 'fatal', 'of 500,'], ['rule', 'orphan', ''], ['rule', '', 'of 500,'], ['severity', '', `of ${ALL},`]]) {
      times.push(await timeOf(page, id, value));
      if (text) await shown(text);
    }
    t.diagnostic(`filters: ${times.map((ms) => ms.toFixed(0)).join(', ')} ms from the choice to the drawn list`);
    assert.ok(Math.max(...times) < MS, `${times}`);
    await page.locator('#severity').selectOption('fatal');
    await page.locator('#hidden', { hasText: `${said(MILD)} hidden by the filters` }).waitFor();
    await page.locator('#clear').click();
    await shown(`of ${ALL},`);
    assert.equal(await page.locator('#hidden').textContent(), '');
    assert.equal(await page.locator('#clear').isVisible(), false);
  });

  await t.test('the commands list them at once, what is fatal first', async () => {
    const times = {};
    for (const [name, words] of Object.entries({ list: [], fatal: ['--severity', 'fatal', '--open'], json: ['-o', 'json'], 'by run': ['--severity', 'fatal', '--group-by', 'run'] })) {
      const began = performance.now();
      const listed = await runCommand(['findings', ...words, '--config', daemon.configFile, '--url', daemon.httpBase]);
      times[name] = performance.now() - began;
      assert.equal(listed.code, 0, listed.stderr);
      assert.match(listed.stdout, /fatal/, `${name}: ${listed.stdout.slice(0, 500)}`);
    }
    t.diagnostic(`dupwatch findings: ${Object.entries(times).map(([name, ms]) => `${name} ${ms.toFixed(0)}`).join(', ')} ms`);
    assert.ok(Math.max(...Object.values(times)) < MS, JSON.stringify(times));
    const all = JSON.parse((await runCommand(['findings', '-o', 'json', '--limit', '0', '--config', daemon.configFile, '--url', daemon.httpBase])).stdout);
    const ofFile = await runCommand(['findings', '--source', 'file', '--config', daemon.configFile]);
    assert.equal(/only the last 64 MiB of it were read/.test(ofFile.stderr), full, ofFile.stderr);
    assert.deepEqual([all.matched, all.findings.length, new Set(all.findings.map(({ finding_id: id }) => id)).size], [FATAL + MILD, FATAL + MILD, FATAL + MILD]);
  });

  await t.test('a run is found by a part of its id and of a correlation id, with its findings under one head', async () => {
    await page.locator('#search').fill('mild000123');
    await shown(`1 to ${MILD_STEPS} of ${MILD_STEPS},`);
    assert.equal(await page.locator('#findings > .group').count(), 1);
    assert.equal(await page.locator('#findings .counts').textContent(), `${MILD_STEPS} harmless`);
    await page.locator('#search').fill('step_wrun_mild77_3');
    await shown('1 to 1 of 1,');
    assert.equal(await page.locator('#findings .run').textContent(), 'wrun_mild000077');
    assert.equal(await page.locator('#findings .counts').textContent(), `${MILD_STEPS} harmless`, 'of the run, whatever the search hides');
    await page.locator('#clear').click();
    await shown(`of ${ALL},`);
  });

  await t.test('the keyboard alone: to a run, its timeline, and back; through the pages', async () => {
    await page.reload();
    await shown(`of ${ALL},`);
    await page.locator('body').press('Tab');
    await page.keyboard.press('Enter');
    for (let tabs = 0; tabs < 5; tabs += 1) await page.keyboard.press('Tab');
    const name = await page.locator(':focus').textContent();
    assert.match(name, /^wrun_fatal/);
    await page.keyboard.press('Enter');
    await page.locator('#run .track .mark.fault').first().waitFor();
    assert.equal(await page.locator('#run-title').textContent(), `Run ${name}`);
    await shown('1 to 1 of 1,');
    await page.goBack();
    await shown(`of ${ALL},`);
    const pages = new Set();
    for (let at = 1; at <= 6; at += 1) {
      for (const run of await page.locator('#findings .run').allTextContents()) pages.add(run);
      await page.locator('#next').focus();
      await page.keyboard.press('Enter');
      await shown(`${at * PAGE + 1} to ${(at + 1) * PAGE} of`);
      assert.equal(await page.locator(':focus').getAttribute('id'), 'findings-title');
    }
    assert.equal([...pages].filter((run) => run.startsWith('wrun_fatal')).length, FATAL, 'five pages hold every fatal one');
    await page.locator('#previous').click();
    await shown(`${5 * PAGE + 1} to ${6 * PAGE} of`);
    await page.reload();
    await shown(`1 to ${PAGE} of`);
  });

  await t.test('a link leads to one run, one finding and a filtered list, behind a path of a proxy too', async (t) => {
    const proxied = await behindPath(t, daemon.httpBase);
    const { findings: [finding] } = await daemon.json('/api/findings?search=fatal000321');
    for (const base of [`${daemon.httpBase}/`, proxied]) {
      const run = await openPage(browser, `${base}#run=${finding.run_id}`);
      await run.page.locator('#run .track .mark.fault').waitFor();
      assert.equal(await run.page.locator('#run-counts').textContent(), '1 fatal');
      assert.equal(await run.page.locator('#run .mark.canonical, #run .mark.fault, #run .mark.closing').count(), 6, 'three rows and the legend');
      await run.page.locator('#run .as-table summary').click();
      const cells = await run.page.locator('#run tbody tr').allTextContents();
      assert.deepEqual(cells.map((cell) => /Canonical|fault|Closing/.exec(cell)[0]).sort(), ['Canonical', 'Closing', 'fault']);
      assert.ok(cells.some((cell) => cell.includes(finding.duplicate.id)));
      assert.deepEqual(await accessibilityProblems(run.page), []);
      assert.deepEqual(run.errors, []);
      await run.context.close();

      const one = await openPage(browser, `${base}#finding=${finding.finding_id}`, { viewport: { width: 390, height: 844 } });
      await one.page.locator('#findings details[open] .story').waitFor();
      assert.equal(await one.page.locator('#findings .run').textContent(), finding.run_id);
      assert.ok((await one.page.locator('#findings details[open] summary').boundingBox()).y < 844, 'it is in view');
      assert.deepEqual(await accessibilityProblems(one.page), []);
      await one.context.close();

      const list = await openPage(browser, `${base}#severity=fatal&state=open&rule=${finding.rule}`);
      await list.page.locator('#shown', { hasText: 'of 500,' }).waitFor();
      assert.equal(await list.page.locator('#severity').inputValue(), 'fatal');
      assert.equal(await list.page.locator('#rule').inputValue(), finding.rule);
      await list.context.close();
    }
    // Opening one puts it into the address, so that a copied link leads back to it.
    await page.locator('#findings .finding summary').nth(3).click();
    assert.match(new URL(page.url()).hash, /^#finding=[0-9a-f]{16}$/);
    await page.reload();
    await page.locator('#findings details[open] .story').waitFor();
    for (const [hash, said] of [['#finding=00000000000000ff', /is not kept/], ['#severity=bad', /severity: expected one or more of fatal/]]) {
      const wrong = await openPage(browser, `${daemon.httpBase}/${hash}`);
      await wrong.page.locator('#refused', { hasText: said }).waitFor();
      await wrong.context.close();
    }
    const gone = await openPage(browser, `${daemon.httpBase}/#run=nothing`);
    await gone.page.locator('#run', { hasText: 'Nothing of this run is kept' }).waitFor();
    await gone.context.close();
    await page.goto(`${daemon.httpBase}/`);
    await shown(`of ${ALL},`);
  });

  await t.test('the export has what the filters show, all of it', async () => {
    await page.locator('#severity').selectOption('harmless');
    await shown(`of ${said(MILD)},`);
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#export').click()]);
    const lines = fs.readFileSync(await download.path(), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines.length, MILD);
    assert.equal(new Set(lines.map(({ finding_id: id }) => id)).size, MILD);
    assert.ok(lines.every(({ severity }) => severity === 'harmless'));
    const linked = await daemon.json(`/${await page.locator('#as-json').getAttribute('href')}`);
    assert.equal(linked.matched, MILD);
    await page.locator('#clear').click();
    await shown(`of ${ALL},`);
  });

  await t.test('while more arrive, the pages of the API miss none, and the list shows what is fatal at once', async () => {
    const seen = new Set();
    let cursor = '';
    let arriving = 0;
    do {
      const answer = await daemon.json(`/api/findings?limit=1000${cursor && `&cursor=${cursor}`}`);
      for (const { finding_id: id } of answer.findings) seen.add(id);
      cursor = answer.next;
      if (arriving < 8) await writeRuns(cluster, `wrun_more${arriving}_`, 20, MILD_STEPS, false);
      arriving += 1;
    } while (cursor);
    await daemon.caughtUp();
    let kept = 0;
    cursor = '';
    do {
      const answer = await daemon.json(`/api/findings?limit=10000${cursor && `&cursor=${cursor}`}`);
      for (const { run_id: run, finding_id: id } of answer.findings) if (!run.startsWith('wrun_more')) assert.ok(seen.has(id), id);
      kept += answer.findings.length;
      cursor = answer.next;
    } while (cursor);
    assert.equal(kept, FATAL + MILD + ARRIVING);
    await shown(`of ${said(FATAL + MILD + ARRIVING)},`);
    const step = { run: 'wrun_late', correlation: 'step_late' };
    await insertEvents(cluster, [{ run: 'wrun_late', type: 'run_created' }, { ...step, type: 'step_created' }, { ...step, type: 'step_completed' }]);
    await insertEvents(cluster, [{ ...step, type: 'step_created', id: eventId(99) }]);
    await page.locator('#findings > .group:first-child .run', { hasText: 'wrun_late' }).waitFor();
    await page.locator('#findings > .group:first-child .counts', { hasText: /^1 fatal$/ }).waitFor();
    await shown(`of ${said(FATAL + MILD + ARRIVING + 1)},`);
  });

  await t.test('neither the browser nor the daemon grows with what it has shown', async () => {
    const session = await page.context().newCDPSession(page);
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize } = await session.send('Runtime.getHeapUsage');
    const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
    const resident = Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8'))[1]) / 1024;
    t.diagnostic(`${(usedSize / 2 ** 20).toFixed(1)} MiB of script memory, ${nodes} elements, the daemon ${resident.toFixed(0)} MiB at the most`);
    assert.equal(await findings.count(), PAGE);
    assert.ok(usedSize < 32 * 2 ** 20 && nodes < 5000, `${usedSize}, ${nodes}`);
    assert.ok(resident < 400, `${resident} MiB`);
    assert.deepEqual(errors, []);
  });
});

test('the page says when older findings are no longer kept', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { findings: { keep: 5 } });
  await daemon.start();
  const browser = await startBrowser(t);
  const { page } = await openPage(browser, daemon.httpBase);
  await writeRuns(cluster, 'wrun_few', 1, 5, false);
  await page.locator('#shown', { hasText: '1 to 5 of 5' }).waitFor();
  assert.equal(await page.locator('#dropped').isVisible(), false);
  await writeRuns(cluster, 'wrun_many', 1, 3, true);
  await page.locator('#dropped', { hasText: 'no room for 3 beyond 5 (findings.keep)' }).waitFor();
  await page.locator('#shown', { hasText: '1 to 5 of 5' }).waitFor();
  assert.equal(await page.locator('#findings .finding.fatal').count(), 3);
});
