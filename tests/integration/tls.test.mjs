// Ways to reach the server: verified TLS, a Unix socket, several hosts of which the first is dead.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { freePort } from '../postgres/cluster.mjs';
import { assertTruth, daemonFor, insertEvents, serverWithSchema } from './scene.mjs';

/** A CA and a server certificate of it for localhost, made by openssl in `dir`. */
function makeCertificates(dir, name) {
  const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.crt`);
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-keyout', `${name}-server.key`, '-out', `${name}-server.csr`);
  fs.writeFileSync(path.join(dir, 'san'), 'subjectAltName=DNS:localhost\n');
  openssl('x509', '-req', '-in', `${name}-server.csr`, '-CA', `${name}.crt`, '-CAkey', `${name}.key`, '-CAcreateserial', '-days', '2', '-extfile', 'san', '-out', `${name}-server.crt`);
  const read = (file) => fs.readFileSync(path.join(dir, file), 'utf8');
  return { ca: path.join(dir, `${name}.crt`), cert: read(`${name}-server.crt`), key: read(`${name}-server.key`) };
}

function scratch(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-tls-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function finds(daemon, cluster) {
  await daemon.start();
  await insertEvents(cluster, [{ run: 'wrun_tls', type: 'run_created' }, { run: 'wrun_tls', type: 'run_created' }]);
  assert.equal((await assertTruth(daemon)).found, 1);
}

test('sslmode=verify-full', async (t) => {
  const dir = scratch(t);
  const right = makeCertificates(dir, 'right');
  const wrong = makeCertificates(dir, 'wrong');
  const cluster = await serverWithSchema(t, {
    settings: { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' },
    files: { 'server.crt': right.cert, 'server.key': right.key },
    hba: ['local all all trust', 'hostssl all dupwatch 127.0.0.1/32 trust', 'host all dupwatch 127.0.0.1/32 reject', 'host all all 127.0.0.1/32 trust'],
  });
  await cluster.query('CREATE ROLE dupwatch LOGIN SUPERUSER');
  const tls = (ca) => ({ connection: { dsn: cluster.dsn({ host: 'localhost', hostaddr: '127.0.0.1', user: 'dupwatch', sslmode: 'verify-full', sslrootcert: ca }), startup_timeout: '2s' } });

  const refused = await daemonFor(t, cluster, tls(wrong.ca));
  await refused.start({ ready: false });
  const exit = await refused.ended;
  assert.equal(exit.code, 3, refused.tail());
  assert.match(refused.tail(), /certificate/i);
  assert.deepEqual(await cluster.query('SELECT slot_name FROM pg_replication_slots'), []);

  await finds(await daemonFor(t, cluster, tls(right.ca)), cluster);
  const [{ encrypted }] = await cluster.query(`SELECT bool_and(s.ssl) AS encrypted FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'dupwatch'`);
  assert.equal(encrypted, true);
});

test('Unix socket', async (t) => {
  const cluster = await serverWithSchema(t);
  await finds(await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ host: cluster.dir }) } }), cluster);
});

test('URI', async (t) => {
  const cluster = await serverWithSchema(t);
  await finds(await daemonFor(t, cluster, { connection: { dsn: cluster.uri() } }), cluster);
});

test('several hosts, the first dead', async (t) => {
  const cluster = await serverWithSchema(t);
  const dead = await freePort();
  const dsn = cluster.dsn({ host: '127.0.0.1,127.0.0.1', port: `${dead},${cluster.port}` });
  await finds(await daemonFor(t, cluster, { connection: { dsn } }), cluster);
});
