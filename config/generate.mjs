// Behind ./generate: everything in the repository that is made from something else.
//   ./generate           writes it
//   ./generate --check   writes nothing and names each file that is out of date; exit code 1 if there is one
// config/METRICS.md and the SQL files are printed by the program: DUPWATCH_BIN, or the build of preset release or dev.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { files as alerts } from '../alerts/generate.mjs';
import { files as dashboards } from '../dashboards/generate.mjs';
import { files as kubernetes } from './kubernetes/generate.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

const FINDINGS_HEAD = `-- The table of findings.table: dupwatch.findings, and what the role dupwatch needs to write it: the newest state of every
-- finding. It may never delete from it nor change which run a finding is of. \`dupwatch setup --print-sql\` prints the same
-- for the names in your configuration, with everything else that dupwatch needs.
`;
const QUARANTINE_HEAD = `-- The quarantine: dupwatch.quarantine, and what the role dupwatch needs to move rows there. \`dupwatch setup --print-sql
-- --quarantine\` prints the same for the names in your configuration, with everything else that dupwatch needs.
-- Where \`dupwatch quarantine apply\` keeps the rows it takes out of the log. SELECT on all columns,
-- payloads included, because a row is kept whole; DELETE, never INSERT or UPDATE: \`quarantine restore\` is for
-- a role that may write the table, such as its owner.
`;

/** The paragraph of `sql` that has `statement`, without the comment above it. */
function paragraph(sql, statement) {
  const found = sql.split(/\n\n(?=--)/).find((part) => part.includes(statement));
  if (!found) throw new Error(`dupwatch setup does not print ${statement}`);
  return `${found.replace(/^(?:--.*\n)+/, '').trimEnd()}\n`;
}

/** File -> content, of what the program at `binary` prints. */
function printed(binary) {
  const output = (...args) => execFileSync(binary, args, { encoding: 'utf8' });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-generate-'));
  const configuration = path.join(folder, 'dupwatch.yaml');
  fs.writeFileSync(configuration, 'connection:\n  dsn: user=dupwatch dbname=app\nfindings:\n  table: dupwatch.findings\n');
  const sql = output('setup', '--print-sql', '--quarantine', '--config', configuration);
  fs.rmSync(folder, { recursive: true });
  return {
    'config/METRICS.md': output('metrics', '--describe', '--format', 'markdown'),
    'config/findings.sql': FINDINGS_HEAD + paragraph(sql, 'CREATE TABLE IF NOT EXISTS "dupwatch"."findings"'),
    'config/quarantine.sql': QUARANTINE_HEAD + paragraph(sql, 'CREATE TABLE IF NOT EXISTS dupwatch.quarantine '),
  };
}

/** Writes `files`, or names those that differ; how many did. */
function settle(files, check) {
  let stale = 0;
  for (const [name, content] of Object.entries(files)) {
    const file = root + name;
    if (fs.existsSync(file) && fs.readFileSync(file, 'utf8') === content) continue;
    stale += 1;
    console.error(check ? `${name} is out of date: run ./generate` : `wrote ${name}`);
    if (!check) fs.writeFileSync(file, content);
  }
  return stale;
}

function main(args) {
  if (args.some((argument) => argument !== '--check')) {
    console.error('usage: ./generate [--check]');
    return 2;
  }
  const check = args.length > 0;
  const stale = settle({ ...alerts(), ...dashboards(), ...kubernetes() }, check);
  const binary = process.env.DUPWATCH_BIN
    ?? ['release', 'dev'].map((preset) => `${root}build/${preset}/bin/dupwatch`).find((file) => fs.existsSync(file));
  if (!binary) {
    console.error('no dupwatch is built, so config/METRICS.md, config/findings.sql and config/quarantine.sql were left out:\n'
      + 'build one (ninja -C build/dev dupwatch) or set DUPWATCH_BIN');
    return 1;
  }
  return settle(printed(binary), check) + stale > 0 && check ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
