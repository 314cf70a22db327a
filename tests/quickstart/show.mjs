// Findings as lines for people.
import fs from 'node:fs';

const color = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code, text) => (color ? `\x1b[${code}m${text}\x1b[0m` : text);

function gap(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return 'commit gap unknown';
  const size = Math.abs(milliseconds);
  const shown = size < 1000 ? `${size.toFixed(1)} ms` : `${(size / 1000).toFixed(2)} s`;
  return milliseconds < 0 ? `committed ${shown} before the row it contradicts` : `committed ${shown} after it`;
}

/** "step_01JZ...TV4K2M9Q" as "step_..TV4K2M9Q": the last characters tell the ids of one run apart. */
const short = (id) => (id.length > 20 ? `${id.split('_')[0]}_..${id.slice(-8)}` : id);

const VERDICTS = {
  fatal: [31, 'FATAL (next replay fails)'], conflict: [35, 'CONFLICT'], harmless: [33, 'harmless'], unknown: [36, 'unknown'],
};

/** One finding as one line: when, how bad, what, where, which rows, how far apart. */
export function findingLine(finding) {
  const time = finding.flagged_at.slice(11, 23);
  const [tint, word] = finding.state === 'open' ? VERDICTS[finding.severity] : [2, `${finding.severity}, ${finding.state.replace('_', ' ')}`];
  const changed = finding.change === 'changed' ? ' [judged again]' : '';
  const entity = finding.correlation_id === null ? '' : ` ${short(finding.correlation_id)}`;
  return `${time}  ${paint(tint, word.padEnd(25))}  ${finding.rule.padEnd(23)} ${finding.type.padEnd(14)} ${finding.run_id}${entity}  `
    + `${short(finding.canonical.id)} then ${short(finding.duplicate.id)}  ${gap(finding.commit_gap_ms)}${changed}`;
}

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
