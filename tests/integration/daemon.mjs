// Starts the daemon under test with a configuration of its own and watches what it says.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemMajor } from '../postgres/binaries.mjs';
import { lsn } from '../postgres/client.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The binary under test: DUPWATCH_BIN, or the release build, or the dev build. */
export function binary() {
  if (process.env.DUPWATCH_BIN) return process.env.DUPWATCH_BIN;
  const builds = ['release', 'dev'].map((preset) => path.join(root, 'build', preset, 'bin', 'dupwatch'));
  const found = builds.find((file) => fs.existsSync(file));
  if (!found) throw new Error(`no dupwatch binary (looked for ${builds.join(', ')}): build it first`);
  return found;
}

/** One logfmt or JSON log line as an object; undefined for anything else. */
export function parseLogLine(line) {
  if (line.startsWith('{')) {
    try {
      return JSON.parse(line);
    } catch {
      return undefined;
    }
  }
  const fields = {};
  for (const [, key, quoted, bare] of line.matchAll(/([\w.]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g)) {
    fields[key] = quoted === undefined ? bare : quoted.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
  }
  return Object.keys(fields).length ? fields : undefined;
}

function merge(base, over) {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const nested = value && typeof value === 'object' && !Array.isArray(value) && result[key] && typeof result[key] === 'object';
    result[key] = nested ? merge(result[key], value) : value;
  }
  return result;
}

/** Runs one command of the binary to its end; resolves {code, signal, stdout, stderr, lines}. onOutput gets the process with its first output. */
export function runCommand(args, { env = {}, timeoutMs = 60_000, onOutput, stdout: file } = {}) {
  return new Promise((resolve, reject) => {
    const out = file === undefined ? 'pipe' : fs.openSync(file, 'w');
    const child = spawn(binary(), args, { env: { ...process.env, ...env }, stdio: ['ignore', out, 'pipe'] });
    if (file !== undefined) fs.closeSync(out);
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    let stdout = '';
    let stderr = '';
    if (onOutput) child.stdout.once('data', () => onOutput(child));
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8');
    child.stdout?.on('data', (data) => { stdout += data; });
    child.stderr.on('data', (data) => { stderr += data; });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const lines = `${stdout}${stderr}`.split('\n').map(parseLogLine).filter(Boolean);
      resolve({ code, signal, stdout, stderr, lines });
    });
  });
}

const live = new Set();
process.on('exit', () => {
  for (const daemon of live) daemon.destroyNow();
});

/**
 * With DUPWATCH_TLS, a folder with server.pem and server.key, every daemon that says nothing else of its HTTP server speaks TLS:
 * tests/page/tls.test.mjs runs the tests of the page and the API that way.
 */
function withTls(config, dir) {
  const folder = process.env.DUPWATCH_TLS;
  if (!folder || !config.http?.listen || config.http.web_config_file) return config;
  const file = path.join(dir, 'web.yml');
  fs.writeFileSync(file, JSON.stringify({ tls_server_config: { cert_file: `${folder}/server.pem`, key_file: `${folder}/server.key` } }));
  return { ...config, http: { ...config.http, web_config_file: file } };
}

/**
 * The daemon with a configuration that watches `cluster`. `config` (in the shape of the YAML file) goes over the
 * test defaults: any free HTTP port, a findings file in a scratch folder, no limit on logged findings.
 */
export class Daemon {
  constructor(cluster, config = {}) {
    this.cluster = cluster;
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-run-'));
    this.findingsFile = path.join(this.dir, 'findings.jsonl');
    this.configFile = path.join(this.dir, 'dupwatch.yaml');
    this.configure(merge({
      connection: { dsn: cluster.dsn(), backoff_max: '1s' },
      slot: { name: 'dupwatch', plugin: cluster.major === systemMajor ? 'wal2json' : 'pgoutput' },
      findings: { file: this.findingsFile, log_rate_max: 0 },
      http: { listen: '127.0.0.1:0' },
      log: { format: 'logfmt', level: 'debug' },
    }, config));
    this.lines = [];
    this.watchers = new Set();
    live.add(this);
  }

