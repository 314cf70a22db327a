// dupwatch findings ack and unack against a real daemon: who, why and until when are in the list, the finding, the metrics and
// explain; a kill -9, a rotated file and a second process change nothing of it; time and a worse severity end it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../postgres/cluster.mjs';
import { runCommand } from './daemon.mjs';
import { latestFindings } from './ground_truth.mjs';
import { basic } from './request.mjs';
import { daemonFor, eventId, insertEvents, serverWithSchema } from './scene.mjs';

const PASSWORD = 'correct horse';
const USER = { USER: 'alice', SUDO_USER: '' };

let counter = 0;
/** A run whose step is created twice; `fatal`: again after it has completed. Its id and the step's. */
async function insertRun(cluster, fatal) {
  counter += 1;
  const run = `wrun_01KRPCM1M08Q2V5D6HXK${String(counter).padStart(6, '0')}`;
  const correlation = `step_01KRPCM4XQ7C9E2TB5GA${String(counter).padStart(6, '0')}`;
  const types = fatal ? ['step_created', 'step_started', 'step_completed', 'step_created'] : ['step_created', 'step_created'];
  await insertEvents(cluster, [{ run, type: 'run_created', id: eventId(1) }, { run, type: 'run_started', id: eventId(2) },
    ...types.map((type, i) => ({ run, type, correlation, id: eventId(3 + 2 * i) }))]);
  return { run, correlation };
}

