// The live page in a browser: what a person on call sees, with a keyboard, a screen reader or a phone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daemonFor, EVENTS, eventId, insertEvents, serverWithSchema } from '../integration/scene.mjs';
import { accessibilityProblems, openPage, startBrowser } from './browser.mjs';

/** A run with a step that two workers completed: `order` decides whether the second row is read before the first. */
async function duplicate(cluster, run, correlation = `step_${run}`) {
  await insertEvents(cluster, [
    { run, type: 'run_created' },
    { run, type: 'run_started' },
    { run, type: 'step_created', correlation },
    { run, type: 'step_started', correlation },
    { run, type: 'step_completed', correlation },
  ]);
  await insertEvents(cluster, [{ run, type: 'step_created', correlation, id: eventId(9) }]);
}

const HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202E\u0627\u0644\u0639\u0631\u0628\u064A\u0629 \'`${x}';
// A direction mark is spelt out.
const SHOWN = HOSTILE.replaceAll('\u202e', '\\u202e');

test('the page shows findings as they commit, is told of trouble, and can be used by everybody', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const browser = await startBrowser(t);
  const { page, requests, errors } = await openPage(browser, daemon.httpBase);
  const sentence = page.locator('#sentence');
  const findings = page.locator('#findings .finding');

  await t.test('a healthy daemon is called so, with since when', async () => {
    await page.locator('#link.live').waitFor();
    await page.locator('#verdict.ok').waitFor();
    assert.match(await sentence.textContent(), /^Watching since \d{4}-\d\d-\d\d \d\d:\d\d UTC, coverage complete, 0 fatal findings\.$/);
    assert.equal(await findings.count(), 0);
    assert.equal(await page.locator('#none').textContent(), 'None so far. A duplicate shows here within a second of its commit.');
  });

  await t.test('a finding appears without a reload, and its story opens', async () => {
    await insertEvents(cluster, [{ run: 'wrun_warm', type: 'run_created' }]);
    await daemon.caughtUp();
    const seen = page.locator('#findings .run', { hasText: 'wrun_first' }).waitFor();
    await duplicate(cluster, 'wrun_first');
    const committed = performance.now();
    await seen;
    t.diagnostic(`from the commit to the page: ${(performance.now() - committed).toFixed(0)} ms`);
    await page.locator('#verdict.fatal').waitFor();
    assert.match(await sentence.textContent(), /^1 fatal finding: its run will fail on its next replay\. Watching since /);
    await findings.first().locator('summary').click();
    assert.equal(await findings.first().locator('code').first().textContent(), 'dupwatch explain wrun_first');
    assert.match(await findings.first().locator('code').last().textContent(), /^dupwatch quarantine apply wrun_first [0-9a-f]{16}$/);
    assert.equal(await findings.first().locator('.rows > li').count(), 3);
    assert.match(await page.locator('#news').textContent(), /^fatal finding: .* in run wrun_first$/);
  });

  await t.test('what rows hold is shown as text', async () => {
    await duplicate(cluster, `wrun_${HOSTILE}`, HOSTILE);
    await page.locator('#findings .run', { hasText: SHOWN }).waitFor();
    await findings.first().locator('summary').click();
    assert.equal(await page.locator('#findings .run').first().textContent(), `wrun_${SHOWN}`);
    assert.equal((await findings.first().locator('.story bdi').first().textContent()), SHOWN);
    await page.locator('#findings .run').first().click();
    await page.locator('#run .track .mark.fault').first().waitFor();
    assert.equal(await page.locator('#run-title').textContent(), `Run wrun_${SHOWN}`);
    assert.equal(await page.locator('#run .lane-name').first().textContent(), SHOWN);
    assert.equal(await page.locator('#run script, #run img').count(), 0);
    await page.goBack();
    await page.locator('#run').waitFor({ state: 'hidden' });
    assert.equal(await page.locator('#findings script, #findings img').count(), 0);
    await page.reload();
    await page.locator('#findings .run', { hasText: SHOWN }).waitFor();
    assert.equal(await page.locator('#findings script, #findings img').count(), 0);
    // The shell alone, as the server writes it.
    const bare = await openPage(browser, daemon.httpBase, { javaScriptEnabled: false });
    assert.equal(await bare.page.locator('#findings .run').first().textContent(), `wrun_${SHOWN}`);
    assert.equal(await bare.page.locator('#findings script, #findings img').count(), 0);
    await bare.context.close();
  });

  await t.test('the keyboard reaches everything, and where it is can be seen', async () => {
    await page.goto(daemon.httpBase);
    await page.locator('#link.live').waitFor();
    await page.locator('body').press('Tab');
    assert.equal(await page.locator(':focus').textContent(), 'Skip to the findings');
    await page.keyboard.press('Enter');
    assert.equal(await page.locator(':focus').getAttribute('id'), 'findings-title');
    for (const id of ['search', 'severity', 'rule', 'state']) {
      await page.keyboard.press('Tab');
      assert.equal(await page.locator(':focus').getAttribute('id'), id);
    }
    await page.keyboard.press('Tab');
    assert.equal(await page.locator(':focus').textContent(), `wrun_${SHOWN}`, 'the run of the first finding');
    await page.keyboard.press('Tab');
    const outline = await page.locator(':focus').evaluate((node) => [node.tagName, getComputedStyle(node).outlineStyle]);
    assert.deepEqual(outline, ['SUMMARY', 'solid']);
    await page.keyboard.press('Enter');
    await page.locator('#findings > li:first-child .finding:first-child details[open] .story').waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.locator(':focus').getAttribute('aria-label'), 'Copy the command');
  });

  await t.test('axe finds nothing wrong, light and dark, wide and narrow', async () => {
    for (const colorScheme of ['light', 'dark']) {
      for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.setViewportSize(viewport);
        assert.deepEqual(await accessibilityProblems(page), [], `${colorScheme}, ${viewport.width}`);
        const { scroll, width } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, width: innerWidth }));
        assert.ok(scroll <= width, `${scroll} of ${width} pixels: it scrolls sideways`);
      }
    }
  });

  await t.test('every verdict has room around its sentence and a mark of its own', async () => {
    const looks = await page.evaluate(() => ['ok', 'findings', 'fatal', 'blind'].map((level) => {
      const verdict = document.getElementById('verdict');
      const before = verdict.className;
      verdict.className = `verdict ${level}`;
      const { left, top } = verdict.getBoundingClientRect();
      const inner = document.getElementById('lead').getBoundingClientRect();
      const look = { level, left: inner.left - left, top: inner.top - top, mark: getComputedStyle(document.getElementById('sentence'), '::before').content };
      verdict.className = before;
      return look;
    }));
    for (const { level, left, top } of looks) assert.ok(left >= 16 && top >= 8, `${level}: ${left}, ${top}`);
    assert.equal(new Set(looks.map(({ mark }) => mark)).size, looks.length, JSON.stringify(looks));
  });

  await t.test('the filters leave open fatal findings alone, say what they hide, and say so when there is none', async () => {
    await insertEvents(cluster, [{ run: 'wrun_mild', type: 'run_created' }, { run: 'wrun_mild', type: 'run_created' }]);
    await page.locator('#findings .run', { hasText: 'wrun_mild' }).waitFor();
    assert.equal(await findings.count(), 3);
    await page.locator('#severity').selectOption('fatal');
    await page.locator('#state').selectOption('open');
    await page.locator('#hidden', { hasText: /^1 hidden by the filters$/ }).waitFor();
    assert.equal(await findings.count(), 2);
    assert.equal(new URL(page.url()).hash, '#severity=fatal&state=open');
    await insertEvents(cluster, ['wrun_first', `wrun_${HOSTILE}`].map((run) => ({ run, type: 'run_completed', id: eventId(99) })));
    await page.locator('#none', { hasText: 'No finding matches the filters.' }).waitFor();
    await page.locator('#hidden', { hasText: /^3 hidden by the filters$/ }).waitFor();
    assert.equal(await findings.count(), 0);
    await page.locator('#verdict.findings').waitFor();
    await page.locator('#clear').click();
    await findings.nth(2).waitFor();
    assert.equal(await page.locator('#hidden').textContent(), '');
    assert.equal(new URL(page.url()).hash, '');
    await duplicate(cluster, 'wrun_second');
    await page.locator('#verdict.fatal').waitFor();
  });

  await t.test('blindness is never shown as health', async () => {
    await cluster.stop();
    await page.locator('#verdict.blind', { hasText: 'Not watching: not streaming' }).waitFor();
    assert.deepEqual(await page.evaluate(() => ['link', 'lag', 'coverage'].map((id) => document.getElementById(id).textContent)), ['Connected, not watching', 'unknown', 'interrupted']);
    assert.equal(await page.locator('#link.live').count(), 0);
    await cluster.start();
    await page.locator('#verdict.fatal').waitFor();
    await daemon.stop();
    await page.locator('#verdict.blind', { hasText: 'dupwatch is not responding' }).waitFor();
    assert.deepEqual(await page.evaluate(() => ['link', 'lag'].map((id) => document.getElementById(id).textContent)), ['No answer', 'unknown']);
  });

  await t.test('nothing is asked of another origin, and nothing goes wrong in the script', () => {
    const outside = requests.filter((url) => !url.startsWith(daemon.httpBase));
    assert.deepEqual(outside, []);
    // The browser's own words for requests that nobody answered: the daemon was stopped above.
    assert.deepEqual(errors.filter((text) => !/ERR_CONNECTION_REFUSED|ERR_SOCKET_NOT_CONNECTED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/.test(text)), []);
  });
});

