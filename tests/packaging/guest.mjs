// A Debian that systemd boots in a container of its own (systemd-nspawn), with a Postgres that systemd manages. Its network is its own
// loopback interface and nothing else.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { debianIn, dependencies } from './deb.mjs';

export class Guest {
  /** Makes it with the Postgres of the release and what `deb` depends on, boots it, and has it end with test `t`. */
  static async boot(t, { release, postgres }, deb) {
    const guest = new Guest();
    guest.postgres = `postgresql@${postgres}-main`;
    guest.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-guest-'));
    guest.root = path.join(guest.dir, 'root');
    t.after(() => guest.destroy());
    // Once it is booted it reaches no mirror.
    debianIn(guest.root, release, ...dependencies(deb), 'systemd', 'systemd-sysv', 'dbus', 'logrotate', 'curl', 'iproute2', `postgresql-${postgres}`, `postgresql-${postgres}-wal2json`);
    fs.appendFileSync(path.join(guest.root, `etc/postgresql/${postgres}/main/postgresql.conf`), "wal_level = logical\nmax_slot_wal_keep_size = '1GB'\n");
    await guest.start();
    return guest;
  }

  /** dpkg installs it, as systemd is up; an edited configuration stays. Returns what it said. */
  install(deb) {
    fs.copyFileSync(deb, path.join(this.root, 'root/package.deb'));
    return this.shell('dpkg --force-confold -i /root/package.deb 2>&1');
  }

  async start() {
    const log = fs.openSync(path.join(this.dir, 'console'), 'a');
    // It ends with this process, however that ends.
    this.nspawn = spawn('setpriv', ['--pdeathsig', 'KILL', 'systemd-nspawn', '--quiet', '--directory', this.root, '--register=no', '--keep-unit', '--private-network', '--boot'],
      { stdio: ['ignore', log, log], detached: true });
    fs.closeSync(log);
    this.ended = new Promise((resolve) => { this.nspawn.once('exit', resolve); });
    await this.until('systemd is up', () => {
      const children = fs.readFileSync(`/proc/${this.nspawn.pid}/task/${this.nspawn.pid}/children`, 'utf8').trim();
      this.init = Number(children.split(' ')[0]) || undefined;
      return this.init && /^(running|degraded)$/.test(this.try('systemctl', 'is-system-running').stdout.trim());
    }, 60_000);
  }

  /** Runs a command in it: {status, stdout, stderr}. */
  try(...command) {
    const environment = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LC_ALL=C.UTF-8', 'SYSTEMD_PAGER=cat', 'DEBIAN_FRONTEND=noninteractive'];
    return spawnSync('nsenter', ['--all', '--target', String(this.init), 'env', '-i', ...environment, ...command], { encoding: 'utf8', maxBuffer: 1 << 28 });
  }

  /** Its standard output; the command must succeed. */
  run(...command) {
    const { status, stdout, stderr } = this.try(...command);
    assert.equal(status, 0, `${command.join(' ')}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  shell(script) {
    return this.run('sh', '-ec', script);
  }

  sql(text, database = 'app') {
    return this.run('runuser', '-u', 'postgres', '--', 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', database, '-c', text);
  }

  /** Properties of a unit as systemctl show has them. */
  show(unit, ...properties) {
    return Object.fromEntries(this.run('systemctl', 'show', unit, ...properties.map((name) => `--property=${name}`)).split('\n').map((line) => line.split(/=(.*)/s)));
  }

  /** The lines of a unit in the journal, the newest last: {at (ms), message, identifier, priority}. */
  journal(unit) {
    return this.run('journalctl', '--unit', unit, '--output', 'json', '--no-pager').split('\n').filter(Boolean).map((line) => {
      const entry = JSON.parse(line);
      return { at: Number(entry.__REALTIME_TIMESTAMP) / 1000, message: String(entry.MESSAGE), identifier: entry.SYSLOG_IDENTIFIER, pid: Number(entry._PID) };
    });
  }

  async until(what, condition, limit = 30_000) {
    for (const deadline = Date.now() + limit; ;) {
      const found = await condition();
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`in vain for ${limit} ms: ${what}\n${this.init ? this.try('journalctl', '-n', '40', '--no-pager').stdout : fs.readFileSync(path.join(this.dir, 'console'), 'utf8')}`);
      await sleep(100);
    }
  }

  async destroy() {
    if (this.nspawn && this.nspawn.exitCode === null) {
      // What systemd takes for "power off"; the container ends with it.
      if (this.init) this.try('systemctl', 'poweroff', '--force');
      const late = setTimeout(() => this.nspawn.kill('SIGKILL'), 20_000);
      await this.ended;
      clearTimeout(late);
    }
    fs.rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}
