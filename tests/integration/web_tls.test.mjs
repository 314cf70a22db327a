// TLS and logins of the web configuration file, as exporters of Prometheus have them: with openssl, curl's kind of client and a
// real Prometheus, while certificates change.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { Prometheus, until } from '../alerts/monitoring.mjs';
import { blocksOf } from '../guide/text.mjs';
import { Certificates } from './certificates.mjs';
import { runCommand } from './daemon.mjs';
import { ask, basic } from './request.mjs';
import { daemonFor, serverWithSchema } from './scene.mjs';

const yaml = createRequire(new URL('../writers/4.1.1/package.json', import.meta.url))('js-yaml');
/** The file of this name that the guide shows. */
const example = (name) => blocksOf('config/guide/security.md').find(({ mark }) => mark === name).body;

/** A daemon with a web configuration file; `config` gets the certificates. */
async function secured(t, config, { http = {} } = {}) {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  const certificates = new Certificates(path.join(daemon.dir, 'tls'));
  certificates.issue('server', { rsa: true });
  const web = certificates.file('web.yml');
  fs.writeFileSync(web, typeof config === 'string' ? config : yaml.dump(config));
  daemon.configure({ ...daemon.config, http: { ...daemon.config.http, ...http, web_config_file: web } });
  return { cluster, daemon, certificates, web };
}

/** Starts it without a look at /readyz, which speaks TLS; resolves its address. */
async function started(daemon) {
  await daemon.start({ ready: false });
  return daemon.until('the address', () => daemon.httpBase);
}

const PAIR = { cert_file: 'server.pem', key_file: 'server.key' };

/** What openssl's client and the server agree on; undefined when they do not. */
function agreed(base, certificates, ...args) {
  const { stdout, stderr } = spawnSync('openssl', ['s_client', '-connect', new URL(base).host, '-CAfile', certificates.file('ca.pem'), '-brief', ...args], { input: '', encoding: 'utf8' });
  const text = stdout + stderr;
  const [, version] = /Protocol version: (\S+)/.exec(text) ?? [];
  const [, suite] = /Ciphersuite: (\S+)/.exec(text) ?? [];
  return version && { version, suite };
}

