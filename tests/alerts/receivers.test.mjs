// The examples of receivers: amtool takes them, no secret is in them, and what a real Alertmanager makes of them reaches the service's
// API with the words, links and severity that a person needs, and again when it is over.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from '../../alerts/generate.mjs';
import { exampleFor, receiver, startAlertmanager, until } from './monitoring.mjs';
import { alerts, run, scratch } from './promtool.mjs';

const yaml = createRequire(new URL('../writers/4.1.1/package.json', import.meta.url))('js-yaml');
const folder = new URL('../../alerts/receivers/', import.meta.url);
const read = (name) => fs.readFileSync(new URL(`${name}.yml`, folder), 'utf8');
const KEYS = { routing_key_file: 'pd-key', api_key_file: 'og-key', credentials_file: 'bearer' };

/** The example with its secrets in a scratch folder, and `address` for what would be on the Internet. */
function local(t, name, address) {
  const secrets = scratch(t);
  const own = (value, key) => {
    if (Array.isArray(value)) return value.map((one) => own(one));
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([below, one]) => [below, own(one, below)]));
    if (!key?.endsWith('_file')) return value;
    const file = path.join(secrets, key);
    fs.writeFileSync(file, KEYS[key] ?? `http://${address}/slack`);
    return file;
  };
  const example = own(yaml.load(read(name)));
  const [kind] = Object.keys(example.receivers[0]).filter((key) => key !== 'name');
  const [config] = example.receivers[0][kind];
  const where = { pagerduty_configs: 'url', opsgenie_configs: 'api_url', webhook_configs: 'url' }[kind];
  if (where) config[where] = `http://${address}/`;
  return { ...example, route: { ...example.route, group_wait: '0s', group_interval: '300ms' } };
}

/** An alert as Prometheus sends it: with the labels and texts of its rule, the words of templates left as they are. */
function firing(name, more = {}) {
  const { rule } = alerts.find((entry) => entry.rule.name === name);
  const { labels, annotations } = build(rule);
  const filled = Object.fromEntries(Object.entries(annotations).map(([key, text]) => [key, text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label) => ({ instance: 'db1:9788', job: 'dupwatch', rule: 'duplicate' })[label] ?? '')]));
  return { labels: { alertname: name, job: 'dupwatch', instance: 'db1:9788', ...labels }, annotations: filled, generatorURL: 'http://127.0.0.1/', ...more };
}

/** Alertmanager over an example, with alerts that fire and then end: what the service was sent for each, and the alert. */
async function told(t, name, names) {
  const service = await receiver(t);
  const alertmanager = await startAlertmanager(t, local(t, name, service.address));
  const post = async (list) => assert.ok((await fetch(`http://${alertmanager}/api/v2/alerts`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(list) })).ok);
  const list = names.map((one) => firing(one));
  await post(list);
  await until(`${names.length} messages`, () => service.received.length >= names.length);
  const begun = service.received.splice(0);
  await post(names.map((one) => firing(one, { endsAt: new Date(Date.now() - 1000).toISOString() })));
  await until('the end of all', () => service.received.length >= names.length);
  const of = (messages) => names.map((one) => messages.find((message) => JSON.stringify(message).includes(one)));
  return { list, begun: of(begun), ended: service.received };
}

// One that pages, and one that waits for working hours.
const NAMES = ['DupwatchFatalFindings', 'DupwatchHarmlessDuplicates'];

test('amtool accepts each, none has a secret, and the receivers are those of the example', async () => {
  const files = fs.readdirSync(folder);
  assert.deepEqual(files.sort(), ['opsgenie.yml', 'pagerduty.yml', 'slack.yml', 'webhook.yml']);
  const example = fs.readFileSync(new URL('../alertmanager.example.yml', folder), 'utf8');
  for (const file of files) {
    const { code, output } = await run('amtool', ['check-config', fileURLToPath(new URL(file, folder))]);
    assert.equal(code, 0, output);
    const text = read(file.replace('.yml', ''));
    assert.doesNotMatch(text, /\b(api_key|api_url|password|routing_key|credentials):/, file);
    const { route, receivers: [{ name }] } = yaml.load(text);
    assert.equal(route.receiver, name);
    assert.ok(yaml.load(example).receivers.some((receiver) => receiver.name === name), name);
  }
});

