// The demonstration behind ./quickstart: a private server, the real schema, two racing writers and the daemon.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { binary, Daemon, runCommand } from '../integration/daemon.mjs';
import { compare, latestFindings } from '../integration/ground_truth.mjs';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { findingLine, follow, LEGEND, nextSteps, worstFirst } from './show.mjs';

const WORLD = '4.1.1';
const { values: options } = parseArgs({
  options: { once: { type: 'boolean', default: false }, plugin: { type: 'string', default: 'wal2json' } },
});
const SHOWN_MAX = 10; // fatal findings of the summary
const say = (text) => process.stdout.write(`${text}\n`);

let interrupted = false;
let wake = () => {};
const interruption = new Promise((resolve) => { wake = resolve; });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true;
    wake();
  });
}

/** A daemon with a login of its own, which holds what dupwatch needs and no more. */
async function prepareDaemon(cluster) {
  const daemon = new Daemon(cluster, {
    connection: { dsn: cluster.dsn({ user: 'dupwatch' }) },
    slot: { name: 'dupwatch', plugin: options.plugin, publication: 'dupwatch' },
    baseline: 'all',
  });
  const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
  if (setup.code !== 0) throw new Error(`dupwatch setup --print-sql ended with ${setup.code}: ${setup.stderr}`);
  await cluster.query(setup.stdout);
  return daemon;
}

function startWriters(cluster) {
  const race = fileURLToPath(new URL('../writers/race.mjs', import.meta.url));
  const load = options.once ? ['--runs', '25'] : ['--runs', '0', '--rate', '0.5'];
  const writers = spawn(process.execPath, [race, '--world', WORLD, '--dsn', cluster.uri(), '--processes', '2',
    '--late', '0.2', '--seed', String(process.pid), ...load], { stdio: ['ignore', 'pipe', 'inherit'] });
  writers.summary = '';
  writers.stdout.on('data', (data) => { writers.summary += data; });
  writers.ended = new Promise((resolve) => writers.once('close', resolve));
  return writers;
}

async function conclude(cluster, daemon) {
  await daemon.caughtUp();
  const client = await cluster.client();
  try {
    const result = await compare(daemon.findingsFile, client);
    const fatal = worstFirst(latestFindings(daemon.findingsFile)).filter((finding) => finding.severity === 'fatal');
    say('');
    if (fatal.length) say(`The fatal ones${fatal.length > SHOWN_MAX ? `, ${SHOWN_MAX} of ${fatal.length}` : ''}:`);
    for (const finding of fatal.slice(0, SHOWN_MAX)) say(findingLine(finding));
    say('');
    say(`${result.found} findings, ${fatal.length} of them fatal to a 4.x engine`);
    say(`SQL over the whole table: expected ${result.expected}, found ${result.found}, missed ${result.missed.length}, false ${result.false_.length}, wrong ${result.wrong.length}`);
    for (const [rule, count] of Object.entries(result.rules)) say(`  ${rule.padEnd(24)} ${count}`);
    // A race without a finding proves nothing.
    return result.ok && result.expected > 0;
  } finally {
    await client.end();
  }
}

async function demonstrate() {
  const resources = [];
  try {
    const cluster = await createCluster();
    resources.unshift(() => cluster.destroy());
    say(`Postgres ${cluster.major} (private) on ${cluster.dsn()}`);
    await installSchema(WORLD, cluster.uri());
    say(`schema of @workflow/world-postgres ${WORLD} installed`);
    const daemon = await prepareDaemon(cluster);
    resources.unshift(() => daemon.destroy());
    await daemon.start();
    resources.unshift(async () => {
      await daemon.stop();
      const dropped = await runCommand(['drop', '--config', daemon.configFile]);
      if (dropped.code !== 0) say(`dupwatch drop ended with ${dropped.code}: ${dropped.stderr}`);
    });
    say(`dupwatch streams through ${options.plugin}`);
    // With --once both are gone before anybody has opened them.
    if (!options.once) say(`page ${daemon.httpBase}/  metrics ${daemon.httpBase}/metrics`);
    say(options.once ? 'two processes race through 25 runs' : 'two processes race, one run every 2 s; Ctrl-C ends it');
    say('');
    for (const line of LEGEND) say(line);
    let helped = options.once;
    // That a run has ended is told of each of its findings once more; here it would only be noise.
    const unfollow = follow(daemon.findingsFile, (finding) => {
      if (finding.state !== 'open' && finding.change !== 'new') return;
      say(findingLine(finding));
      if (helped || finding.severity !== 'fatal' || finding.state !== 'open') return;
      helped = true;
      for (const line of nextSteps(finding, path.relative(process.cwd(), binary()), daemon.configFile)) say(line);
      say('');
    });
    resources.unshift(unfollow);
    if (interrupted) return false;
    const writers = startWriters(cluster);
    resources.unshift(() => {
      writers.kill('SIGTERM');
      return writers.ended;
    });
    const first = await Promise.race([writers.ended, interruption, daemon.ended.then(() => 'dupwatch')]);
    if (first === 'dupwatch' && !interrupted) throw new Error(`dupwatch ended by itself:\n${daemon.tail()}`);
    writers.kill('SIGTERM');
    const code = await writers.ended;
    if (code !== 0 && !interrupted) throw new Error(`the writers ended with ${code}`);
    if (interrupted && !daemon.running()) return true;
    return await conclude(cluster, daemon);
  } finally {
    for (const release of resources) await release();
    say('removed the server, the slot and all files of this demonstration');
    if (options.once) say('./quickstart without --once keeps all of it running, with the page and the commands that save a run');
  }
}

try {
  const ok = await demonstrate();
  process.exitCode = ok || (interrupted && !options.once) ? 0 : 1;
} catch (error) {
  console.error(`quickstart: ${error.message}`);
  process.exitCode = 1;
}
