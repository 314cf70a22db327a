// The manifests with the real program and a real Postgres that wants a password: what Kubernetes would hand to the container is
// handed to dupwatch by hand. No container was run.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { binary, runCommand } from '../integration/daemon.mjs';
import { daemonFor, insertEvents, serverWithSchema } from '../integration/scene.mjs';
import { freePort } from '../postgres/cluster.mjs';
import { DSN, ofKind, render, withDsn } from './chart.mjs';
import { objectsOf, parse, root } from './objects.mjs';

const PASSWORD = `p'a "b\\ ${'$'}{X} %40`;
const plain = objectsOf('plain/dupwatch.yaml');
const configOf = (objects) => ofKind(objects, 'ConfigMap', 'dupwatch').data['dupwatch.yaml'];
const containerOf = (objects) => ofKind(objects, 'Deployment').spec.template.spec.containers[0];
const sidecar = objectsOf('sidecar-patch.yaml')[0].spec.template.spec.initContainers[0];

function scratch(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-kubernetes-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

/** Files as a Secret volume has them: behind a link that is exchanged when the Secret changes, and not writable. */
function secretVolume(folder, files, generation = 1) {
  const data = path.join(folder, `..${generation}`);
  fs.mkdirSync(data);
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(data, name), content, { mode: 0o440 });
  fs.symlinkSync(path.basename(data), path.join(folder, '..new'));
  fs.renameSync(path.join(folder, '..new'), path.join(folder, '..data'));
  for (const name of Object.keys(files)) {
    if (!fs.existsSync(path.join(folder, name))) fs.symlinkSync(`..data/${name}`, path.join(folder, name));
  }
  return folder;
}

