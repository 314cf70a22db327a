// node recording.mjs [FILE]: plays ./quickstart, saves a run by what it says to do next, and writes terminal and page as one moving SVG.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openPage, startBrowser } from '../page/browser.mjs';
import { takePicture } from '../page/picture.mjs';
import { Movie } from './movie.mjs';

const target = process.argv[2] ?? fileURLToPath(new URL('quickstart.svg', import.meta.url));
const endings = [];
const scene = { after: (ending) => endings.unshift(ending) };
const movie = new Movie();

/** What the page shows, as a PNG. */
async function picture(page) {
  const file = `${target}.png`;
  await takePicture(page, file);
  const png = fs.readFileSync(file);
  fs.unlinkSync(file);
  return png;
}

/** Runs a command as a person would type it, and shows what `chosen` takes of its lines. */
function typed(command, setting, chosen = (lines) => lines) {
  movie.type(command);
  const { stdout, stderr } = spawnSync('sh', ['-c', `${setting}; ${command}`], { encoding: 'utf8' });
  for (const line of chosen(`${stdout}${stderr}`.trimEnd().split('\n'))) movie.line(line.slice(0, 100));
  movie.rest(3);
}

/** Of a long story its head, the row at fault and what to do. */
function inShort(lines) {
  const fault = lines.findIndex((line) => line.includes('✗ fatal'));
  const fix = lines.findIndex((line) => line.startsWith('How to fix it'));
  return [...lines.slice(0, 9), '      …', ...lines.slice(fault - 1, fault + 2).map((line) => `\x1b[31m${line}\x1b[0m`), '      …', ...lines.slice(fix, fix + 3)];
}

try {
  const child = spawn(process.execPath, [fileURLToPath(new URL('quickstart.mjs', import.meta.url))], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, FORCE_COLOR: '1' } });
  scene.after(async () => {
    child.kill('SIGINT');
    await new Promise((resolve) => { child.once('close', resolve); });
  });
  let said = '';
  let shown = 0;
  child.stdout.on('data', (data) => { said += data; });
  const show = () => {
    const lines = said.split('\n').slice(0, -1);
    for (const line of lines.slice(shown)) movie.line(line);
    shown = lines.length;
  };
  const until = async (pattern) => {
    while (!pattern.test(said)) await sleep(20);
    return pattern.exec(said);
  };
  movie.type('./quickstart');
  const [, address] = await until(/^page (http:\S+)/m);
  const browser = await startBrowser(scene);
  const { page } = await openPage(browser, address, { viewport: { width: Math.round(movie.width * 1.5), height: 645 }, colorScheme: 'dark' });
  await page.locator('#link.live').waitFor();
  show();
  movie.page(await picture(page));
  movie.rest(1.5);
  const [, apply] = await until(/^ {2}(\S+ quarantine apply \S+ --yes)\n\n/m);
  const [, explain, run] = /^ {2}(\S+ explain (\S+))$/m.exec(said);
  const [, setting] = /^ {2}(export \S+)$/m.exec(said);
  await page.locator('#verdict.fatal').waitFor();
  await page.locator('#findings .finding.fatal summary').first().click();
  await page.locator('#findings details[open] .story').waitFor();
  show();
  movie.page(await picture(page));
  movie.rest(4);
  movie.clear();
  typed(explain, setting, inShort);
  typed(apply, setting);
  const id = /apply (\S+)/.exec(apply)[1];
  while ((await (await fetch(`${address}api/findings/${id}`)).json()).state === 'open') await sleep(50);
  await page.goto(`${address}#run=${run}`);
  await page.locator('#run .track .mark.fault').first().waitFor();
  movie.page(await picture(page));
  movie.rest(4);
  fs.writeFileSync(target, movie.svg('./quickstart: a fatal duplicate is found, explained and taken out, on the terminal and on the page'));
  console.log(`${target}: ${fs.statSync(target).size} bytes, ${movie.seconds.toFixed(0)} s`);
} finally {
  for (const ending of endings) await ending();
}
