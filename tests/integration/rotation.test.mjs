// The findings file is taken away under the daemon: renamed with and without a signal, deleted, emptied, linked, its folder
// removed, and by the real logrotate with the package's configuration. Every finding is in one of the files that are left.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { Daemon } from './daemon.mjs';
import { insertEvents } from './scene.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
let cluster;
before(async () => {
  cluster = await createCluster();
  await installSchema('4.1.1', cluster.uri());
});
after(() => cluster?.destroy());

let counter = 0;
/** One run with a duplicate; its id. */
async function insertPair() {
  const run = `wrun_${(counter += 1)}`;
  await insertEvents(cluster, [{ run, type: 'run_created' }, { run, type: 'run_created' }]);
  return run;
}

/** A daemon with a findings file in a folder of its own, streaming; its first finding is written and confirmed. */
async function scene(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-rotation-'));
  fs.chmodSync(dir, 0o755);
  const file = path.join(dir, 'log', 'findings.jsonl');
  fs.mkdirSync(path.dirname(file));
  counter += 1;
  const daemon = new Daemon(cluster, { slot: { name: `rotation_${counter}` }, baseline: 'none', findings: { file } });
  t.after(async () => {
    await daemon.destroy();
    fs.rmSync(dir, { recursive: true, force: true });
    await cluster.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
  });
  await daemon.start();
  const first = await insertPair();
  await daemon.caughtUp();
  assert.deepEqual(runsIn(file), [first]);
  return { daemon, file, dir, first };
}

function runsIn(file) {
  if (!fs.existsSync(file)) return [];
  const bytes = fs.readFileSync(file);
  const text = (file.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes).toString('utf8');
  assert.ok(!text.includes('\0'), 'no hole in the file');
  return text.split('\n').filter(Boolean).map((line) => JSON.parse(line).run_id);
}

const inFile = (daemon, file, run) => daemon.until(`${run} in ${path.basename(file)}`, () => runsIn(file).includes(run), 10_000);
const reopened = (daemon) => daemon.line('the reopening', ({ event }) => event === 'findings_file_reopened', { timeoutMs: 10_000 });

test('renamed, and a signal: the next file is there at once, and the signal reloads nothing that did not change', async (t) => {
  const { daemon, file, first } = await scene(t);
  fs.renameSync(file, `${file}.1`);
  daemon.child.kill('SIGHUP');
  await daemon.until('a new file', () => fs.existsSync(file), 3000);
  assert.equal(fs.statSync(file).mode & 0o777, 0o640);
  const second = await insertPair();
  await inFile(daemon, file, second);
  assert.deepEqual(runsIn(`${file}.1`), [first]);
  await daemon.caughtUp();
  assert.equal((await daemon.fetch('/readyz')).status, 200);
});

test('renamed, and the configuration is broken by then: the signal opens the file all the same', async (t) => {
  const { daemon, file } = await scene(t);
  fs.writeFileSync(daemon.configFile, 'findings: [');
  fs.renameSync(file, `${file}.1`);
  daemon.child.kill('SIGHUP');
  await daemon.until('a new file', () => fs.existsSync(file), 3000);
});

test('renamed without a signal: the next finding is in the next file, and nothing waits for one', async (t) => {
  const { daemon, file, first } = await scene(t);
  fs.renameSync(file, `${file}.1`);
  const second = await insertPair();
  await inFile(daemon, file, second);
  assert.deepEqual(runsIn(`${file}.1`), [first]);
  fs.renameSync(file, `${file}.2`);
  await daemon.until('a new file', () => fs.existsSync(file), 10_000);
});

test('deleted: what is found from then on is in a file that can be read', async (t) => {
  const { daemon, file } = await scene(t);
  fs.rmSync(file);
  const second = await insertPair();
  await inFile(daemon, file, second);
  await daemon.caughtUp();
  await reopened(daemon);
});

test('emptied after a copy: the file goes on from its beginning, without a hole', async (t) => {
  const { daemon, file, first } = await scene(t);
  fs.copyFileSync(file, `${file}.1`);
  fs.truncateSync(file);
  const second = await insertPair();
  await inFile(daemon, file, second);
  assert.deepEqual([runsIn(`${file}.1`), runsIn(file)], [[first], [second]]);
});

