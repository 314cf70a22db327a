// A private Postgres cluster in a scratch folder, on a loopback port and a socket inside that folder.
// Nothing of the host's own Postgres is read or touched.
import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { account, binaries, systemMajor } from './binaries.mjs';
import { connect, identifier } from './client.mjs';

const SIGNAL_OF_MODE = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' };

// fsync is off because no test crashes the kernel; a killed server still finds every page it wrote.
const DEFAULT_SETTINGS = {
  wal_level: 'logical',
  fsync: 'off',
  shared_buffers: '32MB',
  max_connections: 60,
  max_wal_senders: 10,
  max_replication_slots: 10,
  max_worker_processes: 4,
  autovacuum_max_workers: 1,
  log_line_prefix: '%m [%p] %q%u@%d ',
  log_replication_commands: 'on',
  listen_addresses: '127.0.0.1',
};

const DEFAULT_HBA = ['local all all trust', 'host all all 127.0.0.1/32 trust'];

// ./test names a folder of its own: data folders as they were before their first test. To make one takes longer than many a test.
// Clusters from one template have one system identifier.
const templates = process.env.DUPWATCH_TEMPLATES;

const live = new Set();

// The last resort when a test dies without stopping its cluster: no server and no folder may outlive this process.
process.on('exit', () => {
  for (const cluster of live) cluster.destroyNow();
});
// A signal ends node without the exit handlers, unless somebody handles it. Who has a handler of his own decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(1);
  });
}

/**
 * A TCP port of the loopback interface that is free at this moment, and below those that the kernel gives to outgoing
 * connections: one of these could take it before the server does.
 */
