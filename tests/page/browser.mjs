// Debian's Chromium with a page that records what it asks for.
import fs from 'node:fs';
import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** One browser, closed at the end of test `t`. */
export async function startBrowser(t) {
  const browser = await chromium.launch({
    executablePath: EXECUTABLE,
    // Root has no user namespace sandbox in a container; the page under test is our own.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    timeout: 120_000,
  });
  t.after(() => browser.close());
  return browser;
}

/** A page of its own context at `url`; `requests` are the addresses it asked for, `errors` what its console said. */
export async function openPage(browser, url, options = {}) {
  // Over TLS the authority is one of the test; that certificates are what they should be is tested by others.
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ignoreHTTPSErrors: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const requests = [];
  const errors = [];
  context.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('dialog', (dialog) => {
    errors.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(url);
  return { page, context, requests, errors };
}

const axeSource = fs.readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

/** What axe-core finds wrong; the rules of WCAG 2.2 A and AA and its best practices. */
export async function accessibilityProblems(page) {
  // By the debugger's own evaluation: the page's policy allows no script but its own.
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, nodes: nodes.map(({ html, failureSummary }) => `${html}: ${failureSummary}`) }));
}
