// dupwatch findings: the list, one, the live view and the export; from the daemon with its password, from the file and from the
// table; filters, pages, and what it says when nobody answers.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { binary, runCommand } from './daemon.mjs';
import { ask, basic } from './request.mjs';
import { daemonFor, eventId, insertEvents, runSetup, serverWithSchema } from './scene.mjs';

const PASSWORD = 'correct horse';

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

let counter = 0;
/** A run whose step is created again after it has completed, which is fatal, or before, which is harmless; its id. */
async function insertRun(cluster, fatal) {
  counter += 1;
  const run = `wrun_01KRPCM1M08Q2V5D6HXK${String(counter).padStart(6, '0')}`;
  const correlation = `step_01KRPCM4XQ7C9E2TB5GA${String(counter).padStart(6, '0')}`;
  const types = fatal ? ['step_created', 'step_started', 'step_completed', 'step_created'] : ['step_created', 'step_created', 'step_started'];
  await insertEvents(cluster, [{ run, type: 'run_created', id: eventId(1) }, { run, type: 'run_started', id: eventId(2) },
    ...types.map((type, i) => ({ run, type, correlation, id: eventId(3 + i) }))]);
  return run;
}

const findings = (daemon, ...args) => runCommand(['findings', '--config', daemon.configFile, ...args]);
const rowsOf = (stdout) => stdout.trim().split('\n').slice(1).map((line) => line.split(/ {2,}/));

