// The configuration read again while dupwatch runs: what takes effect, what needs a restart, and what an error leaves alone.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, basic } from './request.mjs';
import { assertTruth, daemonFor, eventId, full, insertEvents, serverWithSchema, slots, startRace } from './scene.mjs';
import { writeWal } from './wal.mjs';

const OK = 'dupwatch_config_last_reload_successful';
const SUCCEEDED = 'dupwatch_config_last_reload_success_timestamp_seconds';
const fatal = (run) => [['step_created', 1], ['step_completed', 2], ['step_created', 3]].map(([type, order]) => ({ run, type, correlation: 'step_1', id: eventId(order) }));
const harmless = (run) => [1, 2].map((order) => ({ run, type: 'step_created', correlation: 'step_1', id: eventId(order) }));

/** Writes the configuration with `changes`, a section each. */
function change(daemon, changes) {
  const next = { ...daemon.config };
  for (const [section, values] of Object.entries(changes)) next[section] = { ...next[section], ...values };
  daemon.configure(next);
}

/** Sends SIGHUP; resolves the line that says what came of it. */
async function hangUp(daemon) {
  const from = daemon.lines.length;
  daemon.child.kill('SIGHUP');
  const line = await daemon.line('the end of the reload', ({ event }) => event === 'config_reloaded' || event === 'config_reload_failed', { from });
  assert.equal(line.by, 'SIGHUP');
  return line;
}

/** POST /-/reload; resolves {status, ...the answer's JSON}; one too many is told in words alone. */
async function post(daemon, options = {}) {
  const { status, body } = await ask(daemon.httpBase, '/-/reload', { method: 'POST', ...options });
  return { status, ...(status === 503 && body.startsWith('too many') ? {} : JSON.parse(body)) };
}

async function reloaded(daemon, changes) {
  change(daemon, changes);
  const line = await hangUp(daemon);
  assert.equal(line.event, 'config_reloaded', daemon.tail());
  return line;
}

const open = (daemon, count) => daemon.until(`${count} open findings`, async () => (await daemon.metric('dupwatch_open_findings')) === count);
const states = (daemon, id) => fs.readFileSync(daemon.findingsFile, 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  .filter((finding) => finding.finding_id === id).map(({ state }) => state);

test('SIGHUP puts in force what can be, and names the rest', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  assert.deepEqual([await daemon.metric(OK), (await post(daemon)).status], [1, 403]);
  const began = await daemon.metric(SUCCEEDED);
  assert.ok(Math.abs(began - Date.now() / 1000) < 60, `${began}`);
  await insertEvents(cluster, [...fatal('wrun_a'), ...fatal('wrun_b')]);
  await assertTruth(daemon, { atLeast: 2 });
  await open(daemon, 2);
  const [{ finding_id: id }] = (await daemon.json('/api/findings')).findings;

  const same = await hangUp(daemon);
  assert.deepEqual([same.level, same.applied, same.needs_restart], ['info', '', '']);

  const from = daemon.lines.length;
  const line = await reloaded(daemon, {
    log: { format: 'json', level: 'warn' }, findings: { acknowledged: [id], keep: 7 }, slot: { name: 'elsewhere' },
    webhook: { url: 'http://127.0.0.1:9/t0ken', secret: 's3cret' }, connection: { dsn: `${daemon.config.connection.dsn} password=s3cret` },
  });
  assert.equal(line.level, 'warn');
  assert.equal(line.applied, 'findings.acknowledged,log.format,log.level');
  assert.equal(line.needs_restart, 'connection.dsn,slot.name,findings.keep,webhook.url,webhook.secret');
  await open(daemon, 1);
  assert.deepEqual(states(daemon, id), ['open', 'acknowledged'], 'told once more, and durable');
  assert.equal((await daemon.json('/api/findings')).findings.find((finding) => finding.finding_id === id).state, 'acknowledged');
  assert.ok(await daemon.metric(SUCCEEDED) > began);
  assert.deepEqual((await slots(cluster)).map(({ slot_name: name, active }) => [name, active]), [['dupwatch', true]], 'the stream goes on as it was');
  await insertEvents(cluster, fatal('wrun_c'));
  await open(daemon, 2);
  await daemon.line('a line in JSON', ({ text, rule }) => text.startsWith('{') && rule === 'duplicate_created', { from });
  const again = await hangUp(daemon);
  assert.equal(again.applied, '');
  assert.equal(again.needs_restart, line.needs_restart, 'named until the restart');

  // Back to where it was, which is nothing to restart for; the old list had nothing acknowledged.
  const back = await reloaded(daemon, { log: { format: 'logfmt', level: 'debug' }, findings: { acknowledged: [] }, slot: { name: 'dupwatch' } });
  assert.equal(back.applied, 'findings.acknowledged,log.format,log.level');
  await open(daemon, 3);
  assert.deepEqual(states(daemon, id), ['open', 'acknowledged', 'open']);
  await assertTruth(daemon, { atLeast: 3 });
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  assert.ok(!daemon.lines.some(({ text }) => /s3cret|t0ken/.test(text)), 'a secret is in the log');
});