  /** Replaces the configuration; it counts from the next start on. JSON is YAML. */
  configure(config) {
    this.config = config;
    fs.writeFileSync(this.configFile, `${JSON.stringify(withTls(config, this.dir), null, 2)}\n`);
  }

  /** Starts `dupwatch run`. `ready: true` also waits until it streams and has caught up. */
  async start({ ready = true, args = [], env = {}, timeoutMs = 60_000 } = {}) {
    this.child = spawn(binary(), ['run', '--config', this.configFile, ...args], {
      env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // A Ctrl-C is for this process, which then ends the daemon in its own time.
    });
    this.httpBase = undefined;
    const child = this.child;
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.exit = { code, signal };
        for (const watcher of this.watchers) watcher();
        resolve(this.exit);
      });
    });
    this.exit = undefined;
    for (const stream of [child.stdout, child.stderr]) this.collect(stream);
    if (ready) await this.ready(timeoutMs);
    return this;
  }

  collect(stream) {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const parsed = parseLogLine(line) ?? {};
        this.lines.push({ ...parsed, text: line });
        if (parsed.event === 'listening') this.httpBase = parsed.address;
      }
      for (const watcher of this.watchers) watcher();
    });
  }

  /** Waits until `check()` gives something; fails with the log's end when the daemon ends or time is up. */
  async until(what, check, timeoutMs = 30_000) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const value = await check();
      if (value) return value;
      if (this.exit) throw new Error(`dupwatch ended (${JSON.stringify(this.exit)}) before: ${what}\n${this.tail()}`);
      if (Date.now() > deadline) throw new Error(`no ${what} within ${timeoutMs} ms\n${this.tail()}`);
      await sleep(25);
    }
  }

  /** The first log line from `from` on for which `match(line)` holds. */
  line(what, match, { from = 0, timeoutMs = 30_000 } = {}) {
    return this.until(what, () => this.lines.slice(from).find(match), timeoutMs);
  }

  ready(timeoutMs = 60_000) {
    return this.until('readiness', async () => (await this.fetch('/readyz').catch(() => undefined))?.status === 200, timeoutMs);
  }

  /** GETs a path of the daemon's own HTTP server. */
  async fetch(where) {
    if (!this.httpBase) throw new Error('the daemon has not said where it listens');
    return fetch(this.httpBase + where, { signal: AbortSignal.timeout(5000) });
  }

  async json(where) {
    return (await this.fetch(where)).json();
  }

  status() {
    return this.json('/api/status');
  }

  /** The value of an unlabelled metric, or the sum over its labels; undefined when there is none. */
  async metric(name) {
    const text = await (await this.fetch('/metrics')).text();
    const values = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return values.length ? values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0) : undefined;
  }

  /** Waits until everything that has committed so far is judged and confirmed. */
  async caughtUp(timeoutMs = 60_000) {
    const client = await this.cluster.client();
    try {
      const target = lsn((await client.query('SELECT pg_current_wal_flush_lsn() AS at')).rows[0].at);
      await this.until('confirmation of everything committed', async () => {
        const { rows } = await client.query('SELECT confirmed_flush_lsn AS at FROM pg_replication_slots WHERE slot_name = $1', [this.config.slot.name]);
        return rows[0]?.at && lsn(rows[0].at) >= target;
      }, timeoutMs);
    } finally {
      await client.end();
    }
  }

  /** Peak resident memory (VmHWM) in bytes. */
  peakMemory() {
    const status = fs.readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)[1]) * 1024;
  }

  running() {
    return Boolean(this.child) && !this.exit;
  }

  /** Ends the daemon by a signal and resolves {code, signal}. */
  async stop(signal = 'SIGTERM', timeoutMs = 20_000) {
    if (!this.running()) return this.exit;
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), timeoutMs);
    const exit = await this.ended;
    clearTimeout(timer);
    return exit;
  }

  kill() {
    return this.stop('SIGKILL');
  }

  async destroy() {
    await this.stop('SIGKILL');
    this.destroyNow();
  }

  destroyNow() {
    live.delete(this);
    if (this.running()) this.child.kill('SIGKILL');
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  tail(count = 30) {
    return this.lines.slice(-count).map((line) => line.text).join('\n');
  }
}