test('PagerDuty has an incident with severity, words and links, and its end under the same key', async (t) => {
  const { list, begun, ended } = await told(t, 'pagerduty', NAMES);
  for (const [place, { routing_key: key, event_action: action, dedup_key: dedup, payload, links }] of begun.entries()) {
    const { labels, annotations } = list[place];
    assert.deepEqual([key, action], ['pd-key', 'trigger']);
    assert.deepEqual([payload.severity, payload.component, payload.group, payload.class], [labels.severity === 'critical' ? 'critical' : 'warning', 'dupwatch', 'dupwatch', labels.concern]);
    assert.equal(payload.summary, `${labels.alertname} at db1:9788: ${annotations.summary}`);
    assert.match(payload.custom_details.what, new RegExp(annotations.description.slice(0, 20)));
    assert.equal(payload.custom_details.runbook, `dupwatch alerts --runbook ${labels.alertname}`);
    assert.deepEqual(links, [{ href: annotations.runbook_url, text: 'runbook' }, { href: annotations.page_url, text: 'findings' }]);
    assert.ok(ended.some(({ event_action: over, dedup_key: same }) => over === 'resolve' && same === dedup));
  }
});

test('Opsgenie has an alert with priority, words and links, and closes it by its alias', async (t) => {
  const { list, begun, ended } = await told(t, 'opsgenie', NAMES);
  for (const [place, { path: where, authorization, alias, message, priority, tags, details }] of begun.entries()) {
    const { labels, annotations } = list[place];
    assert.deepEqual([where, authorization], ['/v2/alerts', 'GenieKey og-key']);
    assert.equal(message, `${labels.alertname} at db1:9788: ${annotations.summary}`);
    assert.equal(priority, labels.severity === 'critical' ? 'P1' : 'P3');
    assert.deepEqual(tags, ['dupwatch', labels.concern]);
    assert.deepEqual([details.runbook, details.findings, details.command], [annotations.runbook_url, annotations.page_url, `dupwatch alerts --runbook ${labels.alertname}`]);
    assert.ok(ended.some(({ path: end }) => end === `/v2/alerts/${alias}/close?identifierType=alias`), alias);
  }
});

test('Slack has a message in the colour of its severity, and one when it is over', async (t) => {
  const { list, begun, ended } = await told(t, 'slack', NAMES);
  for (const [place, { channel, attachments: [attachment] }] of begun.entries()) {
    const { labels, annotations } = list[place];
    assert.equal(channel, '#workflow-alerts');
    assert.deepEqual([attachment.color, attachment.title, attachment.title_link], [labels.severity === 'critical' ? 'danger' : 'warning', `${labels.alertname} at db1:9788`, annotations.page_url]);
    assert.ok(attachment.text.startsWith(annotations.summary) && attachment.text.endsWith(`<${annotations.runbook_url}|runbook>`), attachment.text);
    assert.ok(ended.some(({ attachments: [{ color, title }] }) => color === 'good' && title === `resolved: ${labels.alertname} at db1:9788`));
  }
});

test('a webhook has the group with its labels and texts, and the password', async (t) => {
  const { list, begun, ended } = await told(t, 'webhook', NAMES);
  for (const [place, { authorization, version, status, groupKey, alerts: [alert] }] of begun.entries()) {
    assert.deepEqual([authorization, version, status], ['Bearer bearer', '4', 'firing']);
    assert.deepEqual([alert.labels, alert.annotations], [list[place].labels, list[place].annotations]);
    assert.ok(ended.some((message) => message.status === 'resolved' && message.groupKey === groupKey));
  }
});

test('grouped by database, as the example says, its replicas are one message and another database is another', async (t) => {
  const service = await receiver(t);
  const example = exampleFor(service.address);
  const byDatabase = (route) => ({
    ...route, group_wait: '500ms', ...(route.group_by && { group_by: route.group_by.map((label) => (label === 'instance' ? 'database' : label)) }),
    ...(route.routes && { routes: route.routes.map(byDatabase) }),
  });
  const alertmanager = await startAlertmanager(t, { ...example, route: byDatabase(example.route) });
  const list = [['orders', 'pod-1'], ['orders', 'pod-2'], ['pay', 'pod-3']].map(([database, instance]) => {
    const alert = firing('DupwatchFatalFindings');
    return { ...alert, labels: { ...alert.labels, rule: 'duplicate', database, instance } };
  });
  await fetch(`http://${alertmanager}/api/v2/alerts`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(list) });
  await until('both messages', () => service.received.length >= 2);
  assert.deepEqual(service.received.map(({ groupLabels, alerts: told }) => [groupLabels.database, told.length]).sort(), [['orders', 2], ['pay', 1]]);
  assert.ok(service.received.every(({ path: where, groupLabels }) => where === '/pager' && groupLabels.rule === 'duplicate'));
});

test('an alert that has no page reaches all of them too', async (t) => {
  for (const name of ['pagerduty', 'opsgenie', 'slack', 'webhook']) {
    const { begun: [message] } = await told(t, name, ['DupwatchAbsent']);
    assert.match(JSON.stringify(message), /dupwatch alerts --runbook DupwatchAbsent|DupwatchAbsent at /, name);
    assert.doesNotMatch(JSON.stringify(message), /no value/, name);
    for (const { href } of message.links ?? []) assert.ok(href, JSON.stringify(message.links));
  }
});