test('a file with errors changes nothing, and every error is named', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { http: { listen: '127.0.0.1:0', reload: true } });
  await daemon.start();
  const good = fs.readFileSync(daemon.configFile, 'utf8');
  const began = await daemon.metric(SUCCEEDED);
  const refuse = async (words) => {
    const from = daemon.lines.length;
    const line = await hangUp(daemon);
    assert.deepEqual([line.event, line.level, line.problems], ['config_reload_failed', 'error', String(words.length)]);
    await daemon.until('its problems', () => daemon.lines.slice(from).filter(({ event }) => event === 'config_problem').length === words.length);
    const told = daemon.lines.slice(from).filter(({ event }) => event === 'config_problem').map(({ msg }) => msg);
    const answer = await post(daemon);
    assert.deepEqual([answer.status, answer.reloaded], [500, false]);
    assert.deepEqual(answer.errors, told, 'the answer names what the log names');
    for (const [at, word] of words.entries()) assert.match(told[at], word);
    assert.deepEqual([await daemon.metric(OK), await daemon.metric(SUCCEEDED)], [0, began]);
  };
  // With a key in order among them, which is not taken either: the rate is 0, and every line is there at the end.
  fs.writeFileSync(daemon.configFile, 'log:\n  level: lowd\nslott: {name: x}\npoll:\n  interval: 0s\nfindings: {log_rate_max: 1}\n');
  await refuse([/:2:10: log\.level: found "lowd", expected one of debug, info, warn, error/, /:3:1: found the unknown key "slott".*did you mean "slot"\?/,
    /:5:13: poll\.interval: found "0s", expected a duration from 1s to 24h/]);
  fs.writeFileSync(daemon.configFile, 'log: [\n');
  await refuse([/YAML/]);
  fs.rmSync(daemon.configFile);
  await refuse([/nothing that can be read: No such file or directory, expected a configuration file/]);
  // It would be waited for until somebody writes into it.
  execFileSync('mkfifo', [daemon.configFile]);
  await refuse([/found a pipe, a device or a directory, expected a regular file/]);
  fs.rmSync(daemon.configFile);
  assert.equal((await daemon.fetch('/readyz')).status, 200, 'and it goes on');
  const lines = () => daemon.lines.filter(({ event }) => event === 'finding').length;
  await insertEvents(cluster, ['wrun_a', 'wrun_b', 'wrun_c'].flatMap(harmless));
  await assertTruth(daemon, { atLeast: 3 });
  await daemon.until('a line for each of three harmless ones', () => lines() === 3);

  // What was in force is: the file as it was before differs from it in nothing.
  fs.writeFileSync(daemon.configFile, good);
  assert.deepEqual(await post(daemon), { status: 200, reloaded: true, applied: [], needs_restart: [] });
  assert.equal(await daemon.metric(OK), 1);
  assert.ok(await daemon.metric(SUCCEEDED) > began);
  change(daemon, { log: { level: 'info' }, index: { run_grace: '5s' }, heartbeat: { interval: '0s' } });
  assert.deepEqual(await post(daemon), { status: 200, reloaded: true, applied: ['log.level'], needs_restart: ['index.run_grace', 'heartbeat.interval'] });
  assert.equal(daemon.lines.filter(({ event }) => event === 'config_reloaded').at(-1).by, 'http');
  for (const method of ['GET', 'HEAD', 'PUT']) {
    const { status, headers } = await ask(daemon.httpBase, '/-/reload', { method });
    assert.deepEqual([status, headers.allow], [405, 'POST'], method);
  }
});

