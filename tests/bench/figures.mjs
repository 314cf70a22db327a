// Medians, spreads and what a process has used.
import fs from 'node:fs';

/** The middle of the values, or the mean of the two in the middle. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

/** Median with the least and the greatest, or a dash where nothing was measured. */
export function show(values, digits = 2) {
  const there = values.filter((value) => Number.isFinite(value));
  if (there.length === 0) return '-';
  return `${median(there).toFixed(digits)} (${Math.min(...there).toFixed(digits)} to ${Math.max(...there).toFixed(digits)})`;
}

/** The items in an order that turns with the round. */
export const turned = (items, round) => items.map((_, i) => items[(i + round) % items.length]);

/** Seconds of processor time that a process and all of its threads have used. */
export function processorTime(pid) {
  const folder = `/proc/${pid}/task`;
  return fs.readdirSync(folder).reduce((sum, task) => sum + Number(fs.readFileSync(`${folder}/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9, 0);
}

/** The share of system time in it; the clock's tick is 10 ms. */
export function userAndSystem(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return { user: Number(fields[11]) / 100, system: Number(fields[12]) / 100 };
}

/** Peak (VmHWM) or present (VmRSS) resident memory, in MiB. */
export function residentMemory(pid, key = 'VmHWM') {
  return Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}
