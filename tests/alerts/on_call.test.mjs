// From the alert to the fixed row by the runbook's own text: alert, runbook, dupwatch findings, dupwatch explain, dupwatch
// quarantine apply. Five steps, on a host whose daemon asks for a password, with no option that the runbook does not have.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { build, groupsYaml, rulesOf } from '../../alerts/generate.mjs';
import { thresholds } from '../../alerts/thresholds.mjs';
import { binary, runCommand } from '../integration/daemon.mjs';
import { daemonFor, EVENTS, eventId, insertEvents, serverWithSchema } from '../integration/scene.mjs';
import { ask, basic } from '../integration/request.mjs';
import { freePort } from '../postgres/cluster.mjs';
import { exampleFor, Prometheus, receiver, startAlertmanager, until } from './monitoring.mjs';

const PASSWORD = 'correct horse';
const RUN = 'wrun_01KRPCM1M08Q2V5D6HXK3T9WNB';
const STEP = 'step_01KRPCM4XQ7C9E2TB5GAMXJ4R6';

/** Runs a command on a terminal whose keyboard types `typed`; resolves what the screen shows. */
function onTerminal(command, env, typed) {
  return new Promise((resolve, reject) => {
    const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
    let screen = '';
    child.stdout.on('data', (data) => {
      screen += data;
      if (String(data).includes('[y/N]')) child.stdin.write(typed);
    });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(screen) : reject(new Error(`${command} ended with ${code}: ${screen}`))));
  });
}

test('from the alert to the fixed row in five steps and a minute', { timeout: 300_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const listen = `127.0.0.1:${await freePort()}`;
  const daemon = await daemonFor(t, cluster, { http: { listen, basic_auth: { user: 'prometheus', password: '${ON_CALL_PASSWORD}' } } });
  // What systemd gives the service, and the shell of the person on call has from the same file.
  const env = { ON_CALL_PASSWORD: PASSWORD, DUPWATCH_CONFIG: daemon.configFile, PATH: `${path.dirname(binary())}:${process.env.PATH}` };
  const setup = await runCommand(['setup', '--print-sql', '--quarantine'], { env });
  assert.equal(setup.code, 0, setup.stderr);
  await cluster.query(setup.stdout);
  await daemon.start({ env });

  const webhook = await receiver(t);
  const example = exampleFor(webhook.address);
  const quick = (route) => ({ ...route, group_wait: '0s', group_interval: '500ms', ...(route.routes ? { routes: route.routes.map(quick) } : {}) });
  const limits = { ...thresholds, hold: { ...thresholds.hold, value: '3s' }, pendingGrace: { ...thresholds.pendingGrace, value: '3s' } };
  await Prometheus.start(t, {
    jobs: { dupwatch: { static_configs: [{ targets: [listen] }], basic_auth: { username: 'prometheus', password: PASSWORD } } },
    rules: { 'dupwatch.rules.yml': `${groupsYaml([{ name: 'on_call', rules: rulesOf('dupwatch.rules.yml').map(({ rule }) => build(rule, limits)) }]).join('\n')}\n` },
    alertmanager: await startAlertmanager(t, { ...example, route: quick(example.route) }),
  });
  // A step that is over is created again while another one is under way, so that the next replay meets the row.
  const types = [['run_created', null], ['run_started', null], ['step_created', STEP], ['step_started', STEP], ['step_completed', STEP],
    ['step_created', STEP], ['step_created', `${STEP.slice(0, -1)}7`]];
  const ids = types.map((_, order) => eventId(order));
  await insertEvents(cluster, types.map(([type, correlation], i) => ({ run: RUN, type, correlation, id: ids[i] })));

  const alerts = (status) => webhook.received.flatMap((message) => message.alerts).filter((alert) => alert.labels.alertname === 'DupwatchFatalFindings' && alert.status === status);
  const [alert] = await until('the alert', () => (alerts('firing').length ? alerts('firing') : undefined));
  const begun = Date.now();

  // One and two: the alert, and the page that it links to.
  const page = new URL(alert.annotations.runbook_url);
  const authorization = basic('prometheus', PASSWORD);
  const { status, body: html } = await ask(page.origin, page.pathname, { authorization });
  assert.equal(status, 200, 'the daemon serves the runbook that the alert links to');
  const name = path.basename(page.pathname);
  const runbook = fs.readFileSync(new URL(`../../alerts/runbooks/${name}.md`, import.meta.url), 'utf8');
  assert.equal((await runCommand(alert.annotations.runbook.split(' ').slice(1))).stdout, runbook, 'and the program prints it');
  const commands = [...runbook.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, body]) => body.trim().split('\n'));
  for (const command of commands) assert.ok(html.includes(command), command);
  assert.deepEqual(commands.map((command) => command.split(' ').slice(0, 2).join(' ')), ['dupwatch findings', 'dupwatch explain', 'dupwatch quarantine']);
  const run = (command) => runCommand(command.split(' ').slice(1), { env });

  // Three: which run, which finding.
  const listed = await run(commands[0]);
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(listed.stderr, /^from the daemon at http/);
  const rows = listed.stdout.trim().split('\n').slice(1).map((line) => line.split(/ {2,}/));
  assert.equal(rows.length, 1, listed.stdout);
  const [, , , runId, findingId] = rows[0];
  assert.equal(runId, RUN);

  // Four: what is wrong, with the command that fixes it.
  const explained = await run(commands[1].replace('RUN_ID', runId));
  assert.equal(explained.code, 1, explained.stderr);
  assert.ok(explained.stdout.includes(`\n        finding ${findingId}\n`), explained.stdout);
  assert.ok(explained.stdout.includes(`\n      dupwatch quarantine apply ${RUN} ${findingId}\n`), explained.stdout);

  // Five.
  const screen = await onTerminal(commands[2].replace('FINDING_ID', findingId), env, 'y\n');
  assert.match(screen, new RegExp(`removed ${ids[5]}; entry 1`));
  const seconds = (Date.now() - begun) / 1000;
  t.diagnostic(`alert to fixed row: ${commands.length + 2} steps, ${seconds.toFixed(1)} s of machine time`);
  assert.ok(seconds < 60, `${seconds} s`);
  assert.deepEqual((await cluster.query(`SELECT id FROM ${EVENTS} WHERE run_id = $1 ORDER BY id COLLATE "C"`, [RUN])).map(({ id }) => id), ids.filter((_, i) => i !== 5));

  // The recheck's interval is a minute; the act is seen long before, and the alert ends.
  const fixed = Date.now();
  await until('no open finding', async () => (await run(commands[0])).stdout === 'no findings\n', 30_000);
  t.diagnostic(`closed after ${((Date.now() - fixed) / 1000).toFixed(1)} s`);
  await until('the end of the alert', () => alerts('resolved').length === 1, 30_000);
});