test('the password can be changed without a restart', { timeout: 60_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  const file = path.join(daemon.dir, 'password');
  fs.writeFileSync(file, 'first');
  change(daemon, { http: { reload: true, basic_auth: { user: 'prom', password_file: file } } });
  await daemon.start();
  const [first, second] = ['first', 'second'].map((password) => ({ authorization: basic('prom', password) }));
  assert.equal((await ask(daemon.httpBase, '/-/reload', { method: 'POST' })).status, 401);
  fs.writeFileSync(file, 'second\n');
  assert.equal((await ask(daemon.httpBase, '/metrics', first)).status, 200, 'not read before somebody says so');
  assert.deepEqual(await post(daemon, first), { status: 200, reloaded: true, applied: ['http.basic_auth'], needs_restart: [] });
  assert.deepEqual([(await ask(daemon.httpBase, '/metrics', first)).status, (await ask(daemon.httpBase, '/metrics', second)).status], [401, 200]);
  fs.writeFileSync(file, '');
  const { status, errors } = await post(daemon, second);
  assert.equal(status, 500);
  assert.match(errors[0], /password_file: found an empty file, expected a password/);
  assert.equal((await ask(daemon.httpBase, '/metrics', second)).status, 200, 'the door stays shut, and the key fits');
  assert.equal((await ask(daemon.httpBase, '/metrics')).status, 401);
});

test('what is reloaded takes effect', { timeout: 180_000 }, async (t) => {
  const sent = [];
  const hook = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    sent.push(...JSON.parse(body).findings);
    response.writeHead(204).end();
  }).listen(0, '127.0.0.1');
  await once(hook, 'listening');
  t.after(() => { hook.closeAllConnections(); hook.close(); });
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, {
    slot: { plugin: 'wal2json' }, recheck: { interval: '0s' }, heartbeat: { interval: '1h' }, poll: { interval: '24h' },
    webhook: { url: `http://127.0.0.1:${hook.address().port}/` },
  });
  await daemon.start();
  const beats = () => daemon.metric('dupwatch_heartbeat_roundtrip_seconds_count');
  await daemon.until('the first heartbeat', async () => (await beats()) === 1);
  await insertEvents(cluster, [...harmless('wrun_a'), ...fatal('wrun_b')]);
  await daemon.until('the fatal one at the webhook', () => sent.length === 1);
  await sleep(1500);
  assert.equal(await beats(), 1);

  const { applied } = await reloaded(daemon, { recheck: { interval: '1s' }, heartbeat: { interval: '1s' }, webhook: { severities: ['harmless'] } });
  assert.equal(applied, 'recheck.interval,heartbeat.interval,webhook.severities');
  await daemon.until('more heartbeats', async () => (await beats()) >= 3);
  await insertEvents(cluster, [...fatal('wrun_c'), ...harmless('wrun_d')]);
  await daemon.until('the harmless one at the webhook', () => sent.length === 2);
  assert.deepEqual(sent.map(({ run_id: run }) => run), ['wrun_b', 'wrun_d']);
  await assertTruth(daemon, { atLeast: 4 });
  // The recheck that was off at the start finds that a row is gone.
  await cluster.query(`DELETE FROM workflow.workflow_events WHERE run_id IN ('wrun_b', 'wrun_c')`);
  await daemon.until('two findings that are gone', async () => (await daemon.json('/api/findings')).findings.filter(({ state }) => state === 'gone').length === 2, 60_000);

  // The fuse, raised or lowered while the disk fills, and then polling as often as the file says.
  const holder = await cluster.client();
  t.after(() => holder.end());
  await holder.query('BEGIN');
  await holder.query(`SELECT pg_logical_emit_message(true, 'held', 'x')`);
  let rounds = 0;
  await writeWal(cluster, { until: () => { rounds += 1; return rounds === 3; } });
  await daemon.until('held WAL', async () => (await daemon.metric('dupwatch_slot_retained_wal_bytes')) > 20 * 1024 ** 2);
  assert.equal(await daemon.metric('dupwatch_slot_fuse_blown_total'), 0);
  await reloaded(daemon, { slot: { max_retained_wal: '20MiB' }, poll: { interval: '1s' } });
  await daemon.line('the blown fuse', ({ event, why }) => event === 'slot_dropped' && why === 'fuse');
  await daemon.until('two polls', async () => (await daemon.metric('dupwatch_polls_total')) >= 2);
  await holder.query('ROLLBACK');
});