test('findings from a daemon with a password, its file and its table', { timeout: 180_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const port = await freePort();
  const daemon = await daemonFor(t, cluster, {
    http: { listen: `127.0.0.1:${port}`, basic_auth: { user: 'prometheus', password: PASSWORD } },
    findings: { table: 'dupwatch.findings' },
  });
  await runSetup(cluster, daemon);
  await daemon.start();
  const fatal = [await insertRun(cluster, true), await insertRun(cluster, true)];
  const harmless = [await insertRun(cluster, false), await insertRun(cluster, false), await insertRun(cluster, false)];
  await daemon.until('five findings', () => fs.readFileSync(daemon.findingsFile, 'utf8').split('\n').length > 5);
  await daemon.caughtUp();
  const authorization = basic('prometheus', PASSWORD);
  const api = async (where) => JSON.parse((await ask(daemon.httpBase, where, { authorization })).body);
  let id;

  await t.test('the list: fatal first, within 100 columns, and it says where it is from', async () => {
    const { code, stdout, stderr } = await findings(daemon);
    assert.equal(code, 0, stderr);
    assert.match(stderr, new RegExp(`^from the daemon at http://127\\.0\\.0\\.1:${port}\n`));
    assert.ok(stderr.endsWith(`next: dupwatch explain --config ${daemon.configFile} RUN, then dupwatch quarantine apply --config ${daemon.configFile} FINDING\n`), stderr);
    assert.ok(stdout.split('\n').every((line) => line.length <= 100), stdout);
    assert.match(stdout, /^SEVERITY +STATE +RULE +RUN +FINDING +AGE\n/);
    const rows = rowsOf(stdout);
    assert.deepEqual(rows.map(([severity]) => severity), ['fatal', 'fatal', 'harmless', 'harmless', 'harmless']);
    assert.deepEqual(rows.map(([, , , run]) => run), [...fatal.toReversed(), ...harmless.toReversed()]);
    [, , , , id] = rows[0];
  });

  await t.test('the password is asked for without the configuration, and file and table need none', async () => {
    const other = await runCommand(['findings', '--source', 'daemon', '--url', daemon.httpBase], { env: { HOME: '/nonexistent' } });
    assert.deepEqual([other.code, other.stdout], [3, '']);
    assert.match(other.stderr, /wants a user and a password .* http\.basic_auth .* ~\/\.netrc/);
    const lists = {};
    for (const source of ['daemon', 'file', 'table']) {
      const { code, stdout, stderr } = await findings(daemon, '--source', source, '-o', 'json');
      assert.equal(code, 0, stderr);
      lists[source] = JSON.parse(stdout);
      assert.equal(lists[source].source, source);
      assert.equal(lists[source].matched, 5);
    }
    assert.deepEqual(lists.file.findings, lists.daemon.findings);
    assert.deepEqual(lists.table.findings, lists.daemon.findings);
    assert.deepEqual(new Set(lists.daemon.findings.map((finding) => JSON.stringify(finding))),
      new Set((await api('/api/findings')).findings.map((finding) => JSON.stringify(finding))));
  });

  await t.test('filters, and what they hide', async () => {
    for (const [args, runs] of [
      [['--severity', 'fatal'], fatal.toReversed()],
      [['--run', fatal[0]], [fatal[0]]],
      [['--rule', 'second_terminal'], []],
      [['--open', '--since', '1h', '--severity', 'harmless', '--limit', '2'], harmless.toReversed().slice(0, 2)],
      [['--since', new Date(Date.now() + 3_600_000).toISOString()], []],
      [['--state', 'gone,run_ended'], []],
    ]) {
      for (const source of ['daemon', 'file']) {
        const { code, stdout, stderr } = await findings(daemon, '--source', source, ...args);
        assert.equal(code, 0, stderr);
        if (runs.length === 0) assert.equal(stdout, 'no findings\n');
        else assert.deepEqual(rowsOf(stdout).map(([, , , run]) => run), runs, `${args} ${source}`);
        if (args.includes('--limit')) assert.match(stderr, /^2 of 3 findings, /m);
      }
    }
    const byRun = await findings(daemon, '--group-by', 'run');
    assert.match(byRun.stdout, /^RUN +FATAL +CONFLICT +HARMLESS +UNKNOWN +CLOSED +NEWEST\n/);
    assert.deepEqual(rowsOf(byRun.stdout).map(([run, ...counts]) => [run, ...counts.slice(0, 5)]).slice(0, 1), [[fatal[1], '1', '0', '0', '0', '0']]);
    for (const [args, said] of [[['--severity', 'bad'], /--severity: expected one or more of fatal/], [['--since', 'soon'], /--since: expected/], [['-o', 'yaml'], /-o|--output/],
      [['--open', '--state', 'gone'], /excludes/i], [['show', 'x'], /is no finding id/], [['show', '0000000000000000'], /there is no finding/]]) {
      const { code, stderr } = await findings(daemon, ...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, said);
    }
  });

  await t.test('one, and the export', async () => {
    const shown = await findings(daemon, 'show', id);
    assert.equal(shown.code, 0, shown.stderr);
    assert.ok(shown.stdout.startsWith(`finding ${id}: fatal duplicate_created, open\n  run            ${fatal[1]}\n`), shown.stdout);
    assert.ok(shown.stdout.endsWith(`Next:\n  dupwatch explain --config ${daemon.configFile} ${fatal[1]}\n  dupwatch quarantine apply --config ${daemon.configFile} ${fatal[1]} ${id}\n`), shown.stdout);
    for (const source of ['daemon', 'file', 'table']) {
      const record = JSON.parse((await findings(daemon, 'show', id, '-o', 'json', '--source', source)).stdout);
      assert.deepEqual(record, await api(`/api/findings/${id}`), source);
    }
    const lines = (await findings(daemon, 'export')).stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines.length, 5);
    const csv = (await findings(daemon, 'export', '-o', 'csv', '--severity', 'fatal')).stdout.trim().split('\n');
    assert.match(csv[0], /^finding_id,severity,rule,/);
    assert.ok(csv[1].startsWith(`${id},fatal,duplicate_created,open,`));
    assert.equal(csv.length, 3);
    const wide = (await findings(daemon, '-o', 'wide', '--run', fatal[1])).stdout;
    assert.match(wide, / \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  may_return  /);
  });

  await t.test('the API: a run, pages, and what it does not know', async () => {
    assert.deepEqual((await api(`/api/runs/${fatal[0]}`)).findings.map((finding) => finding.run_id), [fatal[0]]);
    const seen = [];
    let next = '';
    do {
      const page = await api(`/api/findings?limit=2${next && `&cursor=${next}`}`);
      assert.equal(page.matched, 5);
      seen.push(...page.findings.map((finding) => finding.finding_id));
      ({ next } = page);
    } while (next);
    assert.equal(new Set(seen).size, 5);
    for (const where of ['/api/findings?offset=5', '/api/findings?severity=bad', '/api/findings?cursor=1-2-3-4-5', '/api/findings/x', '/api/status?limit=1x&offset']) {
      const { status } = await ask(daemon.httpBase, where, { authorization });
      assert.equal(status, where.startsWith('/api/status') ? 200 : 400, where);
    }
    for (const where of ['/api/findings/0000000000000000', '/api/runs/nothing']) assert.equal((await ask(daemon.httpBase, where, { authorization })).status, 404);
    assert.equal((await ask(daemon.httpBase, `/api/runs/${fatal[0]}`)).status, 401);
  });

  await t.test('live: the list, what comes, what changes, over a restart of the daemon', async (t) => {
    const watching = spawn(binary(), ['findings', 'watch', '--severity', 'fatal', '--config', daemon.configFile], { stdio: ['ignore', 'pipe', 'pipe'] });
    t.after(() => watching.kill('SIGKILL'));
    let out = '';
    let err = '';
    watching.stdout.on('data', (data) => { out += data; });
    watching.stderr.on('data', (data) => { err += data; });
    const until = (what, check) => daemon.until(`${what}: ${out}${err}`, check);
    await until('the list', () => out.split('\n').length === 4);
    await insertRun(cluster, false);
    const later = await insertRun(cluster, true);
    await until('a later fatal one', () => out.includes(later));
    assert.equal(out.split('\n').length, 5, `harmless ones are filtered:\n${out}`);
    await daemon.stop();
    const last = await insertRun(cluster, true);
    await daemon.start();
    await daemon.until('one of the time without daemon', () => out.includes(last), 60_000);
    assert.match(err, /; trying again in 1 s\n/);
    for (const run of [...fatal, later, last]) assert.equal(out.split(run).length, 2, `${run} is told once:\n${out}`);
    watching.kill('SIGINT');
    const signal = await new Promise((resolve) => watching.once('close', (_, name) => resolve(name)));
    assert.equal(signal, 'SIGINT');
  });

  await t.test('without a daemon the file is read, then the table, and it says so', async () => {
    await daemon.stop();
    const file = await findings(daemon, '-o', 'json', '--limit', '0');
    assert.equal(file.code, 0, file.stderr);
    assert.match(file.stderr, new RegExp(`^http://127\\.0\\.0\\.1:${port}/api/findings.*\nfrom ${daemon.findingsFile}\n`));
    assert.equal(JSON.parse(file.stdout).source, 'file');
    fs.renameSync(daemon.findingsFile, `${daemon.findingsFile}.1`);
    const table = await findings(daemon, '-o', 'json', '--limit', '0');
    assert.match(table.stderr, /can't be read: No such file.*\nfrom table dupwatch\.findings\n/s);
    assert.deepEqual(JSON.parse(table.stdout).findings, JSON.parse(file.stdout).findings);
    daemon.configure({ ...daemon.config, findings: {} });
    const nothing = await findings(daemon);
    assert.deepEqual([nothing.code, nothing.stdout], [4, '']);
    const watch = await findings(daemon, 'watch');
    assert.equal(watch.code, 4, watch.stderr);
    assert.match(watch.stderr, /^error: http:.*; remedy: `dupwatch findings` reads findings\.file and findings\.table too\n/);
  });
});
