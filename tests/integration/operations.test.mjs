// The HTTP server in operation: who may ask, over TLS too, and with the guide's own examples.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { Prometheus, until } from '../alerts/monitoring.mjs';
import { blocksOf } from '../guide/text.mjs';
import { freePort } from '../postgres/cluster.mjs';
import { ask, basic } from './request.mjs';
import { daemonFor, insertEvents, serverWithSchema } from './scene.mjs';

const yaml = createRequire(new URL('../writers/4.1.1/package.json', import.meta.url))('js-yaml');
const USER = 'prometheus';
const PASSWORD = 'correct: horse \u00e4 battery';
const PROBES = ['/healthz', '/readyz', '/startupz'];
const GUARDED = ['/', '/metrics', '/api/status', '/api/findings', '/api/history', '/api/events', '/app.js', '/app.css', '/icon.svg', '/nothing'];

const RIGHT = basic(USER, PASSWORD);

async function metric(daemon, name, authorization = RIGHT) {
  const { body } = await ask(daemon.httpBase, '/metrics', { authorization });
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1]);
}

/** The file of this name that the guide shows. */
const example = (name) => blocksOf('config/guide/security.md').find(({ mark }) => mark === name).body;

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
  const cluster = { dsn: () => 'host=127.0.0.1', major: 15 };
  for (const [extra, words] of [
    [{ basic_auth: { user: USER } }, /http\.basic_auth: found a user without a password/],
    [{ basic_auth: { user: USER, password_file: '/nonexistent' } }, /password_file: found "\/nonexistent" \(No such file or directory\)/],
    [{ tls_cert: '/etc/x.pem', tls_key: '/etc/x.key' }, /"tls_cert".*plain HTTP: let a proxy[^]*"tls_key".*plain HTTP: let a proxy/],
  ]) {
    const daemon = await daemonFor(t, cluster, { http: { listen: '127.0.0.1:0', ...extra } });
    await daemon.start({ ready: false });
    assert.deepEqual(await daemon.ended, { code: 2, signal: null }, daemon.tail());
    assert.match(daemon.tail(), words);
  }
});

/** stunnel as the guide has it, before `address`, with a certificate for localhost; resolves {base, ca}. */
async function stunnel(t, dir, address) {
  const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', 'key.pem', '-out', 'ca.pem');
  const [ca, key] = ['ca.pem', 'key.pem'].map((name) => fs.readFileSync(path.join(dir, name), 'utf8'));
  fs.writeFileSync(path.join(dir, 'both.pem'), ca + key, { mode: 0o600 });
  const port = await freePort();
  const shown = example('stunnel.conf');
  const used = shown.replace(/^accept = .*$/m, `accept = 127.0.0.1:${port}`).replace(/^connect = .*$/m, `connect = ${address}`)
    .replace(/^cert = .*$/m, `cert = ${path.join(dir, 'both.pem')}`);
  assert.equal(used.split('\n').filter((line, at) => line !== shown.split('\n')[at]).length, 3, 'three addresses are the test\'s own');
  fs.writeFileSync(path.join(dir, 'stunnel.conf'), `foreground = yes\npid =\n${used}`);
  const child = spawn('stunnel', [path.join(dir, 'stunnel.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
  // Read to its end: a log that nobody takes would hold stunnel up.
  let said = '';
  child.stderr.on('data', (data) => { said = (said + data).slice(-2000); });
  const ended = new Promise((resolve) => { child.once('close', resolve); child.once('error', resolve); });
  t.after(() => { child.kill('SIGTERM'); return ended; });
  const base = `https://localhost:${port}`;
  await until('stunnel', async () => (await ask(base, '/healthz', { ca })).status === 200).catch((error) => { throw new Error(`${error.message}\n${said}`); });
  return { base, ca, caFile: path.join(dir, 'ca.pem') };
}

test('Prometheus scrapes through TLS and the login, as the guide shows both', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { http: { basic_auth: { user: USER, password: PASSWORD } } });
  await daemon.start();
  const { base, ca, caFile } = await stunnel(t, daemon.dir, new URL(daemon.httpBase).host);
  assert.equal((await ask(base, '/metrics', { ca })).status, 401);
  assert.equal((await ask(base, '/metrics', { ca, authorization: RIGHT })).status, 200);
  // Events come through the proxy as they happen.
  const events = await ask(base, '/api/events', { ca, authorization: RIGHT });
  assert.match(events.body, /^retry: 1000/);

  const [job] = yaml.load(example('scrape.yml')).scrape_configs;
  const passwords = ['right', 'wrong'].map((name) => path.join(daemon.dir, name));
  fs.writeFileSync(passwords[0], PASSWORD);
  fs.writeFileSync(passwords[1], 'wrong');
  const [right, wrong] = passwords.map((file) => ({
    ...job, job_name: path.basename(file), tls_config: { ca_file: caFile }, basic_auth: { ...job.basic_auth, password_file: file }, static_configs: [{ targets: [new URL(base).host] }],
  }));
  assert.deepEqual(Object.keys(right), Object.keys(job), 'nothing is added to the example');
  const prometheus = await Prometheus.start(t, { jobs: { right, wrong } });
  await until('the scrape', async () => (await prometheus.query('up{job="right"} == 1 and on (job) dupwatch_ready == 1')).length === 1);
  await until('the refusal', async () => (await prometheus.query('up{job="wrong"} == 0')).length === 1);
  // What a scrape shows is what the daemon sees: one finding, from one duplicate.
  await insertEvents(cluster, [1, 2].map(() => ({ run: 'wrun_1', type: 'run_created' })));
  await until('the finding in Prometheus', async () => Number((await prometheus.query('sum(dupwatch_findings_total{job="right"})'))[0]?.value[1]) === 1);
  assert.equal((await prometheus.query('dupwatch_findings_total{job="wrong"}')).length, 0);
});
