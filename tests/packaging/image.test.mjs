// The image as the Dockerfile makes it, built by buildah on a base that debootstrap made and run by podman and runc: without root,
// with a read-only root, without a network, as any account. Long, as root, for ./test --full, or by itself:
// DUPWATCH_FULL=1 node --test tests/packaging/image.test.mjs
// With DUPWATCH_DEB_12 the stage that compiles is left out, and that package is put into the image.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { full } from '../integration/scene.mjs';
import { createCluster } from '../postgres/cluster.mjs';
import { cannot, debianIn, run, source } from './deb.mjs';

const skip = !full ? 'only in ./test --full' : cannot;
const dockerfile = 'config/packaging/container/Dockerfile';
const BASE = 'docker.io/library/debian:12-slim';
const MIB = 2 ** 20;

/** buildah's and podman's storage in a folder of their own. */
class Store {
  constructor(dir) {
    this.options = ['--root', path.join(dir, 'storage'), '--runroot', path.join(dir, 'run'), '--storage-driver', 'vfs'];
  }

  buildah(command, ...args) {
    return run('buildah', [...this.options, command, ...args]).trim();
  }

  /** podman without systemd. */
  try(...args) {
    return spawnSync('podman', [...this.options, '--runtime', 'runc', '--cgroup-manager', 'cgroupfs', ...args], { encoding: 'utf8', maxBuffer: 1 << 26 });
  }

