// A service manager's end of NOTIFY_SOCKET. Node has no unix datagram sockets; perl, which Debian's Postgres brings, does.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

// One line per datagram: seconds, then its assignments with tabs between them.
const RECEIVER = `
use strict; use Socket; use Time::HiRes qw(time);
$| = 1;
my $name = $ARGV[0] =~ s/^@/\\0/r;
my $in;
socket($in, AF_UNIX, SOCK_DGRAM, 0) && bind($in, pack_sockaddr_un($name)) or die "$ARGV[0]: $!";
print "bound\\n";
while (defined recv($in, my $message, 65536, 0)) {
  $message =~ s/\\n\\z//; $message =~ tr/\\t\\n/ \\t/;
  printf "%.3f\\t%s\\n", time, $message;
}`;

/**
 * Listens at a path in a scratch folder, or at an abstract name, until the end of test `t`. `messages` holds what came,
 * {at (ms), READY, STATUS, WATCHDOG, ...}; `env` makes a daemon speak to it.
 */
export async function notifySocket(t, { abstract = false, watchdogMs } = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-notify-'));
  const address = abstract ? `@${dir}` : path.join(dir, 'notify');
  const child = spawn('perl', ['-e', RECEIVER, address], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => {
    child.kill('SIGKILL');
    fs.rmSync(dir, { recursive: true, force: true });
  });
  const messages = [];
  const bound = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the receiver ended with ${code}`)));
    let rest = '';
    child.stdout.on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        if (line === 'bound') {
          resolve();
          continue;
        }
        const [seconds, ...assignments] = line.split('\t');
        messages.push({ at: Number(seconds) * 1000, ...Object.fromEntries(assignments.map((text) => text.split(/=(.*)/s).slice(0, 2))) });
      }
    });
  });
  await bound;
  const env = { NOTIFY_SOCKET: address };
  if (watchdogMs) env.WATCHDOG_USEC = String(watchdogMs * 1000);
  return {
    messages,
    env,
    /** Those with this assignment, sent since `from`. */
    with: (name, from = 0) => messages.filter((message) => name in message && message.at >= from),
  };
}
