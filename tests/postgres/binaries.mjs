// Where the server programs of each major are, and the account they may run under.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

/** The major that the system's own packages bring, the only one with wal2json. */
export const systemMajor = (() => {
  const table = (text, separator) => text.split('\n').filter((line) => line && !line.startsWith('#')).map((line) => line.split(separator));
  const system = Object.fromEntries(table(fs.readFileSync('/etc/os-release', 'utf8'), '=').map(([key, value]) => [key, value.replaceAll('"', '')]));
  const row = table(fs.readFileSync(path.join(here, '../releases'), 'utf8'), ' ').find(([id, version]) => id === system.ID && version === system.VERSION_ID);
  if (!row) throw new Error(`${system.PRETTY_NAME} is none of the systems that tests/releases names`);
  return Number(row[2]);
})();

/** The folder of the system's own server programs and clients. */
export const systemBinaries = `/usr/lib/postgresql/${systemMajor}/bin`;

/** The majors that tests can start; all but the system's own come from npm. */
export const majors = [15, 16, 17, 18];

/**
 * The account for the server: Postgres refuses to run as root, so root hands over to `postgres` or, without it,
 * `nobody`. Anyone else runs it as himself. Returns {} or {uid, gid}.
 */
export function account() {
  if (process.getuid() !== 0) return {};
  const entries = fs.readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const entry = entries.find((fields) => fields[0] === name);
    if (entry) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  }
  throw new Error('running as root, and there is neither a postgres nor a nobody account to start Postgres under');
}

// npm archives cannot hold symbolic links, so the package lists its shared libraries' links in a file. Its install
// script would make them, but install scripts are switched off where this repository installs from npm.
function hydrateLinks(root) {
  const list = path.join(root, 'native', 'pg-symlinks.json');
  for (const { source, target } of JSON.parse(fs.readFileSync(list, 'utf8'))) {
    const link = path.join(root, target);
    try {
      fs.symlinkSync(path.relative(path.dirname(link), path.join(root, source)), link);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
}

/**
 * The folder that holds initdb and postgres of a major. `scratch` takes a copy when the server's account cannot reach
 * the checkout (a checkout below /root, say).
 */
export function binaries(major, scratch, owner) {
  if (major === systemMajor) {
    if (!fs.existsSync(path.join(systemBinaries, 'postgres'))) throw new Error(`no Postgres ${major} in ${systemBinaries}: run ./test or ./quickstart once`);
    return systemBinaries;
  }
  const root = path.join(here, '../../node_modules', `postgres-${major}`);
  if (!fs.existsSync(root)) throw new Error(`no Postgres ${major}: run npm ci --ignore-scripts --workspace=dupwatch-postgres-majors`);
  hydrateLinks(root);
  const folder = path.join(root, 'native', 'bin');
  if (spawnSync('test', ['-x', path.join(folder, 'postgres')], owner).status === 0) return folder;
  const copy = path.join(scratch, `postgres-${major}`);
  if (!fs.existsSync(copy)) fs.cpSync(path.join(root, 'native'), copy, { recursive: true, verbatimSymlinks: true });
  return path.join(copy, 'bin');
}
