// Makes the bundles of workflows/ in the folder of one version, unless they are there: node build.mjs FOLDER
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = process.argv[2];
const sources = fileURLToPath(new URL('./workflows/', import.meta.url));
const done = path.join(folder, '.well-known/built');
const changed = (file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const inputs = [...fs.readdirSync(sources).map((name) => path.join(sources, name)), path.join(folder, 'package-lock.json')];

if (!inputs.every((file) => changed(file) < changed(done))) {
  // A copy, because the sources' imports are looked for beside them.
  fs.cpSync(sources, path.join(folder, 'workflows'), { recursive: true });
  execFileSync(process.execPath, ['node_modules/workflow/bin/run.js', 'build'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  fs.writeFileSync(done, '');
}
