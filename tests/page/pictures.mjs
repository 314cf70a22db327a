// node pictures.mjs FOLDER: pictures of the page with findings of the real writers, for a person to look at.
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { daemonFor, eventId, insertEvents, race, serverWithSchema } from '../integration/scene.mjs';
import { openPage, startBrowser } from './browser.mjs';
import { takePicture } from './picture.mjs';

const folder = path.resolve(process.argv[2] ?? fileURLToPath(new URL('../../dashboards/pictures', import.meta.url)));
const endings = [];
const scene = { after: (ending) => endings.unshift(ending), diagnostic: console.log };
try {
  const cluster = await serverWithSchema(scene);
  const daemon = await daemonFor(scene, cluster);
  await daemon.start();
  // Some minutes would be better still; the plots get a point each five seconds.
  for (let round = 1; round <= 5; round += 1) {
    await race(cluster, { runs: 3 * round, processes: 2, late: 0.15, finish: 1, seed: round });
    await sleep(6000);
  }
  // The writers' runs have ended by now; a fatal finding is one of a run that goes on.
  for (const run of ['wrun_01K9XV3F5Q8ZJ2M7N4T6B1C0DE', 'wrun_01K9XV3M2R7AH5K8P3S9W4Y6GZ']) {
    const correlation = `step_${eventId(1).slice(5)}`;
    await insertEvents(cluster, ['run_created', 'run_started', 'step_created', 'step_started', 'step_completed']
      .map((type) => ({ run, type, correlation: type.startsWith('step') ? correlation : null })));
    await insertEvents(cluster, [{ run, type: 'step_created', correlation, id: eventId(9) }]);
  }
  await daemon.caughtUp();
  const browser = await startBrowser(scene);
  for (const [size, viewport, deviceScaleFactor] of [['desktop', { width: 1200, height: 860 }, 1], ['phone', { width: 390, height: 844 }, 1.5]]) {
    for (const colorScheme of ['light', 'dark']) {
      const { page, context } = await openPage(browser, daemon.httpBase, { viewport, deviceScaleFactor, colorScheme });
      await page.locator('#link.live').waitFor();
      const story = page.locator('#findings .finding.fatal summary').first();
      await story.waitFor();
      await story.click();
      await page.locator('#retained-plot .line[d^=M]').waitFor({ state: 'attached' });
      await page.mouse.move(0, 0);
      await page.evaluate(() => scrollTo(0, 0));
      await takePicture(page, path.join(folder, `page-${size}-${colorScheme}.png`));
      await context.close();
    }
  }
} finally {
  for (const ending of endings) await ending();
}