test('versions, suites and curves are those of the file', { timeout: 120_000 }, async (t) => {
  const { daemon, certificates, web } = await secured(t, { tls_server_config: PAIR });
  const base = await started(daemon);
  assert.match(base, /^https:/);
  assert.equal(agreed(base, certificates, '-tls1_3').version, 'TLSv1.3');
  assert.equal(agreed(base, certificates, '-tls1_2').version, 'TLSv1.2');
  assert.equal(agreed(base, certificates, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'), undefined, 'below the default');
  assert.equal((await ask(base.replace('https', 'http'), '/healthz')).status, 400, 'plain HTTP gets an answer');
  const change = async (more, seen) => {
    fs.writeFileSync(web, yaml.dump({ tls_server_config: { ...PAIR, ...more } }));
    await until('the new configuration', () => seen());
  };
  await change({ min_version: 'TLS13' }, () => agreed(base, certificates, '-tls1_2') === undefined);
  assert.equal(agreed(base, certificates, '-tls1_3').version, 'TLSv1.3');
  await change({ max_version: 'TLS12', cipher_suites: ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256'], curve_preferences: ['CurveP384'] }, () => agreed(base, certificates, '-tls1_3') === undefined);
  assert.deepEqual(agreed(base, certificates), { version: 'TLSv1.2', suite: 'ECDHE-RSA-CHACHA20-POLY1305' });
  assert.equal(agreed(base, certificates, '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'), undefined, 'another suite');
  assert.equal(agreed(base, certificates, '-curves', 'P-256'), undefined, 'another curve');
  await change({ min_version: 'TLS11' }, () => agreed(base, certificates, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0')?.version === 'TLSv1.1');
});

test('a client shows the certificate that is asked for', { timeout: 120_000 }, async (t) => {
  const { daemon, certificates, web } = await secured(t, { tls_server_config: { ...PAIR, client_ca_file: 'ca.pem', client_auth_type: 'RequireAndVerifyClientCert' } });
  const ours = certificates.issue('prometheus', { names: 'DNS:prometheus.example.org' });
  const theirs = certificates.issue('stranger', { ca: 'other-ca', names: 'DNS:prometheus.example.org' });
  const base = await started(daemon);
  const ca = certificates.read('ca.pem');
  const status = async (client = {}) => (await ask(base, '/metrics', { ca, ...client })).status;
  await until('the first scrape', async () => (await status(ours)) === 200);
  assert.equal(await status(), 0, 'none');
  assert.equal(await status(theirs), 0, 'of another authority');
  const config = path.join(daemon.dir, 'health.yaml');
  fs.writeFileSync(config, yaml.dump({ http: { listen: new URL(base).host } }));
  const health = await runCommand(['health', '--config', config, '--web.config.file', web]);
  assert.deepEqual([health.code, health.stdout], [0, 'ok\n'], health.stderr);

  const change = (more) => fs.writeFileSync(web, yaml.dump({ tls_server_config: { ...PAIR, client_ca_file: 'ca.pem', ...more } }));
  change({ client_auth_type: 'RequireAndVerifyClientCert', client_allowed_sans: ['grafana.example.org'] });
  await until('another name', async () => (await status(ours)) === 0);
  change({ client_auth_type: 'RequireAndVerifyClientCert', client_allowed_sans: ['grafana.example.org', 'prometheus.example.org'] });
  await until('the name', async () => (await status(ours)) === 200);
  assert.equal(await status(theirs), 0);
  change({ client_auth_type: 'VerifyClientCertIfGiven' });
  await until('none', async () => (await status()) === 200);
  assert.equal(await status(ours), 200);
  assert.equal(await status(theirs), 0);
  change({ client_auth_type: 'RequireAnyClientCert' });
  await until('any', async () => (await status(theirs)) === 200);
  assert.equal(await status(), 0);
});

test('a certificate and users change under scrapes, and none fails', { timeout: 120_000 }, async (t) => {
  const hash = (password) => execFileSync('python3', ['-W', 'ignore', '-c', 'import crypt, sys; print(crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))', password], { encoding: 'utf8' }).trim();
  const users = { alice: hash('first'), bob: hash('always') };
  const { daemon, certificates, web } = await secured(t, { tls_server_config: PAIR, basic_auth_users: users });
  const base = await started(daemon);
  const ca = certificates.read('ca.pem');
  const scrape = (user, password) => ask(base, '/metrics', { ca, authorization: basic(user, password) });
  assert.equal((await scrape('alice', 'first')).status, 200);
  assert.equal((await scrape('alice', 'second')).status, 401);
  assert.equal((await scrape('nobody', 'first')).status, 401);

  const outcomes = {};
  let over = false;
  const scrapers = Array.from({ length: 4 }, async () => {
    while (!over) {
      const began = Date.now();
      const { status } = await scrape('bob', 'always');
      outcomes[status] = (outcomes[status] ?? 0) + 1;
      await sleep(Math.max(0, 40 - (Date.now() - began)));
    }
  });
  const serial = () => new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const socket = tls.connect({ host: hostname, port: Number(port), ca, servername: 'localhost' }, () => { resolve(socket.getPeerCertificate().serialNumber); socket.destroy(); });
    socket.on('error', reject);
  });
  for (let round = 0; round < 6; round++) {
    const before = await serial();
    certificates.issue('next', { rsa: true });
    // As cert-manager does, or as a person does: a file after the other, with a pause in which the two do not belong together.
    for (const kind of ['pem', 'key']) {
      if (round % 2) {
        fs.renameSync(certificates.file(`next.${kind}`), certificates.file(`server.${kind}`));
      } else {
        fs.copyFileSync(certificates.file(`next.${kind}`), certificates.file(`server.${kind}`));
        await sleep(300);
      }
    }
    await until('the new certificate', async () => (await serial()) !== before);
  }
  fs.writeFileSync(web, yaml.dump({ tls_server_config: PAIR, basic_auth_users: { ...users, alice: hash('second') } }));
  await until('the new password', async () => (await scrape('alice', 'second')).status === 200);
  assert.equal((await scrape('alice', 'first')).status, 401);

  fs.writeFileSync(web, 'tls_server_config: {cert_file: nowhere.pem, key_file: server.key}\nbasic_auth_users: {eve: secret}\n');
  await daemon.until('the complaint', () => daemon.lines.some(({ event }) => event === 'web_config_reload_failed'));
  await until('the metric', async () => /^dupwatch_http_web_config_successful 0$/m.test((await scrape('bob', 'always')).body));
  assert.ok(daemon.lines.some(({ msg, message, text }) => /basic_auth_users\.eve: expected a password's bcrypt/.test(msg ?? message ?? text ?? '')), daemon.tail());
  fs.writeFileSync(web, yaml.dump({ tls_server_config: PAIR, basic_auth_users: users }));
  await until('the metric', async () => /^dupwatch_http_web_config_successful 1$/m.test((await scrape('bob', 'always')).body));
  over = true;
  await Promise.all(scrapers);
  assert.deepEqual(Object.keys(outcomes), ['200'], JSON.stringify(outcomes));
  t.diagnostic(`${outcomes[200]} scrapes`);
});

test('Prometheus scrapes with a client certificate and a login, as the guide shows both', { timeout: 120_000 }, async (t) => {
  const { daemon, certificates } = await secured(t, example('web.yml'));
  fs.copyFileSync(certificates.file('server.pem'), certificates.file('dupwatch.pem'));
  fs.copyFileSync(certificates.file('server.key'), certificates.file('dupwatch.key'));
  fs.copyFileSync(certificates.file('ca.pem'), certificates.file('prometheus-ca.pem'));
  certificates.issue('prometheus', { names: 'DNS:prometheus' });
  // The hash of the guide is of a password that nobody knows; another one takes its place.
  const password = 'correct horse';
  const hash = execFileSync('python3', ['-W', 'ignore', '-c', 'import crypt, sys; print(crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH)))', password], { encoding: 'utf8' }).trim();
  const shown = fs.readFileSync(certificates.file('web.yml'), 'utf8');
  fs.writeFileSync(certificates.file('web.yml'), shown.replace(/\$2y\$10\$\S{53}/, () => hash));
  await started(daemon);
  const [job] = yaml.load(example('scrape.yml')).scrape_configs;
  for (const [name, text] of [['right', password], ['wrong', 'wrong']]) fs.writeFileSync(certificates.file(name), text);
  const jobOf = (name, client) => ({
    ...job, job_name: name, tls_config: { ca_file: certificates.file('ca.pem'), ...client }, basic_auth: { ...job.basic_auth, password_file: certificates.file(name === 'wrong' ? 'wrong' : 'right') },
    static_configs: [{ targets: [new URL(daemon.httpBase).host] }],
  });
  const client = { cert_file: certificates.file('prometheus.pem'), key_file: certificates.file('prometheus.key') };
  assert.deepEqual(Object.keys(jobOf('right', client)), Object.keys(job), 'nothing is added to the example');
  const prometheus = await Prometheus.start(t, { jobs: { right: jobOf('right', client), wrong: jobOf('wrong', client), bare: jobOf('bare', {}) } });
  await until('the scrape', async () => (await prometheus.query('up{job="right"} == 1 and on (job) dupwatch_build_info == 1')).length === 1);
  await until('the refusals', async () => (await prometheus.query('up{job=~"wrong|bare"} == 0')).length === 2);
});

test('check names every mistake of a web configuration at once', async (t) => {
  const { daemon, certificates, web } = await secured(t, { tls_server_config: { cert_file: 'nowhere.pem', key_file: 'ca.pem', client_ca_file: 'web.yml', client_auth_type: 'RequireAndVerifyClientCert' } });
  const config = path.join(daemon.dir, 'check.yaml');
  fs.writeFileSync(config, yaml.dump({ connection: { dsn: 'host=127.0.0.1' } }));
  const files = await runCommand(['check', '--config', config, '--web.config.file', web]);
  assert.equal(files.code, 2);
  for (const words of [/cert_file: .*nowhere\.pem can't be read: No such file/, /key_file: holds no private key/, /client_ca_file: holds no certificate/]) assert.match(files.stderr, words);
  certificates.issue('second');
  fs.writeFileSync(web, yaml.dump({ tls_server_config: { cert_file: 'server.pem', key_file: 'second.key' } }));
  const mismatch = await runCommand(['check', '--config', config, '--web.config.file', web]);
  assert.match(mismatch.stderr, /key_file: is not the key of the certificate/);
});