test('it reloads while the server is away', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { http: { listen: '127.0.0.1:0', reload: true } });
  await daemon.start();
  await cluster.stop('immediate');
  await daemon.until('the loss', async () => (await daemon.fetch('/readyz')).status === 503);
  change(daemon, { log: { level: 'info' } });
  const before = Date.now();
  assert.deepEqual((await post(daemon)).applied, ['log.level']);
  assert.ok(Date.now() - before < 5000, `${Date.now() - before} ms`);
  // More at once than wait at a time: each has its answer, or hears that it is one too many.
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(daemon)));
  for (const answer of answers) assert.ok([200, 503].includes(answer.status), JSON.stringify(answer));
  assert.ok(answers.some(({ status }) => status === 200));
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test('reloads under load lose no finding and no stream', { timeout: 300_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { http: { listen: '127.0.0.1:0', reload: true } });
  await daemon.start();
  const good = daemon.config;
  const before = await daemon.metric('dupwatch_stream_disconnects_total');
  const writers = startRace(cluster, { runs: 0, rate: 30, processes: 2, late: 0.2 });
  t.after(() => writers.stop().catch(() => {}));
  const variants = [
    { log: { level: 'info', format: 'json' }, recheck: { interval: '1s', orphan_after: '1s' }, heartbeat: { interval: '1s' } },
    { log: { level: 'debug' }, findings: { log_rate_max: 1 }, poll: { interval: '1s' }, slot: { lost_policy: 'poll', max_retained_wal: '1GiB' } },
    { recheck: { interval: '0s' }, webhook: { severities: ['unknown'] }, connection: { backoff_max: '2s' } },
    {},
  ];
  let good_ones = 0;
  let bad_ones = 0;
  const deadline = Date.now() + (full ? 60_000 : 10_000);
  for (let round = 0; Date.now() < deadline; round += 1) {
    if (round % 5 === 4) {
      fs.writeFileSync(daemon.configFile, 'slott: {}\n');
    } else {
      daemon.config = good;
      change(daemon, variants[round % variants.length]);
    }
    if (round % 2) daemon.child.kill('SIGHUP');
    const { status, ...answer } = await post(daemon);
    assert.equal(status, round % 5 === 4 ? 500 : 200, JSON.stringify(answer));
    if (status === 200) good_ones += 1;
    else bad_ones += 1;
    await sleep(Math.random() * 50);
  }
  daemon.configure(good);
  assert.equal((await post(daemon)).status, 200);
  await writers.stop();
  await daemon.ready();
  const result = await assertTruth(daemon, { atLeast: 50 });
  assert.equal(await daemon.metric('dupwatch_stream_disconnects_total'), before, 'one stream served it all');
  assert.ok(good_ones > 20 && bad_ones > 5, `${good_ones} and ${bad_ones}`);
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  t.diagnostic(`${good_ones} reloads and ${bad_ones} refused ones, ${result.found} findings`);
});
