// Acknowledging on the page: with a comment, by the keyboard alone, refused where the daemon refuses, and shown to everybody at
// once; the runbooks as people see them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daemonFor, eventId, insertEvents, serverWithSchema } from '../integration/scene.mjs';
import { freePort } from '../postgres/cluster.mjs';
import { accessibilityProblems, openPage, startBrowser } from './browser.mjs';

const RUN = 'wrun_01KRPCM1M08Q2V5D6HXK3T9WNB';
const STEP = 'step_01KRPCM4XQ7C9E2TB5GAMXJ4R6';
const TYPES = ['run_created', 'run_started', 'step_created', 'step_started', 'step_completed', 'step_created'];

async function scene(t, config) {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, config);
  await daemon.start();
  await insertEvents(cluster, TYPES.map((type, order) => ({ run: RUN, type, correlation: type.startsWith('step') ? STEP : null, id: eventId(order) })));
  return daemon;
}

test('a finding is acknowledged on the page, by keyboard, light and dark, on a phone too', { timeout: 120_000 }, async (t) => {
  const daemon = await scene(t);
  const browser = await startBrowser(t);
  const { page, errors } = await openPage(browser, daemon.httpBase);
  const other = await openPage(browser, daemon.httpBase, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
  const first = page.locator('#findings .finding').first();
  await first.locator('summary').click();
  await first.getByRole('button', { name: 'Acknowledge' }).focus();
  await page.keyboard.press('Enter');
  assert.equal(await page.locator(':focus').getAttribute('name'), 'comment', 'the form has the focus');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.querySelector('.acknowledge').checkValidity()), false, 'not without a comment');
  assert.deepEqual(await accessibilityProblems(page), []);
  await page.keyboard.type('<b>fixed</b> in "42"');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.type('alice');
  await page.keyboard.press('Enter');

  for (const { page: shown } of [{ page }, other]) {
    const item = shown.locator('#findings .finding.past').first();
    await item.waitFor();
    if (!(await item.locator('details').getAttribute('open').then((open) => open !== null))) await item.locator('summary').click();
    assert.match(await item.locator('.said > p').textContent(), /^Acknowledged by alice until \d{4}-.* UTC: <b>fixed<\/b> in "42"$/);
    assert.equal(await item.locator('.said b').count(), 0);
    await shown.locator('#open', { hasText: '1 acknowledged' }).waitFor();
    await shown.locator('#verdict.ok').waitFor();
    assert.deepEqual(await accessibilityProblems(shown), []);
  }
  const { scroll, width } = await other.page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, width: innerWidth }));
  assert.ok(scroll <= width, 'it scrolls sideways');

  await first.getByRole('button', { name: 'Take back' }).click();
  await page.locator('#findings .finding.fatal').waitFor();
  await page.locator('#verdict.fatal').waitFor();
  assert.deepEqual(errors, []);
});

test('where the network reaches the daemon without a password, the page says why it is refused', { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const daemon = await scene(t, { http: { listen: `0.0.0.0:${port}` } });
  const browser = await startBrowser(t);
  const { page } = await openPage(browser, `http://127.0.0.1:${port}`);
  const first = page.locator('#findings .finding').first();
  await first.locator('summary').click();
  await first.getByRole('button', { name: 'Acknowledge' }).click();
  await first.locator('[name=comment]').fill('known');
  await first.getByRole('button', { name: 'Acknowledge' }).click();
  await first.locator('.refused', { hasText: 'set http.basic_auth' }).waitFor();
  daemon.httpBase = `http://127.0.0.1:${port}`;
  assert.equal((await daemon.json('/api/findings')).findings[0].state, 'open');
});

test('a runbook can be read by everybody, and leads back to the findings', { timeout: 120_000 }, async (t) => {
  const daemon = await scene(t);
  const browser = await startBrowser(t);
  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
      const { page, context, errors } = await openPage(browser, `${daemon.httpBase}/runbooks/DupwatchNotReady`, { colorScheme, viewport, javaScriptEnabled: true });
      assert.deepEqual(await accessibilityProblems(page), [], `${colorScheme}, ${viewport.width}`);
      const { scroll, width } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, width: innerWidth }));
      assert.ok(scroll <= width, `${scroll} of ${width} pixels: it scrolls sideways`);
      await page.getByRole('link', { name: 'All runbooks' }).click();
      await page.getByRole('link', { name: 'DupwatchFatalFindings' }).click();
      assert.equal(await page.locator('h1').textContent(), 'DupwatchFatalFindings');
      await page.getByRole('link', { name: 'Findings', exact: true }).click();
      await page.locator('#findings .finding').first().waitFor();
      assert.deepEqual(errors, []);
      await context.close();
    }
  }
});
