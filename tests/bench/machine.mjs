// What the figures were measured on.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { binary } from '../integration/daemon.mjs';
import { systemBinaries, systemMajor } from '../postgres/binaries.mjs';

const first = (program, args) => execFileSync(program, args, { encoding: 'utf8' }).split('\n')[0].trim();

/** Processor, memory, system and versions in one object. */
export function machine() {
  const release = Object.fromEntries(fs.readFileSync('/etc/os-release', 'utf8').split('\n').map((line) => line.split('=')));
  return {
    processor: os.cpus()[0].model.trim(),
    cores: os.cpus().length,
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    system: release.PRETTY_NAME?.replaceAll('"', ''),
    kernel: os.release(),
    postgres: first(`${systemBinaries}/postgres`, ['--version']),
    wal2json: packageVersion(`postgresql-${systemMajor}-wal2json`),
    node: process.version,
    dupwatch: first(binary(), ['--version']),
    load: fs.readFileSync('/proc/loadavg', 'utf8').split(' ')[0],
  };
}

function packageVersion(name) {
  try {
    return first('dpkg-query', ['-W', '-f=${Version}', name]);
  } catch {
    return 'unknown';
  }
}
