// Writes the dashboards from dashboards/source:
//   node dashboards/generate.mjs           writes them
//   node dashboards/generate.mjs --check   says which are not up to date; exit code 1 if any
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { internals } from './source/internals.mjs';
import { overview } from './source/overview.mjs';

/** File name -> dashboard. */
export const DASHBOARDS = { 'overview.json': overview, 'internals.json': internals };

function main(check) {
  let stale = 0;
  for (const [name, dashboard] of Object.entries(DASHBOARDS)) {
    const file = new URL(name, import.meta.url);
    const content = `${JSON.stringify(dashboard, null, 2)}\n`;
    if (check) {
      if (fs.existsSync(file) && fs.readFileSync(file, 'utf8') === content) continue;
      stale += 1;
      console.error(`dashboards/${name} is not up to date: run node dashboards/generate.mjs`);
    } else {
      fs.writeFileSync(file, content);
    }
  }
  return stale ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.includes('--check'));