/** The value of a series. */
async function series(daemon, authorization, name) {
  const text = await (await fetch(`${daemon.httpBase}/metrics`, { headers: { authorization } })).text();
  return text.split('\n').filter((line) => line.startsWith(name)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test('acknowledged findings', { timeout: 240_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const listen = `127.0.0.1:${await freePort()}`;
  const config = { http: { listen, basic_auth: { user: 'ops', password: PASSWORD } }, recheck: { interval: '1s' } };
  const daemon = await daemonFor(t, cluster, config);
  await daemon.start();
  const authorization = basic('ops', PASSWORD);
  const api = async (where) => (await fetch(daemon.httpBase + where, { headers: { authorization } })).json();
  const cli = (...args) => runCommand(['findings', '--config', daemon.configFile, ...args], { env: USER });
  const list = async (...args) => JSON.parse((await cli('-o', 'json', ...args)).stdout).findings;
  const openFatal = () => series(daemon, authorization, 'dupwatch_open_findings{rule="duplicate_created",severity="fatal"');
  const acknowledged = (severity) => series(daemon, authorization, `dupwatch_acknowledged_findings{severity="${severity}"}`);
  const { run } = await insertRun(cluster, true);
  const mild = await insertRun(cluster, false);
  await daemon.until('two findings', async () => (await list()).length === 2);
  const [fatal, harmless] = await list();
  assert.deepEqual([fatal.severity, fatal.run_id, harmless.severity], ['fatal', run, 'harmless']);
  await daemon.until('one open in the metrics', async () => (await openFatal()) === 1);

  await t.test('the command says who, why and until when, and everybody shows it', async () => {
    const begun = Date.now();
    const { code, stdout, stderr } = await cli('ack', fatal.finding_id, '--comment', 'fixed in "42"\u202e', '--until', '8h');
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    assert.match(stdout, new RegExp(`^${fatal.finding_id} \\(fatal duplicate_created in run ${run}\\): acknowledged by ops \\(alice\\) until \\d{4}-.*Z: fixed in "42"\\\\u202e\\n$`));
    const [shown] = await list('--run', run);
    assert.equal(shown.state, 'acknowledged');
    const { by, comment, at, until, severity } = shown.acknowledgement;
    assert.deepEqual([by, comment, severity], ['ops (alice)', 'fixed in "42"\u202e', 'fatal']);
    assert.ok(Math.abs(Date.parse(until) - begun - 8 * 3_600_000) < 20_000, until);
    assert.ok(Math.abs(Date.parse(at) - begun) < 20_000, at);
    assert.deepEqual(await api(`/api/findings/${fatal.finding_id}`), shown);
    assert.deepEqual((await api('/api/findings?state=acknowledged')).findings, [shown]);
    assert.deepEqual(latestFindings(daemon.findingsFile).find((finding) => finding.finding_id === fatal.finding_id), shown, 'it is in the record');
    assert.deepEqual([shown.duplicate, shown.canonical], [fatal.duplicate, fatal.canonical], 'what was known of the rows is still there');
    assert.equal(await openFatal(), 0);
    assert.equal(await acknowledged('fatal'), 1);
    const status = await api('/api/status');
    assert.deepEqual([status.findings_fatal, status.findings_acknowledged], [0, 1]);
    const open = await cli('--open');
    assert.match(open.stdout, new RegExp(`^fatal +acknowledged .*${fatal.finding_id} .*\\nharmless +open `, 'm'));
    assert.match((await cli('show', fatal.finding_id)).stdout, /^ {2}acknowledged {3}by ops \(alice\) until .*Z: fixed in "42"/m);
    const explained = await runCommand(['explain', '--config', daemon.configFile, run]);
    assert.match(explained.stdout, new RegExp(`finding ${fatal.finding_id}\\n +acknowledged by ops \\(alice\\) until .*Z: fixed in "42"\\\\u202e\\n`));
    const json = JSON.parse((await runCommand(['explain', '--config', daemon.configFile, '--json', run])).stdout);
    assert.deepEqual(json.findings.map(({ state, acknowledgement }) => [state, acknowledgement?.by]), [['acknowledged', 'ops (alice)']]);
  });

  await t.test('what is wrong is said, with a code that says whose turn it is', async () => {
    for (const [args, code, said] of [
      [['ack', 'x', '--comment', 'c'], 2, /16 hexadecimal digits/],
      [['ack', '0000000000000000', '--comment', 'c'], 2, /0000000000000000: no such finding/],
      [['ack', harmless.finding_id], 2, /--comment is required/],
      [['ack', harmless.finding_id, '--comment', ' '], 2, /comment: say why/],
      [['ack', harmless.finding_id, '--comment', 'c', '--until', '2020-01-01T00:00:00Z'], 2, /until: expected a time to come/],
      [['ack', harmless.finding_id, '--comment', 'c', '--source', 'file'], 2, /the daemon alone/],
      [['ack', harmless.finding_id, '--comment', 'c', '--url', daemon.httpBase], 3, /wants a user and a password/],
      [['ack', harmless.finding_id, '--comment', 'c', '--url', 'http://127.0.0.1:1'], 4, /127\.0\.0\.1:1/],
      [['unack', harmless.finding_id], 2, /is not acknowledged/],
    ]) {
      const result = await runCommand(['findings', '--config', daemon.configFile, ...args], { env: { ...USER, HOME: '/nonexistent' } });
      assert.equal(result.code, code, `${args}: ${result.stderr}`);
      assert.match(result.stderr, said);
    }
    const half = await cli('ack', '0000000000000000', harmless.finding_id, '--comment', 'c', '-o', 'json', '--by', 'bob');
    assert.equal(half.code, 2);
    const { durable, findings } = JSON.parse(half.stdout);
    assert.deepEqual([durable, findings.map(({ finding_id: id, acknowledgement }) => [id, acknowledgement.by])], [true, [[harmless.finding_id, 'ops (bob)']]]);
    const foreign = await fetch(`${daemon.httpBase}/api/findings/${harmless.finding_id}/unacknowledge`, { method: 'POST', headers: { authorization, origin: 'https://evil.example' } });
    assert.equal(foreign.status, 403);
    assert.equal((await api(`/api/findings/${harmless.finding_id}`)).state, 'acknowledged');
  });

  await t.test('a kill -9 loses nothing of it', async () => {
    const before = await list();
    assert.deepEqual(before.map(({ state }) => state), ['acknowledged', 'acknowledged']);
    await daemon.kill();
    await daemon.start();
    await daemon.until('both', async () => (await list()).length === 2);
    assert.deepEqual(await list(), before);
    assert.equal(await openFatal(), 0);
    assert.deepEqual([await acknowledged('fatal'), await acknowledged('harmless')], [1, 1]);
  });

  await t.test('a new findings file has it too', async () => {
    fs.renameSync(daemon.findingsFile, `${daemon.findingsFile}.1`);
    daemon.child.kill('SIGHUP');
    const records = () => (fs.existsSync(daemon.findingsFile) ? latestFindings(daemon.findingsFile) : []);
    await daemon.until('the records again', () => records().length === 2);
    const before = await list();
    assert.deepEqual(new Set(records().map(({ acknowledgement }) => acknowledgement.comment)), new Set(before.map(({ acknowledgement }) => acknowledgement.comment)));
    await daemon.kill();
    await daemon.start();
    await daemon.until('both', async () => (await list()).length === 2);
    assert.deepEqual((await list()).map(({ state }) => state), ['acknowledged', 'acknowledged']);
  });

  await t.test('one that gets worse is open again, whatever was said', async () => {
    await insertEvents(cluster, [{ run: mild.run, type: 'step_completed', correlation: mild.correlation, id: eventId(4) }]);
    const worse = await daemon.until('a fatal finding', async () => (await list('--run', mild.run)).find(({ severity }) => severity === 'fatal'));
    assert.deepEqual([worse.finding_id, worse.state, worse.acknowledgement], [harmless.finding_id, 'open', null]);
    await daemon.until('one open in the metrics', async () => (await openFatal()) === 1);
    await daemon.kill();
    await daemon.start();
    await daemon.until('it', async () => (await list('--run', mild.run)).length === 1);
    assert.deepEqual((await list('--run', mild.run)).map(({ state }) => state), ['open'], 'and stays so');
  });

  await t.test('it ends at its time, and when it is taken back', async () => {
    const { code, stderr } = await cli('ack', harmless.finding_id, '--comment', 'c', '--until', '2s');
    assert.equal(code, 0, stderr);
    assert.equal(await openFatal(), 0);
    await daemon.until('its end', async () => (await openFatal()) === 1, 10_000);
    const [ended] = await list('--run', mild.run);
    assert.deepEqual([ended.state, ended.acknowledgement], ['open', null]);
    const back = await cli('unack', fatal.finding_id);
    assert.deepEqual([back.code, back.stdout], [0, `${fatal.finding_id} (fatal duplicate_created in run ${run}): open\n`], back.stderr);
    assert.equal(await openFatal(), 2);
    assert.equal(await acknowledged('fatal'), 0);
  });

  await t.test('one that ends while no daemon runs is open at the next start', async () => {
    assert.equal((await cli('ack', fatal.finding_id, '--comment', 'c', '--until', '1s')).code, 0);
    await daemon.stop();
    await sleep(1500);
    await daemon.start();
    await daemon.until('it is open', async () => (await openFatal()) === 2, 10_000);
    assert.deepEqual((await list('--run', run)).map(({ state, acknowledgement }) => [state, acknowledgement]), [['open', null]]);
  });

  await t.test('a row that leaves the log closes the finding, which is no longer to be acknowledged', async () => {
    assert.equal((await cli('ack', fatal.finding_id, '--comment', 'c')).code, 0);
    await cluster.query('DELETE FROM workflow.workflow_events WHERE run_id = $1 AND id = $2', [run, fatal.duplicate.id]);
    await daemon.until('it is gone', async () => (await list('--run', run))[0]?.state === 'gone', 20_000);
    const refused = await cli('ack', fatal.finding_id, '--comment', 'c');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /the finding is closed/);
    await daemon.until('nothing acknowledged', async () => (await acknowledged('fatal')) === 0);
  });
});

test('a daemon that the network reaches without a password takes none, and says what to do', { timeout: 60_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const port = await freePort();
  const daemon = await daemonFor(t, cluster, { http: { listen: `0.0.0.0:${port}` }, findings: { file: '' } });
  await daemon.start();
  daemon.httpBase = `http://127.0.0.1:${port}`;
  await insertRun(cluster, true);
  const found = await daemon.until('a finding', async () => (await daemon.json('/api/findings')).findings[0]);
  const ack = ({ finding_id: id }) => runCommand(['findings', '--config', daemon.configFile, 'ack', id, '--comment', 'c'], { env: USER });
  const refused = await ack(found);
  assert.equal(refused.code, 3, refused.stderr);
  assert.match(refused.stderr, /set http\.basic_auth/);
  assert.equal((await daemon.json(`/api/findings/${found.finding_id}`)).state, 'open');

  // On the loopback it does, and without a file or a table it says that it forgets.
  await daemon.stop();
  daemon.configure({ ...daemon.config, http: { listen: `127.0.0.1:${port}` } });
  await daemon.start();
  await insertRun(cluster, true);
  const again = await daemon.until('a finding', async () => (await daemon.json('/api/findings')).findings[0]);
  const done = await ack(again);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /acknowledged by alice until/);
  assert.match(done.stderr, /^not durable yet: a restart of the daemon forgets it; remedy: set findings\.file/);
});

test('records of 0.1.0 and of a version without acknowledgements are known again', { timeout: 60_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  await insertRun(cluster, true);
  await daemon.until('a finding', () => latestFindings(daemon.findingsFile).length === 1);
  await daemon.stop();
  const [{ acknowledgement, ...record }] = latestFindings(daemon.findingsFile);
  assert.equal(acknowledgement, null);
  fs.writeFileSync(daemon.findingsFile, `${JSON.stringify(record)}\n`);
  await daemon.start();
  await daemon.line('what was restored', (line) => line.event === 'findings_restored' && line.count === '1');
});
