// Writes a part's tables and plots into RESULTS.md, between markers; what stands outside of them stays.
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { median } from './figures.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const COLOURS = { floor: '#9aa0a6', dupwatch: '#1a73e8', recvlogical: '#c5a46b', node: '#d93025', polling: '#8e24aa', incremental: '#ba68c8' };

export function writeResults({ part, commands, date, machine, tables, plots = [] }) {
  const file = here('RESULTS.md');
  const [begin, end] = [`<!-- ${part}: begin -->`, `<!-- ${part}: end -->`];
  const text = [
    begin,
    `${commands.map((command) => `\`${command}\``).join(', ')}, ${date}: ${machine.cores} cores (${machine.processor}), ${machine.memory_gib} GiB, ${machine.system}, Linux ${machine.kernel}, ${machine.postgres}, wal2json ${machine.wal2json}, node ${machine.node}, ${machine.dupwatch}; load ${machine.load} when it was over.`,
    ...tables.map(({ title, lines }) => `${title}:\n\n${lines.join('\n')}`),
    ...plots.map(({ file: name, title }) => `![${title}](${name})`),
    end,
  ].join('\n\n');
  for (const plot of plots) fs.writeFileSync(here(plot.file), svg(plot));
  const before = fs.readFileSync(file, 'utf8');
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`RESULTS.md has no ${begin} ... ${end}`);
  fs.writeFileSync(file, before.slice(0, from) + text + before.slice(to + end.length));
}

/** Groups of horizontal bars with the median's length, and a line from the least to the greatest. */
function svg({ title, unit, groups }) {
  const [left, width, bar, gap] = [310, 560, 13, 10];
  const greatest = Math.max(...groups.flatMap(({ bars }) => bars.flatMap(({ values }) => values)));
  const x = (value) => (left + (value / greatest) * width).toFixed(1);
  const parts = [];
  let y = 34;
  for (const { label, bars } of groups) {
    parts.push(`<text x="${left - 8}" y="${y + (bars.length * bar) / 2 + 4}" text-anchor="end">${label}</text>`);
    for (const { name, values } of bars) {
      const middle = median(values);
      parts.push(`<rect x="${left}" y="${y}" width="${(Number(x(middle)) - left).toFixed(1)}" height="${bar - 2}" fill="${COLOURS[name] ?? '#5f6368'}"/>`);
      parts.push(`<path d="M${x(Math.min(...values))} ${y + 5.5}H${x(Math.max(...values))}" stroke="#202124"/>`);
      parts.push(`<text x="${Number(x(Math.max(...values))) + 6}" y="${y + 9}" font-size="10">${name} ${Math.round(middle)}</text>`);
      y += bar;
    }
    y += gap;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 150}" height="${y + 10}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="8" y="20" font-size="14">${title} (${unit})</text>
${parts.join('\n')}
</svg>
`;
}
