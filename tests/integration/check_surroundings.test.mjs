// What `run` needs beside the watched database, and `check` looks at: files with their folders, the address, every other DSN.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../postgres/cluster.mjs';
import { withSchema } from './check_scene.mjs';
import { entering, groupWith } from './control_group.mjs';
import { runCommand } from './daemon.mjs';
import { daemonFor } from './scene.mjs';

describe('what run needs beside the database', () => {
  let cluster;
  let dir;
  before(async () => {
    cluster = await withSchema();
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-check-'));
  });
  after(async () => {
    fs.rmSync(dir, { recursive: true, force: true });
    await cluster?.destroy();
  });

  /** The lines of check by name, with the exit code. */
  async function checked(config, more = []) {
    const file = path.join(dir, 'dupwatch.yaml');
    fs.writeFileSync(file, JSON.stringify({ connection: { dsn: cluster.dsn() }, http: { listen: '127.0.0.1:0' }, ...config }));
    const { code, stdout, stderr } = await runCommand(['check', '--json', '--config', file, ...more]);
    assert.ok(stdout, stderr);
    const { ok, lines } = JSON.parse(stdout);
    return { code, ok, ...Object.fromEntries(lines.map((line) => [line.name, line])), names: lines.map(({ name }) => name) };
  }
  const failed = (line, words) => {
    assert.equal(line?.verdict, 'fail', JSON.stringify(line));
    assert.match(`${line.found} ${line.fix}`, words);
  };

  test('the memory that the control group allows', async (t) => {
    const folder = groupWith(t, 128 * 2 ** 20);
    if (!folder) {
      t.skip('no control group can be made here');
      return;
    }
    const program = process.env.DUPWATCH_BIN;
    process.env.DUPWATCH_BIN = entering(t, folder);
    try {
      const { memory, names } = await checked({});
      assert.deepEqual([memory?.verdict, /128 MiB, the index may take 256 MiB/.test(memory?.found)], ['warn', true], JSON.stringify(memory));
      assert.match(memory.fix, /index\.memory_max.*MemoryMax=/);
      assert.ok(!(await checked({ index: { memory_max: '16MiB' } })).names.includes('memory'), names.join());
    } finally {
      if (program === undefined) delete process.env.DUPWATCH_BIN;
      else process.env.DUPWATCH_BIN = program;
    }
  });

  test('the findings file and its folder', async () => {
    const good = await checked({ findings: { file: path.join(dir, 'findings.jsonl') } });
    assert.equal(good.findings_file.verdict, 'pass');
    assert.ok(!fs.existsSync(path.join(dir, 'findings.jsonl')), 'nothing is left behind');
    const missing = await checked({ findings: { file: path.join(dir, 'nowhere/findings.jsonl') } });
    assert.deepEqual([missing.code, missing.ok], [1, false]);
    failed(missing.findings_file, /nowhere.*install -d -o /);
    failed((await checked({ findings: { file: dir } })).findings_file, /is a folder/);
    failed((await checked({ findings: { file: path.join(dir, 'dupwatch.yaml/findings.jsonl') } })).findings_file, /Not a directory/);
    assert.equal((await checked({ findings: { file: 'findings.jsonl' } })).findings_file.verdict, 'warn', 'relative');
  });

  test('rights on the findings file are those of who asks', { skip: process.getuid() !== 0 && 'needs root to be another' }, async () => {
    fs.chmodSync(dir, 0o755);
    const folder = path.join(dir, 'closed');
    fs.mkdirSync(folder, { mode: 0o755 });
    const file = path.join(dir, 'other.yaml');
    fs.writeFileSync(file, JSON.stringify({ http: { listen: '' }, findings: { file: path.join(folder, 'findings.jsonl') } }));
    const binary = path.join(dir, 'dupwatch');
    fs.copyFileSync(process.env.DUPWATCH_BIN ?? 'build/release/bin/dupwatch', binary);
    fs.chmodSync(binary, 0o755);
    const ask = () => {
      try {
        return JSON.parse(execFileSync('runuser', ['-u', 'nobody', '--', binary, 'check', '--offline', '--json', '--config', file], { encoding: 'utf8' }));
      } catch (error) {
        return JSON.parse(error.stdout);
      }
    };
    const [line] = ask().lines;
    failed(line, new RegExp(`nobody may not make files in the folder ${folder}.*chown nobody`));
    execFileSync('chown', ['nobody', folder]);
    assert.equal(ask().ok, true);
  });

  test('the address of http.listen', async (t) => {
    const port = await freePort();
    assert.equal((await checked({ http: { listen: `127.0.0.1:${port}` } })).http_listen.verdict, 'pass');
    const silent = net.createServer((socket) => {
      socket.resume().on('error', () => {});
      t.after(() => socket.destroy());
    });
    for (const [what, server] of [['a program that says nothing', silent], ['another web server', http.createServer((_, answer) => answer.writeHead(404, { connection: 'close' }).end())]]) {
      await new Promise((resolve) => { server.listen(port, '127.0.0.1', resolve); });
      const { http_listen: line, code } = await checked({ http: { listen: `127.0.0.1:${port}` } });
      assert.equal(code, 1, what);
      failed(line, /is taken, and no dupwatch answers there.*ss -ltnp/);
      server.closeAllConnections?.();
      await new Promise((resolve) => { server.close(resolve); });
    }
    failed((await checked({ http: { listen: '192.0.2.1:9090' } })).http_listen, /can't be listened at/);
    const daemon = await daemonFor(t, cluster, { slot: { name: 'running' } });
    await daemon.start();
    const running = await checked({ http: { listen: new URL(daemon.httpBase).host } });
    assert.equal(running.http_listen.verdict, 'pass', JSON.stringify(running.http_listen));
    assert.match(running.http_listen.found, /a running dupwatch answers/);
    await daemon.stop();
  });

  test('findings.table, heartbeat.dsn and the quarantine', async () => {
    await cluster.query('CREATE ROLE plain LOGIN REPLICATION');
    const dsn = cluster.dsn({ user: 'plain' });
    const asked = { connection: { dsn }, findings: { table: 'dupwatch.findings' }, heartbeat: { dsn: cluster.dsn({ port: 1 }) }, quarantine: { mode: 'remove', dsn } };
    const before = await checked(asked);
    assert.equal(before.code, 1);
    failed(before.findings_table, /dupwatch.*findings.*(does not exist|permission denied)/);
    failed(before.heartbeat_dsn, /refused/);
    failed(before.quarantine, /dupwatch\.quarantine/);
    const file = path.join(dir, 'dupwatch.yaml');
    const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', file]);
    await cluster.query(setup.stdout);
    const after = await checked({ ...asked, heartbeat: { dsn } });
    for (const name of ['findings_table', 'heartbeat_dsn', 'quarantine']) assert.equal(after[name].verdict, 'pass', JSON.stringify(after[name]));
    await cluster.query('REVOKE INSERT ON dupwatch.findings FROM plain; REVOKE DELETE ON workflow.workflow_events FROM plain');
    const narrowed = await checked(asked);
    failed(narrowed.findings_table, /no right to INSERT/);
    failed(narrowed.quarantine, /no right to DELETE/);
  });

  test('--offline asks no server', async () => {
    const { code, names } = await checked({ connection: { dsn: 'host=127.0.0.1 port=1' }, findings: { file: path.join(dir, 'findings.jsonl') } }, ['--offline']);
    assert.equal(code, 0);
    assert.deepEqual(names, ['findings_file', 'http_listen']);
  });
});