/** A server where the role dupwatch, made by setup, has to give its password. */
async function lockedServer(t) {
  const cluster = await serverWithSchema(t, { hba: ['local all all trust', 'host all dupwatch 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 trust'] });
  const setup = await runCommand(['setup', '--print-sql', '--dsn', DSN]);
  await cluster.query(setup.stdout);
  await cluster.query(`ALTER ROLE dupwatch PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
  return cluster;
}

/** A daemon with a ConfigMap's text, at the server and on ports of this machine. */
async function daemonWith(t, cluster, text, dsn = DSN.replace('postgres', `127.0.0.1 port=${cluster.port}`)) {
  const daemon = await daemonFor(t, cluster);
  const config = parse(text);
  config.connection.dsn = dsn;
  config.http.listen = `127.0.0.1:${await freePort()}`;
  fs.writeFileSync(daemon.configFile, JSON.stringify(config));
  return daemon;
}

const status = async (daemon, at, headers = {}) => (await fetch(`${daemon.httpBase}${at}`, { headers })).status;

test('every ConfigMap is a configuration that dupwatch takes; a misspelt one is not', async (t) => {
  const folder = scratch(t);
  fs.writeFileSync(path.join(folder, 'password'), 'x\n');
  const file = path.join(folder, 'dupwatch.yaml');
  const take = (text) => {
    fs.writeFileSync(file, text.replace('/run/secrets/dupwatch-http', folder));
    return runCommand(['setup', '--print-sql', '--config', file], { env: { DUPWATCH_HTTP_USER: 'prometheus' } });
  };
  const variants = [plain, ...[
    withDsn(), withDsn({ httpAuth: { existingSecret: 'x' } }), withDsn({ port: 9999, config: { slot: { plugin: 'wal2json', max_retained_wal: '80%' }, findings: { table: 'dupwatch.findings' }, index: { memory_max: '128MiB' }, quarantine: { mode: 'record', max_per_hour: 100000 } } }),
    withDsn({ config: { slot: { plugin: 'pgoutput', publication: 'dupwatch' }, webhook: { url: 'https://example.org/', severities: ['fatal'] } } }),
  ].map((values) => render(values).objects)];
  for (const objects of variants) {
    const { code, stderr } = await take(configOf(objects));
    assert.equal(code, 0, `${stderr}${configOf(objects)}`);
  }
  for (const key of ['startup_timeout', 'http', 'listen']) assert.equal((await take(configOf(plain).replace(key, `${key}x`))).code, 2, key);
});

test('the containers\' arguments are a command and an option of the program', async () => {
  const check = ofKind(render(withDsn()).objects, 'Pod').spec.containers[0];
  for (const { args } of [containerOf(plain), sidecar, check]) {
    const help = await runCommand([args[0], '--help']);
    assert.equal(help.code, 0);
    assert.ok(help.stdout.includes(`${args[1]} `), args.join(' '));
    assert.equal(args[2], '/etc/dupwatch/dupwatch.yaml');
    assert.equal(args.length, 3);
  }
});

test('with the Secret\'s password as PGPASSWORD it streams, and the probes say what Kubernetes would act on', async (t) => {
  const cluster = await lockedServer(t);
  const [{ name }] = containerOf(plain).env;
  const env = { [name]: PASSWORD };
  const first = await daemonWith(t, cluster, configOf(plain));
  const refused = await runCommand(['check', '--config', first.configFile]);
  assert.equal(refused.code, 3, refused.stdout);

  await first.start({ env });
  for (const container of [containerOf(plain), sidecar]) {
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      if (container[probe]) assert.equal(await status(first, container[probe].httpGet.path), 200, `${container.name} ${probe}`);
    }
  }
  // What helm test runs.
  const check = await runCommand(['check', '--config', first.configFile], { env });
  assert.equal(check.code, 0, check.stdout);

  // A second replica: alive, and neither started nor ready. A Deployment of several must not ask for more.
  const second = await daemonWith(t, cluster, configOf(plain));
  await second.start({ env, ready: false });
  await second.until('it stands by', () => second.httpBase && second.lines.some(({ event }) => event === 'standby'));
  const several = containerOf(render(withDsn({ replicas: 2 })).objects);
  assert.deepEqual([several.livenessProbe, several.readinessProbe].map(({ httpGet }) => httpGet.path), ['/healthz', '/healthz']);
  assert.equal(await status(second, several.readinessProbe.httpGet.path), 200);
  for (const probe of ['startupProbe', 'readinessProbe']) assert.equal(await status(second, containerOf(plain)[probe].httpGet.path), 503, probe);

  // The old Pod goes: SIGTERM, and the other one streams.
  const began = Date.now();
  const { code } = await first.stop();
  assert.equal(code, 0);
  assert.ok(Date.now() - began < ofKind(plain, 'Deployment').spec.template.spec.terminationGracePeriodSeconds * 1000);
  await second.until('it took over', async () => (await status(second, '/readyz')) === 200);
  for (const { text } of [...first.lines, ...second.lines]) assert.ok(!text.includes(PASSWORD));
});

test('with a service file from a Secret volume it streams, and a changed password counts at the next connection', async (t) => {
  const cluster = await lockedServer(t);
  const { objects } = render(withDsn({ database: { serviceFileKey: 'pg_service.conf' }, config: { connection: { dsn: 'service=dupwatch' } } }));
  const { spec } = ofKind(objects, 'Deployment').spec.template;
  const [{ name, value }] = spec.containers[0].env;
  const mount = spec.containers[0].volumeMounts.find((one) => one.name === 'database');
  const volume = spec.volumes.find((one) => one.name === 'database').secret;
  assert.equal(value, `${mount.mountPath}/${volume.items[0].path}`);
  // The account of the container reads it as its group.
  assert.equal(volume.defaultMode, 0o440);
  assert.equal(spec.securityContext.fsGroup, spec.securityContext.runAsGroup);

  const service = (password) => ({ 'pg_service.conf': `[dupwatch]\nhost=127.0.0.1\nport=${cluster.port}\ndbname=app\nuser=dupwatch\npassword=${password}\n` });
  await cluster.query("ALTER ROLE dupwatch PASSWORD 'first'");
  const folder = secretVolume(scratch(t), service('first'));
  const daemon = await daemonWith(t, cluster, configOf(objects), 'service=dupwatch');
  const env = { [name]: path.join(folder, volume.items[0].path) };
  await daemon.start({ env });
  await insertEvents(cluster, [{ run: 'wrun_1', correlation: 'step_1', type: 'step_created' }]);

  secretVolume(folder, service('second'), 2);
  await cluster.query("ALTER ROLE dupwatch PASSWORD 'second'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dupwatch'");
  await daemon.until('it lost the server', () => daemon.lines.some(({ event }) => event === 'disconnected'));
  await daemon.until('it streams again', () => daemon.lines.filter(({ event }) => event === 'streaming').length === 2);
});

test('a password file of a Secret volume is what libpq refuses, which is why the manifests use none', async (t) => {
  const cluster = await lockedServer(t);
  const folder = secretVolume(scratch(t), { pgpass: '*:*:*:*:secret\n' });
  await cluster.query("ALTER ROLE dupwatch PASSWORD 'secret'");
  const file = path.join(folder, 'pgpass');
  const dsn = DSN.replace('postgres', `127.0.0.1 port=${cluster.port}`);
  const refused = await runCommand(['check', '--dsn', dsn], { env: { PGPASSFILE: file } });
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /group or world access/);
  fs.chmodSync(file, 0o400);
  assert.equal((await runCommand(['check', '--dsn', dsn], { env: { PGPASSFILE: file } })).code, 0);
});

test('the login of the Secret is asked for, but not of the kubelet', async (t) => {
  const cluster = await serverWithSchema(t);
  const { objects } = render(withDsn({ httpAuth: { existingSecret: 'dupwatch-http' } }));
  const folder = secretVolume(scratch(t), { password: 's3cret' });
  const daemon = await daemonWith(t, cluster, configOf(objects).replace('/run/secrets/dupwatch-http', folder), cluster.dsn());
  await daemon.start({ env: { DUPWATCH_HTTP_USER: 'prometheus' }, ready: false });
  await daemon.until('it listens', () => daemon.httpBase);
  await daemon.until('the probes pass', async () => (await status(daemon, containerOf(objects).readinessProbe.httpGet.path)) === 200);
  assert.equal(await status(daemon, '/metrics'), 401);
  const authorization = `Basic ${Buffer.from('prometheus:s3cret').toString('base64')}`;
  assert.equal(await status(daemon, '/metrics', { authorization }), 200);
});

// A container may forbid tracing.
const untraced = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status !== 0 && 'strace may not trace here';

test('nothing is written to a file: a read-only root is enough', { skip: untraced }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonWith(t, cluster, configOf(plain), cluster.dsn());
  const folder = scratch(t);
  const trace = path.join(folder, 'trace');
  const wrapper = path.join(folder, 'dupwatch');
  // -D: the program keeps its own number, so that signals reach it and not strace.
  fs.writeFileSync(wrapper, `#!/bin/sh\nexec strace -D -f -qq -e trace=openat,open,creat,mkdir,mkdirat,rename,unlink,unlinkat -o '${trace}' '${path.resolve(binary())}' "$@"\n`, { mode: 0o755 });
  const before = process.env.DUPWATCH_BIN;
  process.env.DUPWATCH_BIN = wrapper;
  t.after(() => (before === undefined ? delete process.env.DUPWATCH_BIN : Object.assign(process.env, { DUPWATCH_BIN: before })));
  await daemon.start();
  await insertEvents(cluster, [{ run: 'wrun_1', correlation: 'step_1', type: 'step_created' }]);
  await fetch(`${daemon.httpBase}/metrics`);
  await daemon.stop();
  const lines = fs.readFileSync(trace, 'utf8').split('\n');
  assert.ok(lines.length > 20);
  assert.deepEqual(lines.filter((line) => /O_WRONLY|O_RDWR|O_CREAT|^\d+ +(creat|mkdir|rename|unlink)/.test(line) && !/"\/dev\//.test(line)), []);
});

test('what the CloudNativePG example makes is what dupwatch needs, with a failover slot that a DBA made', async (t) => {
  const cluster = await serverWithSchema(t, { major: 17 });
  const objects = objectsOf('cloudnativepg.yaml');
  const [role] = ofKind(objects, 'Cluster').spec.managed.roles;
  const { name, target: { objects: [{ table }] }, parameters } = ofKind(objects, 'Publication').spec;
  const options = Object.entries(parameters).map(([key, value]) => `${key} = '${value}'`).join(', ');
  // As the operator does; streaming_replica is the role that it has made before.
  await cluster.query(`CREATE ROLE streaming_replica REPLICATION; CREATE ROLE ${role.name} ${role.login ? 'LOGIN' : ''} ${role.replication ? 'REPLICATION' : ''};
    CREATE PUBLICATION ${name} FOR TABLE ${table.schema}.${table.name} (${table.columns}) WITH (${options})`);
  const dsn = DSN.replace('postgres', `127.0.0.1 port=${cluster.port}`);
  await cluster.query((await runCommand(['setup', '--print-sql', '--dsn', dsn])).stdout);
  const [, slot] = /`(SELECT pg_create_logical_replication_slot[^`]*)`/.exec(fs.readFileSync(path.join(root, 'config/providers/cloudnativepg.md'), 'utf8').replace(/\s+/g, ' '));
  await cluster.query(slot);
  const daemon = await daemonWith(t, cluster, configOf(render(withDsn({ config: { slot: { create: false } } })).objects), dsn);
  const check = await runCommand(['check', '--json', '--config', daemon.configFile]);
  assert.equal(check.code, 0, check.stdout);
  const lines = JSON.parse(check.stdout).lines.filter((line) => /^(provider|publication|replication_right|slot$)/.test(line.name));
  assert.ok(lines.length >= 6 && lines.every(({ verdict }) => verdict === 'pass'), JSON.stringify(lines));
  assert.match(lines.find((line) => line.name === 'provider').found, /CloudNativePG/);
  await daemon.start();
  const [{ failover, active }] = await cluster.query("SELECT failover, active FROM pg_replication_slots WHERE slot_name = 'dupwatch'");
  assert.deepEqual({ failover, active }, { failover: true, active: true });
});
