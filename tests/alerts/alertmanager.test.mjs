// The Alertmanager example: valid, sends every alert where it belongs, and mutes only what another alert explains.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from '../../alerts/generate.mjs';
import { alerts, run, scratch } from './promtool.mjs';

const yaml = createRequire(new URL('../writers/4.1.1/package.json', import.meta.url))('js-yaml');
const file = fileURLToPath(new URL('../../alerts/alertmanager.example.yml', import.meta.url));
const config = yaml.load(fs.readFileSync(file, 'utf8'));

/** The labels that an alert comes with. */
const labelsOf = (rule) => ({ alertname: rule.name, job: 'dupwatch', instance: 'db1', ...build(rule).labels });

// The severity and concern decide; written out once more, so that a change of a route is seen.
function receiverOf({ severity, concern }) {
  if (severity === 'critical') return 'pager';
  if (concern === 'standing') return 'tickets';
  return severity === 'info' ? 'nobody' : 'chat';
}

/** Does one matcher of the file hold? Only the two forms that it uses. */
function matches(matcher, labels) {
  const [, name, operator, value] = /^(\w+) (=~?) "?([^"]*)"?$/.exec(matcher) ?? assert.fail(`a matcher of another form: ${matcher}`);
  return operator === '=' ? labels[name] === value : new RegExp(`^(?:${value})$`).test(labels[name] ?? '');
}
const all = (matchers, labels) => matchers.every((matcher) => matches(matcher, labels));

test('amtool accepts the file', async () => {
  const { code, output } = await run('amtool', ['check-config', file]);
  assert.equal(code, 0, output);
});

test('every alert goes to its receiver', async () => {
  for (const { rule } of alerts) {
    const labels = labelsOf(rule);
    const args = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
    const { code, output } = await run('amtool', ['config', 'routes', 'test', `--config.file=${file}`, `--verify.receivers=${receiverOf(labels)}`, ...args]);
    assert.equal(code, 0, `${rule.name}: ${output}`);
  }
});

test('findings wait for nothing, and no secret is in the file', () => {
  const [{ routes: [first] }] = config.route.routes;
  assert.deepEqual(first.matchers, ['severity = critical', 'concern = findings']);
  assert.ok(Number.parseInt(first.group_wait, 10) <= 10);
  for (const key of ['api_key', 'api_url', 'password', 'routing_key', 'bearer_token']) {
    assert.ok(!new RegExp(`\\b${key}:`).test(fs.readFileSync(file, 'utf8')), key);
  }
});

test('nothing mutes findings, hazards of the slot or gaps; a muted alert has its cause told', () => {
  for (const { source_matchers: sources, target_matchers: targets, equal } of config.inhibit_rules) {
    const causes = alerts.filter(({ rule }) => all(sources, labelsOf(rule)));
    const muted = alerts.filter(({ rule }) => all(targets, labelsOf(rule)));
    assert.ok(causes.length > 0 && muted.length > 0, `an inhibition that names no alert: ${sources}`);
    assert.ok(equal.includes('job'));
    for (const { rule } of muted) assert.ok(['blind', 'late'].includes(rule.concern), `${sources} mutes ${rule.name}`);
    for (const { rule } of causes) {
      assert.ok(['blind', 'late'].includes(rule.concern), rule.name);
      assert.ok(!muted.some((entry) => entry.rule === rule), `${rule.name} mutes itself`);
    }
    // A page may only be muted by a page.
    if (muted.some(({ rule }) => rule.severity === 'critical')) for (const { rule } of causes) assert.equal(rule.severity, 'critical');
  }
});

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

test('in a real Alertmanager, with every alert firing, exactly the explained ones are muted', async (t) => {
  const folder = scratch(t);
  const port = await freePort();
  // The same routes and inhibitions; every receiver is silent, so that nothing is sent from here.
  const copy = path.join(folder, 'am.yml');
  fs.writeFileSync(copy, JSON.stringify({ ...config, receivers: config.receivers.map(({ name }) => ({ name })) }));
  const child = spawn('prometheus-alertmanager', [`--config.file=${copy}`, `--storage.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`, '--cluster.listen-address=', '--log.level=warn'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => { child.once('close', resolve); child.once('error', resolve); });
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const api = `http://127.0.0.1:${port}/api/v2/alerts`;
  const firing = alerts.map(({ rule }) => ({ labels: labelsOf(rule), annotations: {}, generatorURL: 'http://127.0.0.1/' }));
  const deadline = Date.now() + 30_000;
  const post = () => fetch(api, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(firing) }).catch(() => undefined);
  while (!(await post())?.ok) {
    assert.ok(Date.now() < deadline && child.exitCode === null, 'Alertmanager does not answer');
    await sleep(100);
  }
  const muted = async () => (await (await fetch(api)).json())
    .filter(({ status }) => status.inhibitedBy.length > 0).map(({ labels }) => labels.alertname).sort();
  const expected = ['DupwatchAbsent', 'DupwatchDetectionFastBurn', 'DupwatchDetectionSlowBurn', 'DupwatchHeartbeatStale', 'DupwatchLagHigh', 'DupwatchNotReady', 'DupwatchReadBackFailing'];
  // Inhibition is decided when a group is flushed, after its group_wait; the API asks for it anew.
  while ((await muted()).length < expected.length && Date.now() < deadline) await sleep(200);
  assert.deepEqual(await muted(), expected);
});
