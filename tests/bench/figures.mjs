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

/** Nanoseconds that one thread has used; none if it has just ended. */
function threadTime(file) {
  try {
    return Number(fs.readFileSync(file, 'utf8').split(' ')[0]);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return 0;
    throw error;
  }
}

/**
 * Seconds of processor time that a process and all of its threads have used. Only the living threads tell nanoseconds; the time of
 * those that have ended is in the process's own sum, by ticks of 10 ms and rounded down. Each is at most the truth, so the greater counts.
 */
export function processorTime(pid) {
  const folder = `/proc/${pid}/task`;
  const living = fs.readdirSync(folder).reduce((sum, task) => sum + threadTime(`${folder}/${task}/schedstat`), 0) / 1e9;
  const { user, system } = userAndSystem(pid);
  return Math.max(living, user + system);
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
