// node newer.mjs
// Names the versions of the engine that the registry serves and that are newer than those replayed here; exit code 1 if there are any.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The newest that was replayed, of each line that is developed; `eve` carries a core of its own, whose version its stamp names. */
export const TESTED = {
  '@workflow/core': ['4.8.9', '5.0.0-beta.55'],
  '@workflow/world-postgres': ['4.3.7', '5.0.0-beta.29'],
  eve: ['0.80.1'],
};

/** [1, 2, 3, 'beta', 4] of 1.2.3-beta.4; undefined: no version of that form. */
export function parts(version) {
  const found = /^(\d+)\.(\d+)\.(\d+)(?:-([a-z]+)\.(\d+))?$/.exec(version);
  return found && [Number(found[1]), Number(found[2]), Number(found[3]), found[4] ?? '~', Number(found[5] ?? 0)];
}

/** Negative, zero or positive; a release comes after its pre-releases. */
export function compare(a, b) {
  const [left, right] = [parts(a), parts(b)];
  const at = left.findIndex((part, i) => part !== right[i]);
  if (at < 0) return 0;
  return left[at] < right[at] ? -1 : 1;
}

/** Those of `served` that are newer than what was tested of their major, or of a major that was not tested at all. */
export function newerThan(tested, served) {
  const major = (version) => parts(version)[0];
  const known = served.filter((version) => parts(version));
  return known.filter((version) => {
    const own = tested.filter((one) => major(one) === major(version));
    if (own.length === 0) return major(version) > Math.max(...tested.map(major));
    return own.every((one) => compare(version, one) > 0);
  });
}

/** package -> newer versions; throws where the registry does not answer. */
export async function newer() {
  const out = {};
  for (const [name, tested] of Object.entries(TESTED)) {
    const { stdout } = await promisify(execFile)('npm', ['view', name, 'versions', '--json'], { timeout: 60_000, maxBuffer: 1 << 24 });
    const found = newerThan(tested, [JSON.parse(stdout)].flat());
    if (found.length) out[name] = found;
  }
  return out;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = await newer();
  for (const [name, versions] of Object.entries(found)) console.log(`${name}: ${versions.join(' ')}`);
  process.exitCode = Object.keys(found).length ? 1 : 0;
}
