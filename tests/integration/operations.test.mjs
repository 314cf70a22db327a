// The HTTP server in operation: who may ask.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { systemMajor } from '../postgres/binaries.mjs';
import { runCommand } from './daemon.mjs';
import { ask, basic } from './request.mjs';
import { daemonFor, serverWithSchema } from './scene.mjs';

const USER = 'prometheus';
const PASSWORD = 'correct: horse \u00e4 battery';
const PROBES = ['/healthz', '/readyz', '/startupz'];
const GUARDED = ['/', '/metrics', '/api/status', '/api/findings', '/api/history', '/api/events', '/app.js', '/app.css', '/icon.svg', '/nothing'];

const RIGHT = basic(USER, PASSWORD);

async function metric(daemon, name, authorization = RIGHT) {
  const { body } = await ask(daemon.httpBase, '/metrics', { authorization });
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1]);
}

test('run --log-level stands above log.level, also after a reload', { timeout: 60_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { log: { level: 'error' } });
  await daemon.start({ ready: false, args: ['--log-level', 'info'] });
  await daemon.line('a line of level info', (line) => line.event === 'streaming');
  daemon.child.kill('SIGHUP');
  await daemon.line('the reload', (line) => line.event === 'config_reloaded' && line.level === 'info');
  await daemon.stop();
  const { code, stderr } = await runCommand(['run', '--config', daemon.configFile, '--log-level', 'loud']);
  assert.equal(code, 2);
  assert.match(stderr, /--log-level: found "loud", expected .*debug/);
});

test('every path but the probes asks for the user and the password', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  const file = path.join(daemon.dir, 'password');
  fs.writeFileSync(file, `${PASSWORD}\n`, { mode: 0o600 });
  daemon.configure({ ...daemon.config, http: { ...daemon.config.http, basic_auth: { user: USER, password_file: file } } });
  await daemon.start();
  assert.equal(daemon.lines.find(({ event }) => event === 'listening').basic_auth, 'true');
  const base = daemon.httpBase;

  let refused = 0;
  const wrong = [undefined, '', 'Basic', RIGHT.slice(0, -4), basic(USER, `${PASSWORD} `), basic(USER, ''), basic('', PASSWORD), basic('Prometheus', PASSWORD),
    `Bearer ${RIGHT.slice(6)}`, `Basic ${USER}:${PASSWORD.replace('\u00e4', 'a')}`, `Basic ${'A'.repeat(6000)}`];
  for (const where of GUARDED) {
    for (const authorization of wrong) {
      const answer = await ask(base, where, { authorization });
      assert.equal(answer.status, 401, `${where} ${authorization}`);
      assert.equal(answer.headers['www-authenticate'], 'Basic realm="dupwatch", charset="UTF-8"');
      assert.equal(answer.body, 'a user and a password are needed\n');
      refused += 1;
    }
    assert.equal((await ask(base, where, { authorization: RIGHT })).status, where === '/nothing' ? 404 : 200, where);
  }
  for (const method of ['HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
    assert.equal((await ask(base, '/metrics', { method })).status, 401, method);
    refused += 1;
  }
  for (const where of PROBES) {
    for (const authorization of [undefined, basic(USER, 'wrong'), RIGHT]) assert.equal((await ask(base, where, { authorization })).status, 200, where);
  }
  await daemon.until('the count', async () => (await metric(daemon, 'dupwatch_http_unauthorized_total')) === refused);

  // A request of more than 8 KiB is refused before anybody looks at it, and the next one is served.
  for (const headers of [{ authorization: `Basic ${'A'.repeat(9000)}` }, { 'x-long': 'y'.repeat(100_000) }]) {
    const { status } = await ask(base, '/metrics', { headers });
    assert.ok([0, 400, 413, 431].includes(status), `status ${status}`);
  }
  assert.equal((await ask(base, '/metrics', { authorization: RIGHT })).status, 200);

  // A stranger hears that it is not ready, and not why.
  await cluster.query('ALTER TABLE workflow.workflow_events RENAME TO elsewhere');
  await daemon.until('a daemon that is not ready', async () => (await ask(base, '/readyz')).status === 503);
  assert.equal((await ask(base, '/readyz')).body, 'not ready\n');
  assert.match((await ask(base, '/readyz', { authorization: RIGHT })).body, /workflow_events/);
  await daemon.stop();
  assert.ok(!daemon.lines.some(({ text }) => text.includes('horse') || text.includes(RIGHT.slice(6))), 'the password is in the log');
});

test('a configuration with half a login or with TLS does not start', { timeout: 60_000 }, async (t) => {
  const cluster = { dsn: () => 'host=127.0.0.1', major: systemMajor };
  for (const [extra, words] of [
    [{ basic_auth: { user: USER } }, /http\.basic_auth: found a user without a password/],
    [{ basic_auth: { user: USER, password_file: '/nonexistent' } }, /password_file: found "\/nonexistent" \(No such file or directory\)/],
    [{ tls_cert: '/etc/x.pem', tls_key: '/etc/x.key' }, /"tls_cert".*http\.web_config_file[^]*"tls_key".*http\.web_config_file/],
    [{ web_config_file: '/nonexistent' }, /\/nonexistent: found No such file or directory, expected a readable web configuration file/],
  ]) {
    const daemon = await daemonFor(t, cluster, { http: { listen: '127.0.0.1:0', ...extra } });
    await daemon.start({ ready: false });
    assert.deepEqual(await daemon.ended, { code: 2, signal: null }, daemon.tail());
    assert.match(daemon.tail(), words);
  }
});