  podman(...args) {
    const { status, stdout, stderr } = this.try(...args);
    assert.equal(status, 0, `podman ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout.trim();
  }
}

/** What the name in FROM stands for, as small as Debian makes it for containers. */
function makeBase(store, dir) {
  const root = debianIn(path.join(dir, 'base'), '12');
  for (const left of ['var/lib/apt/lists', 'var/cache/apt', 'usr/share/doc', 'usr/share/man', 'usr/share/locale', 'var/log']) {
    for (const name of fs.readdirSync(path.join(root, left))) fs.rmSync(path.join(root, left, name), { recursive: true });
  }
  const container = store.buildah('from', 'scratch');
  store.buildah('add', '--quiet', container, root, '/');
  store.buildah('config', '--cmd', 'bash', container);
  store.buildah('commit', '--quiet', '--rm', container, BASE);
}

/** [Dockerfile, context]: those of the repository, or with a package that is there already in place of the first stage. */
function recipe(dir) {
  const given = process.env.DUPWATCH_DEB_12;
  if (!given) return [dockerfile, source];
  const text = fs.readFileSync(path.join(source, dockerfile), 'utf8');
  const context = path.join(dir, 'context');
  fs.cpSync(path.join(source, 'config/packaging/container'), path.join(context, 'config/packaging/container'), { recursive: true });
  fs.mkdirSync(path.join(context, 'given'));
  fs.copyFileSync(given, path.join(context, 'given/dupwatch.deb'));
  fs.writeFileSync(path.join(context, 'Dockerfile'), `FROM scratch AS build\nCOPY given /src/build/release/package\n${text.slice(text.lastIndexOf('FROM '))}`);
  return [path.join(context, 'Dockerfile'), context];
}

/** Bytes of an image's layers as a registry keeps them. */
function compressed(store, dir, image) {
  const to = path.join(dir, 'archive');
  store.buildah('push', '--quiet', '--format', 'oci', image, `dir:${to}`);
  const { layers } = JSON.parse(fs.readFileSync(path.join(to, 'manifest.json'), 'utf8'));
  fs.rmSync(to, { recursive: true });
  return layers.map(({ size }) => size);
}

test('the image', { skip, timeout: 3_000_000 }, async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-image-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const store = new Store(dir);
  makeBase(store, dir);
  const revision = run('git', ['rev-parse', '--short=12', 'HEAD']).trim();

  await t.test('is built from the Dockerfile as it stands', () => {
    const began = Date.now();
    const [file, context] = recipe(dir);
    store.buildah('build', '--quiet', '--isolation', 'chroot', '--pull=never', '--format', 'docker', '--file', file,
      '--ignorefile', `${dockerfile}.dockerignore`, '--build-arg', `REVISION=${revision}`, '--tag', 'dupwatch', context);
    const [inspected] = JSON.parse(store.podman('image', 'inspect', 'dupwatch'));
    assert.equal(inspected.Config.User, '10001:10001');
    assert.equal(inspected.Config.Labels['org.opencontainers.image.revision'], revision);
    const layers = compressed(store, dir, 'dupwatch');
    const base = compressed(store, dir, BASE)[0];
    const all = layers.reduce((sum, size) => sum + size, 0);
    t.diagnostic(`built in ${Math.round((Date.now() - began) / 1000)} s; compressed ${(all / MIB).toFixed(1)} MiB, of which the base has ${(base / MIB).toFixed(1)}`);
    assert.ok(all < 60 * MIB, `${all} bytes`);
  });

  const cluster = await createCluster();
  t.after(() => cluster.destroy());
  fs.chmodSync(cluster.dir, 0o755);
  await cluster.query(fs.readFileSync(path.join(source, 'config/packaging/container/demonstration.sql'), 'utf8'));
  const [config] = JSON.parse(store.podman('image', 'inspect', 'dupwatch')).map(({ Config: found, Healthcheck: check }) => ({ ...found, check }));

  /** A container that runs until `t` ends, hardened as in compose.yaml. */
  function start(own, name, ...options) {
    store.podman('run', '--detach', '--name', name, '--pull', 'never', '--network', 'none', '--read-only', '--read-only-tmpfs=false', '--cap-drop', 'all',
      '--security-opt', 'no-new-privileges', '--memory', '256m', '--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024', '--no-healthcheck',
      '--volume', `${cluster.dir}:/pg`, '--env', `DUPWATCH_DSN=host=/pg port=${cluster.port} dbname=app user=postgres`, '--env', `DUPWATCH_SLOT=${name}`, ...options, 'dupwatch');
    own.after(() => store.try('rm', '--force', '--volumes', name));
    return Number(store.podman('inspect', '--format', '{{.State.Pid}}', name));
  }

  /** What the container's own address answers: the network namespace has nothing but it. */
  const ask = (pid, where) => spawnSync('nsenter', ['--net', '--target', String(pid), 'curl', '--silent', '--max-time', '5', `http://127.0.0.1:9788${where}`], { encoding: 'utf8' }).stdout;
  const logs = (name) => store.try('logs', name);
  async function until(what, name, condition) {
    for (const deadline = Date.now() + 30_000; !condition(); await sleep(100)) assert.ok(Date.now() < deadline, `in vain: ${what}\n${JSON.stringify(logs(name))}`);
  }

  for (const [name, user, id] of [['own', [], '10001'], ['any', ['--user', '1000680000:0'], '1000680000']]) {
    await t.test(`runs as ${id}, finds a duplicate, is healthy, and obeys signals as process 1`, async (own) => {
      const pid = start(own, name, ...user);
      await until('ready', name, () => /^ready/.test(ask(pid, '/readyz')));
      const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
      for (const line of [new RegExp(`^Uid:\\t${id}\\t${id}\\t`, 'm'), /^NSpid:\t\d+\t1$/m, /^CapEff:\t0{16}$/m, /^CapBnd:\t0{16}$/m, /^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m]) assert.match(status, line);
      assert.match(fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8'), /^\d+ \d+ \S+ \S+ \/ ro[, ]/m);
      const limit = fs.readFileSync(`/proc/${pid}/cgroup`, 'utf8');
      assert.match(limit, /libpod|\/[0-9a-f]{64}/, limit);

      await cluster.query(`INSERT INTO workflow.workflow_events (id, type, correlation_id, run_id) VALUES ('evnt_${name}_1', 'step_created', 's', 'wrun_${name}'), ('evnt_${name}_2', 'step_created', 's', 'wrun_${name}')`);
      await until('the finding', name, () => ask(pid, '/api/findings').includes(`wrun_${name}`));
      const [findings] = JSON.parse(store.podman('inspect', '--format', '{{json .Mounts}}', name)).filter(({ Destination: at }) => at === '/var/lib/dupwatch');
      assert.match(fs.readFileSync(path.join(findings.Source, 'findings.jsonl'), 'utf8'), new RegExp(`wrun_${name}`));

      const [kind, ...words] = config.check?.Test ?? config.Healthcheck.Test;
      assert.equal(kind, 'CMD');
      assert.equal(store.try('exec', name, ...words).status, 0);
      spawnSync('kill', ['-STOP', String(pid)]);
      assert.equal(store.try('exec', name, ...words).status, 1, 'a loop that stands still is healthy');
      spawnSync('kill', ['-CONT', String(pid)]);
      await until('healthy again', name, () => store.try('exec', name, ...words).status === 0);

      store.podman('kill', '--signal', 'HUP', name);
      await until('the reload', name, () => /reload/.test(`${logs(name).stdout}${logs(name).stderr}`));
      const began = Date.now();
      store.podman('stop', '--time', '10', name);
      const took = Date.now() - began;
      assert.equal(store.podman('inspect', '--format', '{{.State.ExitCode}}', name), '0');
      assert.ok(took < 5000, `${took} ms`);
      t.diagnostic(`${name}: podman stop took ${took} ms, exit code 0`);
      const [slot] = await cluster.query(`SELECT active FROM pg_replication_slots WHERE slot_name = '${name}'`);
      assert.equal(slot.active, false);
    });
  }

  await t.test('a command of its own is an argument, and what is missing is said', () => {
    const said = store.try('run', '--rm', '--pull', 'never', '--network', 'none', '--read-only', '--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024', 'dupwatch', '--version');
    assert.match(said.stdout, process.env.DUPWATCH_DEB_12 ? /^dupwatch \d+\.\d+\.\d+ \(/ : new RegExp(`^dupwatch \\d+\\.\\d+\\.\\d+ \\(${revision},`));
  });
});