test('linked and then taken away: a second name is no other file, until the first one is gone', async (t) => {
  const { daemon, file, first } = await scene(t);
  fs.linkSync(file, `${file}.1`);
  const second = await insertPair();
  await inFile(daemon, file, second);
  assert.equal(fs.statSync(file).ino, fs.statSync(`${file}.1`).ino);
  fs.rmSync(file);
  const third = await insertPair();
  await inFile(daemon, file, third);
  assert.deepEqual(runsIn(`${file}.1`), [first, second]);
});

test('replaced by another file: it is written to that one, after its torn last line', async (t) => {
  const { daemon, file } = await scene(t);
  fs.writeFileSync(`${file}.new`, 'torn');
  fs.renameSync(`${file}.new`, file);
  const second = await insertPair();
  await daemon.until('the finding', () => fs.readFileSync(file, 'utf8').includes(second), 10_000);
  const [torn, line] = fs.readFileSync(file, 'utf8').split('\n');
  assert.equal(torn, 'torn');
  assert.equal(JSON.parse(line).run_id, second);
});

test('its folder is removed: not ready, by name, the position held, and whole again with the folder', async (t) => {
  const { daemon, file } = await scene(t);
  fs.rmSync(path.dirname(file), { recursive: true });
  await daemon.until('unreadiness', async () => await (await daemon.fetch('/readyz')).text() === "findings.file can't be written: No such file or directory\n", 10_000);
  const second = await insertPair();
  await sleep(1500);
  fs.mkdirSync(path.dirname(file));
  await inFile(daemon, file, second);
  await daemon.ready();
});

/** Runs logrotate on the package's configuration for this file, as the owner of it. */
function logrotate(dir, file, change = (text) => text) {
  const config = path.join(dir, 'logrotate.conf');
  const owner = spawnSync('stat', ['-c', '%U %G', file], { encoding: 'utf8' }).stdout.trim();
  const shipped = fs.readFileSync(path.join(root, 'config/packaging/logrotate/dupwatch'), 'utf8');
  assert.match(shipped, /^\/var\/lib\/dupwatch\/findings\.jsonl \{$/m);
  fs.writeFileSync(config, change(shipped.replaceAll('/var/lib/dupwatch/findings.jsonl', file).replace('su dupwatch dupwatch', `su ${owner}`)), { mode: 0o644 });
  const { status, stderr } = spawnSync('logrotate', ['--force', '--state', path.join(dir, 'state'), config], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
}

/** The runs in the file and all that was rotated. */
const runsLeft = (file) => fs.readdirSync(path.dirname(file)).filter((name) => !name.includes('.coverage'))
  .flatMap((name) => runsIn(path.join(path.dirname(file), name)));

for (const [name, change] of [['as it is', undefined], ['compressing at once', (text) => text.replace(/^ *delaycompress$/m, '')]]) {
  test(`the package's logrotate configuration ${name}, while findings come: none is lost`, async (t) => {
    const { daemon, file, dir, first } = await scene(t);
    const runs = [first];
    let writing = true;
    const writer = (async () => { while (writing) runs.push(await insertPair()); })();
    for (let turn = 0; turn < 5; turn += 1) {
      await daemon.until('a file to rotate', () => fs.existsSync(file) && fs.statSync(file).size > 0);
      logrotate(dir, file, change);
    }
    writing = false;
    await writer;
    await daemon.caughtUp();
    const left = new Set(runsLeft(file));
    assert.deepEqual(runs.filter((run) => !left.has(run)), []);
    const names = fs.readdirSync(path.dirname(file));
    assert.ok(names.filter((rotated) => rotated.endsWith('.gz')).length >= 4, names.join());
    assert.ok(!names.some((rotated) => rotated.endsWith('.backup')), names.join());
  });
}

test('logrotate with copytruncate: what comes before and after is in one of the files', async (t) => {
  const { daemon, file, dir, first } = await scene(t);
  const runs = [first];
  for (let turn = 0; turn < 3; turn += 1) {
    logrotate(dir, file, (text) => text.replace('nocreate', 'copytruncate'));
    runs.push(await insertPair());
    await inFile(daemon, file, runs.at(-1));
  }
  assert.deepEqual([...new Set(runsLeft(file))].sort(), runs.sort());
  assert.ok(fs.readdirSync(path.dirname(file)).length > 2, 'it was rotated');
});
