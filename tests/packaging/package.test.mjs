// The life of the Debian package in a Debian of its own, of each release: install, configure, upgrade, remove, purge. Long, as
// root, for ./test --full.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { runCommand } from '../integration/daemon.mjs';
import { full, serverWithSchema } from '../integration/scene.mjs';
import { RELEASES, cannot, debianIn, guide, inRelease, lintian, packageFor, predecessor, run } from './deb.mjs';

const skip = !full ? 'only in ./test --full' : cannot;

/** A small Debian whose programs run by chroot; nothing is started in it. */
class Debian {
  constructor(dir, release) {
    this.root = debianIn(path.join(dir, 'root'), release, 'systemd', 'man-db');
    fs.copyFileSync('/etc/resolv.conf', this.at('/etc/resolv.conf'));
    fs.writeFileSync(this.at('/usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  }

  at(file) {
    return path.join(this.root, file);
  }

  run(...command) {
    return this.runWith({}, ...command);
  }

  runWith(more, ...command) {
    const env = { ...more, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive', MANWIDTH: '100' };
    return run('chroot', [this.root, ...command], { env });
  }

  install(deb) {
    fs.copyFileSync(deb, this.at('/tmp/package.deb'));
    return this.run('apt-get', 'install', '-y', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold', '/tmp/package.deb');
  }

  /** "640 root:dupwatch" */
  mode(file) {
    return this.run('stat', '-c', '%a %U:%G', file).trim();
  }

  read(file) {
    return fs.readFileSync(this.at(file), 'utf8');
  }

  has(file) {
    return Boolean(fs.lstatSync(this.at(file), { throwIfNoEntry: false }));
  }

  /** Every path that has the product's name, logs and apt's own memory aside. */
  traces() {
    return this.run('find', '/', '-xdev', '-name', '*dupwatch*', '-not', '-path', '/var/log/*', '-not', '-path', '/var/cache/*', '-not', '-path', '/proc/*')
      .split('\n').filter(Boolean);
  }
}

const CONFIG = '/etc/dupwatch/dupwatch.yaml';
const ENABLED = '/etc/systemd/system/multi-user.target.wants/dupwatch.service';

for (const { release } of RELEASES) {
  test(`the package of Debian ${release} is built, clean, and lives and dies as it should`, { skip, timeout: 3_000_000 }, (t) => life(t, release));
}

async function life(t, release) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-deb-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const deb = packageFor(release);
  const old = predecessor(deb, dir);

  await t.test('lintian finds nothing', () => {
    assert.doesNotMatch(lintian(release, deb), /^[EWI]: /m);
  });

  const debian = new Debian(dir, release);
  assert.deepEqual(debian.traces(), []);

  await t.test('installed: account, modes, program, pages, unit; nothing is enabled', () => {
    debian.install(old);
    const account = debian.run('getent', 'passwd', 'dupwatch').trim().split(':');
    assert.deepEqual(account.slice(5), ['/var/lib/dupwatch', '/usr/sbin/nologin']);
    assert.ok(Number(account[2]) < 1000, `a system account has a small number, not ${account[2]}`);
    assert.equal(debian.mode(CONFIG), '640 root:dupwatch');
    assert.equal(debian.mode('/etc/dupwatch'), '755 root:root');
    assert.equal(debian.mode('/usr/bin/dupwatch'), '755 root:root');
    assert.equal(debian.run('dpkg-query', '-f', '${Conffiles}', '-W', 'dupwatch').trim().split(' ')[0], CONFIG);
    assert.match(debian.run('dupwatch', '--version'), /^dupwatch \d+\.\d+\.\d+ \(/);
    assert.match(debian.run('dupwatch', 'setup', '--print-sql', '--config', CONFIG), /CREATE PUBLICATION/);
    assert.match(debian.run('man', '1', 'dupwatch'), /EXIT STATUS/);
    assert.match(debian.run('man', '5', 'dupwatch.yaml'), /connection\.dsn/);
    assert.equal(debian.run('systemd-analyze', 'verify', 'dupwatch.service').trim(), '');
    for (const file of ['/usr/share/bash-completion/completions/dupwatch', '/usr/share/zsh/vendor-completions/_dupwatch',
      '/usr/share/dupwatch/alerts/dupwatch.rules.yml', '/usr/share/dupwatch/alerts/slots.rules.yml', '/usr/share/dupwatch/dashboards/overview.json',
      '/usr/share/dupwatch/sql/findings.sql', '/usr/share/dupwatch/rehearse.mjs', '/usr/share/doc/dupwatch/copyright', '/usr/share/doc/dupwatch/runbooks/DupwatchDown.md']) {
      assert.equal(debian.mode(file), '644 root:root', file);
    }
    assert.ok(!debian.has(ENABLED), 'it would start at the next boot without a configuration');
  });

  await t.test('upgraded: an edited configuration and an enabled unit stay', () => {
    fs.appendFileSync(debian.at(CONFIG), '# mine\n');
    debian.run('systemctl', 'enable', 'dupwatch.service');
    debian.install(deb);
    assert.doesNotMatch(debian.run('dpkg-query', '-f', '${Version}', '-W', 'dupwatch'), /^0\.0\.9/);
    assert.match(debian.read(CONFIG), /# of version 0\.0\.9\n# mine\n$/);
    assert.doesNotMatch(debian.read(`${CONFIG}.dpkg-dist`), /# of version 0\.0\.9/);
    assert.equal(debian.mode(CONFIG), '640 root:dupwatch');
    assert.ok(debian.has(ENABLED));
  });

  await t.test('removed: the configuration stays, and the slot is spoken of', () => {
    fs.mkdirSync(debian.at('/var/lib/dupwatch'));
    fs.writeFileSync(debian.at('/var/lib/dupwatch/findings.jsonl'), '{}\n');
    const said = debian.run('apt-get', 'remove', '-y', 'dupwatch');
    assert.match(said, /retains WAL until it is dropped/);
    assert.match(said, /pg_drop_replication_slot\('dupwatch'\)/);
    assert.ok(!debian.has('/usr/bin/dupwatch'));
    assert.ok(debian.has(CONFIG) && debian.has('/var/lib/dupwatch/findings.jsonl'));
  });

  await t.test('installed again and purged: nothing is left but the warning', () => {
    debian.install(deb);
    assert.match(debian.read(CONFIG), /# mine\n$/);
    const said = debian.run('apt-get', 'purge', '-y', 'dupwatch');
    assert.match(said, /nothing on the Postgres server was removed/);
    assert.match(said, /pg_drop_replication_slot\('dupwatch'\)/);
    assert.deepEqual(debian.traces(), []);
    for (const file of ['/etc/passwd', '/etc/group', '/etc/shadow']) assert.doesNotMatch(debian.read(file), /dupwatch/, file);
  });

  await t.test('the commands of the guide, as they stand in it', async (own) => {
    assert.match(inRelease(release, guide('in-the-source-tree')[1].body), /^dupwatch \d+\.\d+\.\d+ \(/m);
    const cluster = await serverWithSchema(own);
    const setup = await runCommand(['setup', '--print-sql', '--dsn', cluster.dsn({ user: 'dupwatch' })]);
    await cluster.query(setup.stdout);
    const tree = '/root/tree';
    fs.mkdirSync(debian.at(`${tree}/build/release/package`), { recursive: true });
    fs.copyFileSync(deb, debian.at(`${tree}/build/release/package/${path.basename(deb)}`));
    // The root of a container has no sudo, and needs none.
    fs.writeFileSync(debian.at('/usr/bin/sudo'), '#!/bin/sh\nif [ "$1" = -u ]; then user=$2; shift 2; exec runuser -u "$user" -- "$@"; fi\nexec "$@"\n', { mode: 0o755 });
    const blocks = guide('in-a-debian-of-its-own');
    assert.equal(blocks.length, 3);
    const said = [];
    for (const { body } of blocks) {
      said.push(debian.runWith({ PGPORT: String(cluster.port) }, 'bash', '-ec', `cd ${tree}\n${body}`));
      assert.equal(debian.has(ENABLED), said.length === 2);
    }
    assert.match(said[0], /^dupwatch \d+\.\d+\.\d+ \(/m);
    assert.match(said[1], /^ready$/m);
    assert.match(said[2], /nothing on the Postgres server was removed/);
    fs.rmSync(debian.at(tree), { recursive: true });
    assert.deepEqual(debian.traces(), []);
  });
}
