// The installed package under a systemd that has booted, beside a Postgres that systemd manages too. Long, as root, for ./test --full;
// one release: DUPWATCH_FULL=1 node --test --test-name-pattern='Debian 12' tests/packaging/service.test.mjs
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { full } from '../integration/scene.mjs';
import { RELEASES, cannot, packageFor, predecessor, source } from './deb.mjs';
import { Guest } from './guest.mjs';

const skip = !full ? 'only in ./test --full' : cannot;
const UNIT = 'dupwatch.service';
const CONFIG = '/etc/dupwatch/dupwatch.yaml';
const FINDINGS = '/var/lib/dupwatch/findings.jsonl';

for (const release of RELEASES) {
  test(`the service on Debian ${release.release}, Postgres ${release.postgres}`, { skip, timeout: 3_000_000 }, (t) => life(t, release));
}

/** The table of the demonstration, the role and the publication, and a configuration that needs no password. */
function prepare(guest) {
  guest.sql('CREATE DATABASE app', 'postgres');
  const copy = (file) => fs.copyFileSync(path.join(source, file), path.join(guest.root, 'srv', path.basename(file)));
  copy('config/packaging/container/demonstration.sql');
  guest.shell("runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 -d app -f /srv/demonstration.sql");
  guest.shell(`sed -i -e '0,/^  dsn: .*/s//  dsn: host=\\/var\\/run\\/postgresql dbname=app user=dupwatch/' ${CONFIG}`);
  guest.shell(`sed -i -e '0,/^  file: .*/s//  file: ${FINDINGS.replaceAll('/', '\\/')}/' ${CONFIG}`);
  guest.shell(`dupwatch setup --print-sql --config ${CONFIG} | runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 -d app`);
}

let runs = 0;
/** Two rows of one identity in a new run. */
function duplicate(guest) {
  runs += 1;
  const run = `wrun_${String(runs).padStart(4, '0')}`;
  const rows = [1, 2].map((n) => `('evnt_${run}_${n}', 'step_created', 'step_1', '${run}')`).join(',');
  guest.sql(`INSERT INTO workflow.workflow_events (id, type, correlation_id, run_id) VALUES ${rows}`);
  return run;
}

const state = (guest) => guest.show(UNIT, 'ActiveState', 'SubState', 'MainPID', 'NRestarts', 'Result', 'ExecMainStatus', 'StatusText');
/** Never 0, which kill would take for this very test. */
function running(guest) {
  const { MainPID: pid, ActiveState: active } = state(guest);
  assert.ok(active === 'active' && Number(pid) > 1, `it is ${active}, process ${pid}`);
  return pid;
}
const seconds = (began) => Number(((Date.now() - began) / 1000).toFixed(1));
const told = (guest, run, file = FINDINGS) => guest.until(`the finding on ${run}`, () => guest.try('grep', '-q', run, file).status === 0);

