// Findings as lines for people: at most 100 columns, the fatal ones loud and the harmless ones quiet.
import fs from 'node:fs';

export const COLUMNS_MAX = 100;
const color = (process.stdout.isTTY || process.env.FORCE_COLOR) && !process.env.NO_COLOR;
const paint = (code, text) => (color ? `\x1b[${code}m${text}\x1b[0m` : text);

/** How much later than the row it repeats it committed, in at most 9 columns. */
function gap(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return '';
  const size = Math.abs(milliseconds);
  const shown = size < 1000 ? `${size.toFixed(1)} ms` : `${(size / 1000).toFixed(size < 100_000 ? 2 : 0)} s`;
  return `${milliseconds < 0 ? '-' : '+'}${shown}`;
}

/** "step_01JZ...TV4K2M9Q" as "step ..2M9Q": the last characters tell the ids of one run apart. */
const short = (id) => (id.length > 11 ? `${id.split('_')[0].slice(0, 4)} ..${id.slice(-4)}` : id);

const VERDICTS = { fatal: ['1;31', 'FATAL'], conflict: ['35', 'conflict'], harmless: ['2', 'harmless'], unknown: ['36', 'unknown'] };

/** What the columns of findingLine() mean. */
export const LEGEND = [
  `${paint('1;31', 'FATAL')}     the next replay of the run fails       ${paint('35', 'conflict')}  the run goes on, an outcome is lost`,
  `${paint('2', 'harmless')}  replay skips the row                   ${paint('36', 'unknown')}   depends on what the engine did then`,
  `${paint('2', 'ended')}     its run is over, no replay reads it    last      committed so much later than the row it`,
  '                                                           repeats; with a minus: earlier',
  '',
  `${'TIME'.padEnd(8)}  ${'VERDICT'.padEnd(8)}  ${'RULE'.padEnd(23)}  ${'RUN'.padEnd(31)}  ${'ENTITY'.padEnd(11)}  LATER BY`,
];

/** One finding as one line: when, how bad, what, in which run, about what, how far apart. */
export function findingLine(finding) {
  const [tint, word] = finding.state === 'open' ? VERDICTS[finding.severity] : ['2', 'ended'];
  const entity = typeof finding.correlation_id === 'string' ? short(finding.correlation_id) : '';
  const rest = `${finding.rule.padEnd(23)}  ${finding.run_id.slice(0, 31).padEnd(31)}  ${entity.padEnd(11)}  ${gap(finding.commit_gap_ms)}`.trimEnd();
  const quiet = tint === '2' ? paint('2', rest) : rest;
  return `${finding.flagged_at.slice(11, 19)}  ${paint(tint, word.padEnd(8))}  ${quiet}`;
}

const ORDER = ['fatal', 'conflict', 'unknown', 'harmless'];
/** The fatal first, of one severity those of runs that go on, then the newest. */
export const worstFirst = (findings) => [...findings].sort((a, b) => (
  ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity) || (b.state === 'open') - (a.state === 'open') || b.flagged_at.localeCompare(a.flagged_at)));

/** What to do about a fatal finding, as commands for another terminal. */
export const nextSteps = (finding, binary, configFile) => [
  'What to do about it, in another terminal:',
  `  export DUPWATCH_CONFIG=${configFile}`,
  `  ${binary} explain ${finding.run_id}`,
  `  ${binary} quarantine apply ${finding.finding_id} --yes`,
];

/** Calls `each(finding)` for every line of the file, now and as it grows; returns a function that ends it. */
export function follow(file, each) {
  let offset = 0;
  let rest = '';
  const read = () => {
    if (!fs.existsSync(file)) return;
    const size = fs.statSync(file).size;
    if (size <= offset) return;
    const handle = fs.openSync(file, 'r');
    const chunk = Buffer.alloc(size - offset);
    offset += fs.readSync(handle, chunk, 0, chunk.length, offset);
    fs.closeSync(handle);
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop();
    for (const line of lines) if (line) each(JSON.parse(line));
  };
  const timer = setInterval(read, 20);
  return () => {
    clearInterval(timer);
    read();
  };
}
