// What can be known of the container files without a container engine: each part is used as the container would.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../integration/daemon.mjs';
import { daemonFor, serverWithSchema } from '../integration/scene.mjs';
import { freePort } from '../postgres/cluster.mjs';

const yaml = createRequire(new URL('../writers/4.1.1/package.json', import.meta.url))('js-yaml');
const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');
const folder = 'config/packaging/container';
const dockerfile = read(`${folder}/Dockerfile`);
const { services } = yaml.load(read('config/compose.yaml'));

test('what the compose file and the Dockerfile take from the tree is there', () => {
  const mounted = Object.values(services).flatMap(({ volumes = [] }) => volumes).filter((volume) => volume.startsWith('.'));
  assert.ok(mounted.length >= 8);
  for (const volume of mounted) assert.ok(fs.statSync(path.join(root, 'config', volume.split(':')[0])).isFile(), volume);
  const { context, dockerfile: file } = services.dupwatch.build;
  assert.ok(fs.existsSync(path.join(root, 'config', context, file)));
  for (const [, copied] of dockerfile.matchAll(/^COPY --chown.* (\S+) \S+$/gm)) assert.ok(fs.existsSync(path.join(root, copied)), copied);
  const ignored = read(`${folder}/Dockerfile.dockerignore`).split('\n').filter(Boolean);
  for (const needed of ['CMakeLists.txt', 'CMakePresets.json', 'config', 'alerts', 'dashboards', 'daemon', 'decoder', 'README.md', 'CHANGELOG.md']) assert.ok(!ignored.includes(needed), needed);
});

test('the image is built with the packages of ./quickstart, and runs without root', () => {
  const { stdout } = spawnSync('bash', ['-c', `source '${root}/tests/install'; printf '%s\\n' "\${packages_build[@]}"`], { encoding: 'utf8' });
  const build = dockerfile.slice(0, dockerfile.lastIndexOf('FROM '));
  for (const name of stdout.split('\n').filter(Boolean)) assert.ok(build.split(/\s+/).includes(name), `the build stage lacks ${name}`);
  assert.match(dockerfile, /^USER 10001:10001$/m);
  assert.match(dockerfile, /--uid 10001 /);
  assert.equal(services.dupwatch.read_only, true);
});

test('Prometheus and Alertmanager take their configurations', () => {
  for (const [command, ...args] of [['promtool', 'check', 'config', '--syntax-only', 'prometheus.yml'], ['amtool', 'check-config', 'alertmanager.yml']]) {
    const { status, stderr } = spawnSync(command, args, { cwd: path.join(root, folder), encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  }
  // The alerts select by job, the targets are the services' names and ports.
  const { scrape_configs: [job], alerting } = yaml.load(read(`${folder}/prometheus.yml`));
  assert.ok(read('alerts/thresholds.mjs').includes(`'${job.job_name}'`));
  for (const target of [job.static_configs[0], alerting.alertmanagers[0].static_configs[0]].flatMap(({ targets }) => targets)) {
    const [service, port] = target.split(':');
    assert.ok(services[service].ports.some((published) => published.endsWith(`:${port}`)), target);
  }
});

test('with the image\'s configuration and the demonstration table the duplicate of the compose file is found', async (t) => {
  const cluster = await serverWithSchema(t, { world: null });
  await cluster.query(read(`${folder}/demonstration.sql`));
  const daemon = await daemonFor(t, cluster);
  const text = read(`${folder}/dupwatch.yaml`);
  assert.ok(text.includes('":9788"') && dockerfile.includes('EXPOSE 9788'));
  fs.writeFileSync(daemon.configFile, text.replace(':9788', `:${await freePort()}`).replace('/var/lib/dupwatch/', `${daemon.dir}/`));
  const env = { DUPWATCH_DSN: services.dupwatch.environment.DUPWATCH_DSN.replace('host=postgres', `host=127.0.0.1 port=${cluster.port}`) };
  await daemon.start({ env });
  const [, insert] = /"(INSERT INTO [^"]*)"/.exec(read('config/compose.yaml').replace(/\n#\s+/g, ' '));
  await cluster.query(insert);
  await daemon.until('the finding', async () => (await daemon.json('/api/findings')).findings.length === 1);
  const [, words] = /HEALTHCHECK [^[]*\[(.*?)\]/s.exec(dockerfile);
  const [program, command, option] = JSON.parse(`[${words}]`);
  assert.deepEqual([program, option], ['dupwatch', '--config']);
  const health = await runCommand([command, option, daemon.configFile], { env });
  assert.equal(health.code, 0, health.stderr);
  // Without a DSN libpq's own variables count.
  const check = await runCommand(['check', '--config', daemon.configFile], { env: { PGHOST: '127.0.0.1', PGPORT: String(cluster.port), PGDATABASE: 'app', PGUSER: 'postgres' } });
  assert.ok([0, 1].includes(check.code), check.stderr);
  assert.match(check.stdout, /workflow_events/);
});