async function life(t, release) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-service-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const deb = packageFor(release.release);
  const guest = await Guest.boot(t, release, deb);
  const note = (text) => t.diagnostic(`Debian ${release.release}: ${text}`);

  await t.test('installed: neither enabled nor started', () => {
    guest.install(predecessor(deb, dir));
    assert.equal(guest.try('systemctl', 'is-enabled', UNIT).stdout.trim(), 'disabled');
    assert.equal(state(guest).ActiveState, 'inactive');
    prepare(guest);
  });

  await t.test('without a server the start waits, and is over only when it streams', async () => {
    guest.run('systemctl', 'stop', guest.postgres);
    guest.run('systemctl', 'enable', UNIT);
    guest.run('systemctl', 'start', '--no-block', UNIT);
    await sleep(8000);
    assert.equal(state(guest).ActiveState, 'activating');
    assert.match(state(guest).StatusText, /^Not watching: /);
    guest.run('systemctl', 'start', guest.postgres);
    const began = Date.now();
    await guest.until('it is active', () => state(guest).ActiveState === 'active');
    const lines = guest.journal(UNIT);
    const streaming = lines.findIndex(({ message }) => /\bevent="?streaming\b/.test(message));
    const started = lines.findIndex(({ message }) => /^Started /.test(message));
    assert.ok(streaming >= 0 && streaming < started, `streaming in line ${streaming}, Started in line ${started}`);
    note(`waits for a server that is down; ready ${seconds(began)} s after the server's start`);
    await told(guest, duplicate(guest));
  });

  await t.test('a newer package takes the place of one that runs, and nothing is missed meanwhile', async () => {
    const before = state(guest);
    guest.run('systemctl', 'stop', UNIT);
    const missed = duplicate(guest);
    guest.run('systemctl', 'start', UNIT);
    await told(guest, missed);
    const began = Date.now();
    guest.install(deb);
    await guest.until('the new one is active', () => state(guest).ActiveState === 'active' && state(guest).MainPID !== before.MainPID);
    assert.doesNotMatch(guest.run('dpkg-query', '-f', '${Version}', '-W', 'dupwatch'), /^0\.0\.9/);
    assert.equal(guest.run('systemctl', 'is-enabled', UNIT), 'enabled');
    assert.match(guest.shell(`tail -n 1 ${CONFIG}`), /# of version 0\.0\.9/);
    note(`upgraded and active again in ${seconds(began)} s`);
    await told(guest, duplicate(guest));
  });

  await t.test('reload: the configuration is read again by the same process', async () => {
    const { MainPID: pid } = state(guest);
    guest.shell(`sed -i 's/^  level: .*/  level: debug/' ${CONFIG}`);
    guest.run('systemctl', 'reload', UNIT);
    await guest.until('the line of the reload', () => guest.journal(UNIT).some(({ message }) => /reload/.test(message) && /log\.level/.test(message)));
    assert.equal(state(guest).MainPID, pid);
    // A mistake is said and changes nothing.
    guest.shell(`cp ${CONFIG} /root/good; echo 'mistake: 1' >>${CONFIG}`);
    guest.run('systemctl', 'reload', UNIT);
    await guest.until('the refusal', () => guest.journal(UNIT).some(({ message }) => /mistake/.test(message)));
    guest.shell(`cat /root/good >${CONFIG}`);
    guest.run('systemctl', 'reload', UNIT);
    assert.deepEqual([state(guest).MainPID, state(guest).ActiveState], [pid, 'active']);
    await told(guest, duplicate(guest));
  });

  await t.test('the journal has its lines under its name', () => {
    const { MainPID: pid } = state(guest);
    const own = guest.journal(UNIT).filter((line) => line.pid === Number(pid));
    assert.ok(own.length > 5 && own.every(({ identifier }) => identifier === 'dupwatch'), JSON.stringify(own.slice(0, 3)));
  });

  await t.test('logrotate takes the file away and nothing is lost', async () => {
    const before = duplicate(guest);
    await told(guest, before);
    guest.run('logrotate', '--force', '/etc/logrotate.d/dupwatch');
    assert.equal(guest.try('grep', '-q', before, `${FINDINGS}.1`).status, 0);
    const after = duplicate(guest);
    await told(guest, after);
    assert.equal(guest.run('stat', '-c', '%a %U:%G', FINDINGS), '640 dupwatch:dupwatch');
    guest.run('logrotate', '--force', '/etc/logrotate.d/dupwatch');
    assert.match(guest.shell(`zcat ${FINDINGS}.2.gz`), new RegExp(before));
  });

  await t.test('a server that systemd stops is not held up, and dupwatch goes on with the next', async () => {
    const times = { with: [], without: [] };
    fs.writeFileSync(path.join(guest.root, 'srv/load.sql'), `\\set n random(1, 1000000000)
INSERT INTO workflow.workflow_events (id, type, run_id) VALUES ('evnt_load_' || :n, 'run_created', 'wrun_load_' || :n) ON CONFLICT DO NOTHING;
`);
    for (let round = 0; round < 3; round += 1) {
      guest.shell(`runuser -u postgres -- /usr/lib/postgresql/${release.postgres}/bin/pgbench -n -c 4 -T 60 -f /srv/load.sql app >/srv/load.log 2>&1 &`);
      await guest.until('rows under way', () => Number(guest.sql("SELECT count(*) FROM workflow.workflow_events WHERE run_id LIKE 'wrun_load_%'")) > 1000 * (round + 1));
      let began = Date.now();
      guest.run('systemctl', 'stop', guest.postgres);
      times.with.push(Date.now() - began);
      assert.equal(guest.show(guest.postgres, 'Result').Result, 'success');
      assert.equal(state(guest).ActiveState, 'active');
      guest.run('systemctl', 'start', guest.postgres);
      began = Date.now();
      await told(guest, duplicate(guest));
      note(`after a restart of the server a finding is told within ${seconds(began)} s`);
    }
    const { MainPID: pid, NRestarts: restarts } = state(guest);
    guest.run('systemctl', 'restart', guest.postgres);
    await told(guest, duplicate(guest));
    assert.deepEqual([state(guest).MainPID, state(guest).NRestarts], [pid, restarts]);
    guest.run('systemctl', 'stop', UNIT);
    for (let round = 0; round < 3; round += 1) {
      const began = Date.now();
      guest.run('systemctl', 'stop', guest.postgres);
      times.without.push(Date.now() - began);
      guest.run('systemctl', 'start', guest.postgres);
    }
    note(`systemctl stop ${guest.postgres}: ${times.with.join(', ')} ms under load with dupwatch, ${times.without.join(', ')} ms idle and without it`);
    assert.ok(Math.max(...times.with) < Math.max(...times.without) + 3000, JSON.stringify(times));
    guest.run('systemctl', 'start', UNIT);
  });

  await t.test('stopped within 5 s, its position confirmed, the slot free', async () => {
    await told(guest, duplicate(guest));
    const end = guest.sql('SELECT pg_current_wal_lsn()');
    const began = Date.now();
    guest.run('systemctl', 'stop', UNIT);
    const took = seconds(began);
    assert.ok(took < 5, `${took} s`);
    assert.deepEqual([state(guest).ActiveState, state(guest).Result, state(guest).ExecMainStatus], ['inactive', 'success', '0']);
    assert.equal(guest.sql(`SELECT active, confirmed_flush_lsn >= '${end}' FROM pg_replication_slots WHERE slot_name = 'dupwatch'`), 'f|t');
    note(`systemctl stop: ${took} s`);
    guest.run('systemctl', 'start', UNIT);
  });

  await t.test('killed: back after RestartSec; a wrong configuration: not tried again', async () => {
    const pid = running(guest);
    const { NRestarts: restarts } = state(guest);
    guest.run('kill', '-9', pid);
    const began = Date.now();
    await guest.until('it is back', () => state(guest).ActiveState === 'active' && state(guest).MainPID !== pid);
    note(`kill -9: active again after ${seconds(began)} s`);
    assert.equal(Number(state(guest).NRestarts), Number(restarts) + 1);
    await told(guest, duplicate(guest));
    guest.run('systemctl', 'stop', UNIT);
    guest.shell(`echo 'mistake: 1' >>${CONFIG}`);
    assert.notEqual(guest.try('systemctl', 'start', UNIT).status, 0);
    await sleep(12_000);
    assert.deepEqual([state(guest).ActiveState, state(guest).ExecMainStatus], ['failed', '2']);
    guest.shell(`cat /root/good >${CONFIG}`);
    guest.run('systemctl', 'start', UNIT);
  });

  await t.test('a loop that stands still is killed by the watchdog, and the next one goes on', async () => {
    const pid = running(guest);
    guest.run('kill', '-STOP', pid);
    const began = Date.now();
    const run = duplicate(guest);
    await guest.until('the watchdog', () => guest.journal(UNIT).some(({ message }) => /Watchdog timeout/.test(message)), 60_000);
    const noticed = seconds(began);
    await guest.until('the next one', () => state(guest).ActiveState === 'active' && state(guest).MainPID !== pid, 60_000);
    note(`SIGSTOP: the watchdog after ${noticed} s, active again after ${seconds(began)} s`);
    assert.ok(noticed < 35, `${noticed} s`);
    await told(guest, run);
  });

  await t.test('the sandbox holds: what the service\'s account and unit do not let a program do', () => {
    for (const [what, output] of probe(guest)) assert.match(output, /^no:/, `${what}: ${output}`);
    const pid = running(guest);
    const status = guest.run('cat', `/proc/${pid}/status`);
    for (const line of [/^CapEff:\t0{16}$/m, /^CapBnd:\t0{16}$/m, /^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m]) assert.match(status, line);
    const [overall] = guest.run('systemd-analyze', 'security', '--no-pager', UNIT).split('\n').filter((line) => line.includes('Overall exposure'));
    note(overall.replace(/[^\x20-\x7e]/g, '').trim());
    assert.ok(Number(/: ([\d.]+)/.exec(overall)[1]) <= 2, overall);
  });

  await t.test('rebooted: enabled, so it is back with its server', async () => {
    guest.run('systemctl', 'reboot', '--force');
    await guest.ended;
    await guest.start();
    await guest.until('it is active', () => state(guest).ActiveState === 'active', 60_000);
    await told(guest, duplicate(guest));
  });

  await t.test('purged: stopped, and no unit, account or state is left', () => {
    const said = guest.shell('dpkg --purge dupwatch 2>&1');
    assert.match(said, /pg_drop_replication_slot/);
    assert.equal(guest.show(UNIT, 'LoadState').LoadState, 'not-found');
    assert.notEqual(guest.try('getent', 'passwd', 'dupwatch').status, 0);
    assert.equal(guest.shell("find / -xdev -name '*dupwatch*' -not -path '/proc/*' -not -path '/var/log/*' -not -path '/root/*' -not -path '/var/lib/postgresql/*' -not -path '/run/*'"), '');
    assert.equal(guest.sql("SELECT active FROM pg_replication_slots WHERE slot_name = 'dupwatch'"), 'f');
  });
}

/** What a program can't do under the unit's own lines: [what, what came of it]. */
const FORBIDDEN = {
  'write to /etc': 'echo x >/etc/dupwatch/x',
  'write to /usr': 'echo x >/usr/bin/x',
  'write to the server\'s data': 'echo x >/var/lib/postgresql/x',
  'read /root': 'ls /root',
  'read /home': 'ls /home/someone',
  'read the memory of another process': 'cat /proc/1/environ',
  'see another account\'s processes': 'ls -d /proc/1',
  'use a disk or another device': 'ls /dev/console || ls /dev/fuse || ls /dev/sda',
  'mount': 'mount -t tmpfs none /tmp',
  'make a namespace': 'unshare --user true',
  'change the clock': 'date -s 2000-01-01',
  'become root': 'runuser -u root true',
  'give a file away': 'touch /tmp/x && chown root /tmp/x',
  'open a raw socket': 'perl -MSocket -e "socket(my $s, PF_PACKET = 17, SOCK_RAW, 0) or die"',
  'raise its limits': 'perl -e "exit syscall(160, 7, pack(q{QQ}, 1 << 20, 1 << 20)) ? 1 : 0"',
  'map memory that is writable and executable': 'perl -e "exit syscall(9, 0, 4096, 7, 0x22, -1, 0) < 0 ? 1 : 0"',
  'trace': 'perl -e "exit syscall(101, 0, 0, 0, 0) < 0 ? 1 : 0"',
};

function probe(guest) {
  guest.shell('mkdir -p /home/someone && chmod 755 /home/someone');
  const tries = Object.entries(FORBIDDEN).map(([what, command]) => `if said=$( (${command}) 2>&1); then echo "${what}|yes"; else echo "${what}|no: $said" | tr '\\n' ' '; echo; fi`);
  fs.writeFileSync(path.join(guest.root, 'usr/bin/dupwatch-probe'), `#!/bin/sh\ntouch /var/lib/dupwatch/x && rm /var/lib/dupwatch/x && echo "write its state|no: it can"\n${tries.join('\n')}\n`, { mode: 0o755 });
  const unit = fs.readFileSync(path.join(guest.root, 'lib/systemd/system/dupwatch.service'), 'utf8')
    .replace(/^ExecStart=.*$/m, 'ExecStart=/usr/bin/dupwatch-probe').replace(/^Type=.*$/m, 'Type=oneshot').replace(/^(WatchdogSec|Restart|RestartSec|ExecReload)=.*$/gm, '');
  fs.writeFileSync(path.join(guest.root, 'etc/systemd/system/dupwatch-probe.service'), unit);
  guest.run('systemctl', 'daemon-reload');
  guest.run('systemctl', 'start', 'dupwatch-probe');
  guest.shell('rm /usr/bin/dupwatch-probe /etc/systemd/system/dupwatch-probe.service; systemctl daemon-reload');
  const said = guest.run('journalctl', '--unit', 'dupwatch-probe', '--output', 'cat', '--no-pager').split('\n').filter((line) => line.includes('|')).map((line) => line.split(/\|(.*)/s));
  assert.equal(said.length, Object.keys(FORBIDDEN).length + 1, JSON.stringify(said));
  return said;
}