export async function freePort() {
  for (;;) {
    const port = randomInt(10_240, 32_768);
    const free = await new Promise((resolve) => {
      const probe = net.createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/**
 * Creates a cluster and starts it.
 * Options: major (the system's own), settings (postgresql.conf, over the defaults), hba (pg_hba.conf lines, in place of the
 * defaults), files ({name: content}, written into the data folder before the start: certificates, keys),
 * database ("app"), start (true), content ({name, make(cluster)}: what is put into the database).
 */
export async function createCluster(options = {}) {
  const cluster = new Cluster(options);
  const { content } = options;
  const empty = templates && `${cluster.major}`;
  const filled = templates && content && cluster.database === 'app' ? `${cluster.major}-${content.name}` : undefined;
  const template = [filled, empty].find((name) => name && fs.existsSync(path.join(templates, name)));
  await cluster.initialize(template);
  if (empty && !template) cluster.keepAs(empty);
  cluster.configure({}, cluster.hba);
  for (const [name, text] of Object.entries(cluster.files)) cluster.writeFile(name, text);
  if (options.start === false) return cluster;
  await cluster.start();
  if (filled && template === filled) return cluster;
  await cluster.createDatabase(cluster.database);
  await content?.make(cluster);
  if (filled && Object.keys(cluster.files).length === 0) {
    await cluster.stop();
    cluster.keepAs(filled);
    await cluster.start();
  }
  return cluster;
}

// Orphans stay zombies where nobody reaps them.
function alive(pid) {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

class Cluster {
  constructor({ major = systemMajor, settings = {}, hba = DEFAULT_HBA, files = {}, database = 'app' }) {
    Object.assign(this, { major, settings, hba, files, database });
    this.owner = account();
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-pg-'));
    this.dataDir = path.join(this.dir, 'data');
    this.logFile = path.join(this.dir, 'server.log');
    if (this.owner.uid !== undefined) fs.chownSync(this.dir, this.owner.uid, this.owner.gid);
    live.add(this);
  }

  /** Makes the data folder, from the template of that name if one is given. */
  async initialize(template) {
    this.bin = binaries(this.major, this.dir, this.owner);
    this.port = await freePort();
    const [program, ...options] = template
      ? ['cp', '-a', path.join(templates, template), this.dataDir]
      : [path.join(this.bin, 'initdb'), '-D', this.dataDir, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'];
    const made = spawnSync(program, options, { ...(template ? {} : this.owner), cwd: this.dir, encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`${program} for Postgres ${this.major} failed: ${made.stderr || made.error}`);
    // Newer minors load only the output plugins that this parameter names; older ones refuse to start with it.
    const known = spawnSync(path.join(this.bin, 'postgres'), ['--describe-config'], { ...this.owner, cwd: this.dir, encoding: 'utf8' });
    this.restrictsPlugins = known.stdout?.includes('output_plugin_libraries') ?? false;
    const trusted = this.restrictsPlugins ? { output_plugin_libraries: 'pgoutput, test_decoding, wal2json' } : {};
    this.settings = { ...trusted, ...this.settings };
  }

  /** Keeps the data folder of the stopped cluster as a template. Of several processes with one idea the first is taken. */
  keepAs(template) {
    const own = path.join(templates, `making-${process.pid}`);
    const kept = spawnSync('cp', ['-a', this.dataDir, own], { encoding: 'utf8' });
    if (kept.status !== 0) throw new Error(`the template ${template} could not be kept: ${kept.stderr}`);
    try {
      fs.renameSync(own, path.join(templates, template));
    } catch (error) {
      if (!['EEXIST', 'ENOTEMPTY'].includes(error.code)) throw error;
      fs.rmSync(own, { recursive: true });
    }
  }

  /** Writes settings and access rules; they count from the next start (or reload) on. */
  configure(settings, hba = this.hba) {
    this.settings = { ...this.settings, ...settings };
    this.hba = hba;
    const all = { ...DEFAULT_SETTINGS, ...this.settings, port: this.port, unix_socket_directories: this.dir };
    const lines = Object.entries(all).map(([key, value]) => `${key} = '${String(value).replaceAll("'", "''")}'`);
    this.writeFile('postgresql.conf', `${lines.join('\n')}\n`);
    this.writeFile('pg_hba.conf', `${hba.join('\n')}\n`);
  }

  /** Writes a file into the data folder, owned by the server's account and readable by it alone. */
  writeFile(name, content) {
    const file = path.join(this.dataDir, name);
    fs.writeFileSync(file, content, { mode: 0o600 });
    if (this.owner.uid !== undefined) fs.chownSync(file, this.owner.uid, this.owner.gid);
    return file;
  }

  /** Starts the server and returns when it accepts connections. */
  async start(timeoutMs = 60_000) {
    const log = fs.openSync(this.logFile, 'a');
    this.child = spawn(path.join(this.bin, 'postgres'), ['-D', this.dataDir], {
      ...this.owner, cwd: this.dir, stdio: ['ignore', log, log], detached: true,
    });
    fs.closeSync(log);
    const child = this.child;
    child.unref(); // A forgotten server must not keep this process alive; the exit handler ends it.
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      child.once('error', (error) => resolve({ error }));
    });
    const deadline = Date.now() + timeoutMs;
    while (!this.ready()) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
        // Another test's server was faster. Nobody knows this one's port before its first start.
        if (!this.started && /Address already in use/.test(this.log())) {
          fs.rmSync(this.logFile);
          this.port = await freePort();
          this.configure({});
          return this.start(timeoutMs);
        }
        throw new Error(`Postgres ${this.major} did not start:\n${this.log().slice(-4000)}`);
      }
      await sleep(20);
    }
    this.started = true;
  }

  // The eighth line of postmaster.pid is the server's own word on its state.
  ready() {
    try {
      const lines = fs.readFileSync(path.join(this.dataDir, 'postmaster.pid'), 'utf8').split('\n');
      return Number(lines[0]) === this.child.pid && lines[7]?.trim() === 'ready';
    } catch {
      return false;
    }
  }

  running() {
    return Boolean(this.child) && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Stops the server. mode: smart, fast or immediate (crash recovery at the next start). */
  async stop(mode = 'fast') {
    if (!this.running()) return;
    await this.signal(SIGNAL_OF_MODE[mode]);
  }

  async restart(mode = 'fast') {
    await this.stop(mode);
    await this.start();
  }

  /** Kills the postmaster with SIGKILL; its children end by themselves when they miss it. */
  async kill() {
    if (!this.running()) return;
    const { pid } = this.child;
    const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    await this.signal('SIGKILL');
    // The next server refuses to start while one of them still holds the shared memory.
    for (const deadline = Date.now() + 30_000; children.some(alive) && Date.now() < deadline;) await sleep(20);
  }

  async signal(name) {
    this.child.ref();
    this.child.kill(name);
    await this.ended;
  }

  /** Makes the server read its configuration again. */
  reload() {
    this.child.kill('SIGHUP');
  }

  /** Stops the server and removes its folder. */
  async destroy() {
    await this.stop('immediate');
    live.delete(this);
    fs.rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  /** The same without waiting, for a process that is about to end. */
  destroyNow() {
    if (this.running()) this.child.kill('SIGQUIT');
    for (let attempt = 0; attempt < 50 && fs.existsSync(path.join(this.dataDir, 'postmaster.pid')); attempt += 1) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40);
    }
    fs.rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  log() {
    return fs.existsSync(this.logFile) ? fs.readFileSync(this.logFile, 'utf8') : '';
  }

  /** libpq keywords for the cluster; `over` replaces or adds some. */
  dsn(over = {}) {
    const words = { host: '127.0.0.1', port: this.port, dbname: this.database, user: 'postgres', ...over };
    return Object.entries(words)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${/^[\w.,/:-]+$/.test(String(value)) ? value : `'${String(value).replace(/[\\']/g, '\\$&')}'`}`)
      .join(' ');
  }

  /** The address of the cluster as a URI, for clients that take no keywords. */
  uri(database = this.database) {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  /** A connected client; config is node-postgres' own. */
  client(config = {}) {
    return connect({ host: '127.0.0.1', port: this.port, user: 'postgres', database: this.database, ...config });
  }

  /** Runs one statement (or several, without parameters) on a connection of its own and returns the rows. */
  async query(sql, parameters) {
    const client = await this.client();
    try {
      return (await client.query(sql, parameters)).rows;
    } finally {
      await client.end();
    }
  }

  async createDatabase(name) {
    const client = await this.client({ database: 'postgres' });
    try {
      await client.query(`CREATE DATABASE ${identifier(name)}`);
    } finally {
      await client.end();
    }
  }
}
