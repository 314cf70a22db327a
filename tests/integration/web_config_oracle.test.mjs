// The web configuration file by the word of exporter-toolkit itself: promtool takes and refuses what we do. Its own test files, out of
// Debian's package, and files drawn from a seed (DUPWATCH_SEED, DUPWATCH_FILES).
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { draws } from '../fault/changes.mjs';
import { runCommand } from './daemon.mjs';
import { full } from './scene.mjs';

const PACKAGE = 'golang-github-prometheus-exporter-toolkit-dev';
const FOLDER = 'usr/share/gocode/src/github.com/prometheus/exporter-toolkit/web';

/** Where we refuse what the toolkit takes, each with its reason. */
const DIFFERENCES = [
  // A scrape would wait for longer than its time limit.
  /expected a cost of at most 16/,
  // The toolkit takes a file without one and refuses every client afterwards.
  /client_ca_file: holds no certificate/,
];

function folder(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-web-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  fs.writeFileSync(path.join(dir, 'dupwatch.yaml'), 'connection: {dsn: "host=127.0.0.1"}\n');
  return dir;
}

/** What both say of one file: {theirs, ours, words}. */
async function verdicts(dir, file) {
  const theirs = spawnSync('promtool', ['check', 'web-config', file], { encoding: 'utf8' });
  assert.equal(theirs.error, undefined);
  const ours = await runCommand(['check', '--offline', '--config', path.join(dir, 'dupwatch.yaml'), '--web.config.file', file]);
  assert.ok([0, 2].includes(ours.code), ours.stderr);
  return { theirs: theirs.status === 0, ours: ours.code === 0, words: `promtool: ${theirs.stdout}${theirs.stderr}dupwatch: ${ours.stdout}${ours.stderr}` };
}

/** A different verdict, that has no reason. */
const unexplained = ({ theirs, ours, words }) => theirs !== ours && !(theirs && DIFFERENCES.some((reason) => reason.test(words)));

test("exporter-toolkit's own files have the verdict that it gives them", { timeout: 120_000 }, async (t) => {
  const dir = folder(t);
  execFileSync('apt-get', ['download', '-q', PACKAGE], { cwd: dir, stdio: 'pipe' });
  execFileSync('dpkg-deb', ['-x', fs.readdirSync(dir).find((name) => name.endsWith('.deb')), '.'], { cwd: dir });
  const testdata = path.join(dir, FOLDER, 'testdata');
  const files = fs.readdirSync(testdata).filter((name) => name.endsWith('.yml'));
  assert.ok(files.length >= 30, `${files.length} files`);
  const wrong = [];
  for (const name of files) {
    const both = await verdicts(dir, path.join(testdata, name));
    if (unexplained(both)) wrong.push(`${name}\n${both.words}`);
  }
  assert.deepEqual(wrong, []);
  t.diagnostic(`${files.length} files`);
});

const HASH = '$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze';
/** Each key with what may stand there, in YAML; undefined: the key is not there. */
const TLS = {
  cert_file: ['server.pem', 'nowhere.pem', 'server.key', '""', undefined, '[server.pem]', '~'],
  key_file: ['server.key', 'nowhere.key', 'server.pem', '""', undefined, '3'],
  client_ca_file: [undefined, 'server.pem', 'nowhere.pem', 'server.key', '""'],
  client_auth_type: [undefined, 'NoClientCert', 'RequestClientCert', 'RequireAnyClientCert', 'RequireClientCert', 'VerifyClientCertIfGiven', 'RequireAndVerifyClientCert', 'requireanyclientcert', '""', 'true'],
  min_version: [undefined, 'TLS12', 'TLS13', 'TLS10', 'tls12', 'TLS1.2', '""', '12'],
  max_version: [undefined, 'TLS13', 'TLS12', 'SSL3'],
  cipher_suites: [undefined, '[TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]', '[TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA]', '[]', '[tls_aes_128_gcm_sha256]', 'TLS_AES_128_GCM_SHA256', '[3]'],
  curve_preferences: [undefined, '[X25519, CurveP256]', '[CurveP521]', '[P256]', '[]', 'X25519'],
  prefer_server_cipher_suites: [undefined, 'true', 'false', 'yes', '"true"', '1', 'maybe', 'tRUE', 'Off', 'N', 'NO', 'fALSE'],
  junk: [undefined, 'x'],
};
const HTTP = {
  http2: ['false', undefined, 'off', '"no"', '2', 'No', 'fALSE', 'FALSE', 'n'],
  headers: [undefined, '{X-Frame-Options: deny}', '{X-Frame-Options: DENY}', '{X-Content-Type-Options: nosniff}', '{Strict-Transport-Security: max-age=3}', '{Content-Security-Policy: "default-src"}', '{X-XSS-Protection: x}', '{X-Other: x}', '[x]', '{x-frame-options: deny}'],
  junk: [undefined, 'x'],
};
const USERS = [undefined, `{a: "${HASH}"}`, `{a: "${HASH}", b: "${HASH.replace('$2y', '$2a')}"}`, '{a: plain}', '{a: ""}', '{"": "x"}', '[a]', '{}', `{a: "${HASH.slice(0, 40)}"}`, `{a: "${HASH.replace('$10', '$03')}"}`, `{a: 3}`, `{a: "${HASH}", a: "${HASH}"}`];

/** Mostly the first: a file with a mistake in each line says nothing of any. */
const section = (name, keys, draw) => {
  const lines = Object.entries(keys).map(([key, values]) => [key, values[draw(4) > 0 ? 0 : draw(values.length)]]).filter(([, value]) => value !== undefined);
  return lines.length === 0 ? '' : `${name}:\n${lines.map(([key, value]) => `  ${key}: ${value}\n`).join('')}`;
};

test('files drawn at random have the verdict that promtool gives them', { timeout: 600_000 }, async (t) => {
  const dir = folder(t);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=server', '-keyout', 'server.key', '-out', 'server.pem'], { cwd: dir, stdio: 'pipe' });
  const seed = Number(process.env.DUPWATCH_SEED ?? 1);
  const draw = draws(seed);
  const count = Number(process.env.DUPWATCH_FILES ?? (full ? 3000 : 120));
  const file = path.join(dir, 'web.yml');
  const wrong = [];
  let taken = 0;
  for (let i = 0; i < count; i += 1) {
    const users = USERS[draw(2) ? 1 : draw(USERS.length)];
    const text = (draw(5) > 0 ? section('tls_server_config', TLS, draw) : '') + (draw(2) ? section('http_server_config', HTTP, draw) : '') + (users ? `basic_auth_users: ${users}\n` : '');
    fs.writeFileSync(file, text);
    const both = await verdicts(dir, file);
    taken += both.theirs && both.ours ? 1 : 0;
    if (unexplained(both)) wrong.push(`file ${i} of seed ${seed}:\n${text}${both.words}`);
  }
  t.diagnostic(`${count} files of seed ${seed}, ${taken} taken by both`);
  assert.ok(taken >= count / 10, `only ${taken} were good`);
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} of ${count}`);
});
