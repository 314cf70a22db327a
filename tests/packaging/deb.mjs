// The Debian package for a release, as the guide makes it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { blocksOf } from '../guide/text.mjs';

export const source = fileURLToPath(new URL('../../', import.meta.url));
/** The releases that a package is made for, and what of Postgres they have. */
export const RELEASES = fs.readFileSync(path.join(source, 'tests/releases'), 'utf8').split('\n')
  .map((line) => line.split(' ')).filter(([id]) => id === 'debian').map(([, release, postgres]) => ({ release, postgres }));
/** Why nothing here can be done on this machine, or false. */
export const cannot = process.getuid() !== 0 && 'debootstrap needs root';

const roots = process.env.DUPWATCH_ROOTS ?? '/var/tmp/dupwatch-roots';
const codenames = { 12: 'bookworm', 13: 'trixie' };
const [, here] = /^VERSION_ID="?([\d.]+)/m.exec(fs.readFileSync('/etc/os-release', 'utf8'));

export function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', cwd: source, maxBuffer: 1 << 28, ...options });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${error ?? stderr}\n${stdout?.slice(-4000)}`);
  return `${stdout}${stderr}`;
}

/** Runs a shell script in the checkout, on Debian `release`: on this machine if it is that, else in a Debian of its own. */
export function inRelease(release, script) {
  if (release === here) return run('bash', ['-ec', script]);
  return run('tests/packaging/in-debian', [release, 'bash', '-ec', script]);
}

const checkoutOf = (release) => (release === here ? source : path.join(roots, codenames[release], 'root/dupwatch'));

/** What the release's own lintian says. */
export function lintian(release, deb) {
  const copy = path.join(checkoutOf(release), 'build/lintian.deb');
  inRelease(release, 'mkdir -p build && source tests/install && install_packages package');
  fs.copyFileSync(deb, copy);
  const said = inRelease(release, 'lintian -I --allow-root --tag-display-limit 0 --fail-on error,warning,info build/lintian.deb');
  fs.rmSync(copy);
  return said;
}

/** A small Debian with `packages` in the new folder `dir`. */
export function debianIn(dir, release, ...packages) {
  run('tests/packaging/in-debian', ['--base', dir, release, ...packages]);
  return dir;
}

/** The commands of config/guide/install.md that have this mark, block by block. */
export const guide = (mark) => blocksOf('config/guide/install.md').filter((block) => block.mark === mark);

/** Builds it and returns its path. DUPWATCH_DEB_12 and DUPWATCH_DEB_13 name packages that are there already. */
export function packageFor(release) {
  const given = process.env[`DUPWATCH_DEB_${release}`];
  if (given) return given;
  const [packaged] = guide('in-the-source-tree');
  inRelease(release, `source tests/install && install_packages build && rm -rf build/release/package\n${packaged.body}`);
  const dir = path.join(checkoutOf(release), 'build/release/package');
  const [name, ...more] = fs.readdirSync(dir).filter((file) => file.endsWith('.deb'));
  assert.equal(more.length, 0);
  return path.join(dir, name);
}

/** The names of the packages that it depends on. */
export const dependencies = (deb) => run('dpkg-deb', ['-f', deb, 'Depends']).trim().split(', ').map((word) => word.split(' ')[0]);

/** The same package in `dir` with a lower version and another default configuration. */
export function predecessor(deb, dir) {
  const tree = path.join(dir, 'old');
  run('dpkg-deb', ['-R', deb, tree]);
  const control = path.join(tree, 'DEBIAN/control');
  fs.writeFileSync(control, fs.readFileSync(control, 'utf8').replace(/^Version: .*$/m, 'Version: 0.0.9-1'));
  fs.appendFileSync(path.join(tree, 'etc/dupwatch/dupwatch.yaml'), '# of version 0.0.9\n');
  run('dpkg-deb', ['-b', '--root-owner-group', tree, path.join(dir, 'old.deb')]);
  return path.join(dir, 'old.deb');
}
