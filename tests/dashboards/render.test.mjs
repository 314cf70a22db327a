// The panels drawn by Grafana's own components in Chromium, from what a real Prometheus has about the real daemon. Its
// packages are large (render/package.json), so it runs in ./test --full alone. UPDATE_PICTURES=1 renews the pictures.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DASHBOARDS } from '../../dashboards/generate.mjs';
import { scratch } from '../alerts/promtool.mjs';
import { full } from '../integration/scene.mjs';
import { takePicture } from '../page/picture.mjs';
import { fill, findSome, scene, scrapes } from './dashboards.mjs';

const folder = fileURLToPath(new URL('render/', import.meta.url));
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const pictures = new URL('../../dashboards/pictures/', import.meta.url);
const SHOWN_MAX = 60; // seconds

/** Bundles render/panels.jsx into one script and its style; returns {script, style}. */
function bundle(target) {
  const args = ['panels.jsx', '--bundle', '--format=iife', '--jsx=automatic', '--minify', '--define:process.env.NODE_ENV="production"',
    '--define:global=window', '--main-fields=browser,module,main', ...['svg', 'woff2', 'png', 'ttf'].map((type) => `--loader:.${type}=dataurl`),
    // The CommonJS builds: in the others some default imports of old packages are the whole module.
    ...['ui', 'data'].map((name) => `--alias:@grafana/${name}=${modules}/@grafana/${name}/dist/cjs/index.cjs`), `--outfile=${target}/panels.js`];
  const { status, stderr } = spawnSync(`${modules}/.bin/esbuild`, args, { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const read = (name) => fs.readFileSync(path.join(target, name), 'utf8');
  return { script: read('panels.js'), style: read('panels.css') };
}

/** What Prometheus answers to each panel's queries about the last `seconds`: {panel id: [series of a query, ...]}. */
async function answersTo(prometheus, dashboard, seconds) {
  const answers = {};
  for (const panel of dashboard.panels.filter(({ type }) => type !== 'row')) {
    answers[panel.id] = [];
    for (const { expr, instant } of panel.targets) {
      answers[panel.id].push(instant ? await prometheus.query(fill(expr)) : await prometheus.range(fill(expr), seconds));
    }
  }
  return answers;
}

async function draw(browser, { script, style }, dashboard, answers, shownSeconds) {
  const height = 30 * Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
  const page = await browser.newPage({ viewport: { width: 1200, height } });
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  const look = '*{box-sizing:border-box} body{margin:0;background:#111217;color:#ccccdc;font:14px sans-serif} button{color:inherit}';
  // An address of its own, for the components ask for localStorage; nothing is asked of a network.
  await page.route('http://dashboards.test/', (route) => route.fulfill({
    contentType: 'text/html', body: `<!doctype html><style>${style}</style><style>${look}</style><div id="root"></div>`,
  }));
  await page.goto('http://dashboards.test/');
  await page.evaluate(([shown, given, seconds]) => {
    Object.assign(window, { dashboard: shown, answers: given, times: [Date.now() - seconds * 1000, Date.now()] });
  }, [dashboard, answers, shownSeconds]);
  await page.addScriptTag({ content: script });
  assert.deepEqual(errors, []);
  await page.evaluate(() => window.draw());
  await page.waitForFunction((count) => document.querySelectorAll('.panel').length === count, Object.keys(answers).length, { timeout: 120_000 });
  // Every timeseries has its canvas when it is drawn.
  const canvases = dashboard.panels.filter(({ type }) => type === 'timeseries').length;
  await page.waitForFunction((count) => document.querySelectorAll('.panel canvas').length >= count, canvases, { timeout: 120_000 });
  return { page, errors };
}

for (const state of ['idle', 'after findings']) {
  test(`Grafana's components draw every panel, ${state}`, { skip: !full && 'only in ./test --full', timeout: 900_000 }, async (t) => {
    const { chromium } = createRequire(path.join(folder, 'package.json'))('playwright-core');
    const parts = bundle(scratch(t));
    const all = await scene(t);
    const began = Date.now();
    if (state === 'after findings') {
      for (let burst = 0; burst < 5; burst += 1) {
        await findSome(all, 4 + burst, burst * 100);
        await sleep(3000); // So that the pictures have a course to show.
      }
    }
    await scrapes(all.prometheus, 3);
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'], timeout: 120_000,
    });
    t.after(() => browser.close());
    for (const [file, dashboard] of Object.entries(DASHBOARDS)) {
      const shown = Math.min(SHOWN_MAX, (Date.now() - began) / 1000);
      const { page, errors } = await draw(browser, parts, dashboard, await answersTo(all.prometheus, dashboard, shown), shown);
      if (process.env.UPDATE_PICTURES && state === 'after findings') {
        const name = fileURLToPath(new URL(file.replace('.json', '.png'), pictures));
        await takePicture(page, name);
      }
      assert.deepEqual(errors, []);
      const drawn = await page.evaluate(() => window.drawn);
      for (const { id, title, type } of dashboard.panels) {
        if (type === 'row') continue;
        assert.ok(drawn[id] > 0, `${file}: ${title} has no frame`);
        const text = await page.locator(`.panel[data-id="${id}"]`).innerText();
        assert.ok(text.includes(title), `${file}: ${title}: ${text}`);
        assert.doesNotMatch(text, /no data|NaN|undefined|unable/i, `${file}: ${title}`);
        if (type !== 'timeseries') assert.ok(text.replace(title, '').trim(), `${file}: ${title} is empty`);
      }
      await page.close();
    }
  });
}