test('an empty list is never taken for a clean log', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const browser = await startBrowser(t);
  const { page } = await openPage(browser, daemon.httpBase);
  await page.locator('#link.live').waitFor();
  await cluster.stop();
  const none = page.locator('#none', { hasText: 'None is known, but dupwatch is not watching' });
  await none.waitFor();
  assert.equal(await page.locator('#link.live').count(), 0);
  // The shell says the same before its script has run.
  const bare = await openPage(browser, daemon.httpBase, { javaScriptEnabled: false });
  assert.match(await bare.page.locator('#none').textContent(), /dupwatch is not watching/);
  daemon.child.kill('SIGSTOP');
  try {
    await page.locator('#link.lost', { hasText: 'No answer' }).waitFor();
    await page.locator('#none', { hasText: 'None is known, but dupwatch does not answer.' }).waitFor();
  } finally {
    daemon.child.kill('SIGCONT');
  }
  await none.waitFor();
});

test('what is stuck beside the log stands on the page with what to do', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { recheck: { interval: '300ms' } });
  await daemon.start();
  const browser = await startBrowser(t);
  const { page, errors } = await openPage(browser, daemon.httpBase);
  await page.locator('#link.live').waitFor();
  const section = page.locator('#engine-tables');
  assert.equal(await section.isVisible(), false);
  await cluster.query("INSERT INTO workflow.workflow_waits (wait_id, run_id, status) VALUES ('wrun_1-<b>', 'wrun_1', 'completed')");
  await section.waitFor();
  assert.deepEqual(await section.locator('td').allTextContents(), ['wrun_1', 'wrun_1-<b>',
    'a wait is completed and the log has no wait_completed: its run is woken again and again', 'cancel the run, or set the wait back to waiting']);
  assert.deepEqual(await accessibilityProblems(page), []);
  await cluster.query('DELETE FROM workflow.workflow_waits');
  await section.waitFor({ state: 'hidden' });
  const [answer] = await Promise.all([page.waitForResponse(/runbooks\/DupwatchEngineTables$/), page.goto(`${daemon.httpBase}/runbooks/DupwatchEngineTables`)]);
  assert.equal(answer.status(), 200);
  assert.deepEqual(errors, []);
});

test('of a table that dupwatch takes nothing out of, a finding says how its SQL is made', async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.query(`ALTER TABLE ${EVENTS} ADD COLUMN tenant_id text NOT NULL DEFAULT 'acme'; CREATE INDEX ON ${EVENTS} (tenant_id, run_id)`);
  const daemon = await daemonFor(t, cluster, { engine: 'v4', table: { scope_columns: ['tenant_id'] } });
  await daemon.start();
  await duplicate(cluster, 'wrun_1');
  const browser = await startBrowser(t);
  const { page, errors } = await openPage(browser, daemon.httpBase);
  const finding = page.locator('#findings .finding').first();
  await finding.locator('summary').click();
  assert.equal(await finding.locator('code').last().textContent(), 'dupwatch explain --repair-plan repair.sql acme/wrun_1');
  const notes = await finding.locator('.note').allTextContents();
  assert.ok(notes.includes('For the SQL that takes the row out of the log and keeps it; a person runs it:'), notes.join('; '));
  assert.deepEqual(errors, []);
});
