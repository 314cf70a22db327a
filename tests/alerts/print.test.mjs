// dupwatch alerts and dashboards: without options they print the files of alerts/ and dashboards/, with options what the chart
// renders for the same values; promtool takes every output, and what is no threshold or address is refused.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { filled, groupsYaml, rulesOf, build } from '../../alerts/generate.mjs';
import { settings, thresholds } from '../../alerts/thresholds.mjs';
import { runCommand } from '../integration/daemon.mjs';
import { render, withDsn } from '../kubernetes/chart.mjs';
import { run, scratch } from './promtool.mjs';

const require = createRequire(new URL('../writers/4.1.1/package.json', import.meta.url));
const yaml = require('js-yaml');
const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (name) => fs.readFileSync(path.join(root, name), 'utf8');
const behindNote = (text) => text.slice(text.indexOf('\n') + 1);
const print = async (...args) => {
  const { code, stdout, stderr } = await runCommand(args);
  assert.equal(code, 0, stderr);
  return stdout;
};
const rulesIn = (text) => yaml.loadAll(text).flatMap((document) => (document.spec ?? document).groups).flatMap(({ rules }) => rules);

const OPTIONS = ['--threshold', 'hold=7m', '--threshold', 'fillHorizon=7200', '--threshold', 'indexFull=0.75', '--threshold', 'burst=50', '--job', 'watch/er', '--slots', 'dw_.*',
  '--page-url', 'https://dw.example.org/app', '--runbook-url', 'https://wiki.example.org/{name}/now', '--dashboard-url', 'https://grafana.example.org/d/x'];
const LIMITS = { ...thresholds, ...Object.fromEntries(Object.entries({ hold: '7m', fillHorizon: 7200, indexFull: 0.75, burst: 50 }).map(([key, value]) => [key, { ...thresholds[key], value }])) };
const SITE = { job: 'watch/er', slots: 'dw_.*', page: 'https://dw.example.org/app', runbook: 'https://wiki.example.org/{name}/now', dashboard: 'https://grafana.example.org/d/x' };

test('without options the program prints the files of the source tree', async () => {
  assert.equal(await print('alerts', '--print'), behindNote(read('alerts/dupwatch.rules.yml')));
  assert.deepEqual(rulesIn(await print('alerts', '--print', '--exporters')), [...rulesIn(read('alerts/dupwatch.rules.yml')), ...rulesIn(read('alerts/slots.rules.yml'))]);
  assert.equal(await print('alerts', '--print', '--exporters', '--format', 'operator'), behindNote(read('alerts/prometheusrule.yaml')));
  for (const name of ['overview', 'internals', 'fleet']) assert.equal(await print('dashboards', '--print', name), read(`dashboards/${name}.json`));
  const names = (await print('alerts', '--list')).trim().split('\n');
  assert.deepEqual(names, fs.readdirSync(path.join(root, 'alerts/runbooks')).map((file) => file.replace('.md', '')).sort());
  for (const name of names) assert.equal(await print('alerts', '--runbook', name), read(`alerts/runbooks/${name}.md`));
});

test('with options it prints what the source makes of them, and so does the chart', async () => {
  const printed = rulesIn(await print('alerts', '--print', '--exporters', ...OPTIONS));
  const template = ['dupwatch.rules.yml', 'slots.rules.yml'].map((name) => read(`alerts/template/${name}`)).join('\n---\n');
  const expected = template.split('\n').map((line) => filled(line, { limits: LIMITS, site: SITE })).filter((line) => line !== undefined).join('\n');
  assert.deepEqual(printed, rulesIn(expected));
  const [fatal] = printed;
  assert.match(fatal.expr, /\[7m\]/);
  assert.deepEqual([fatal.annotations.runbook_url, fatal.annotations.page_url], ['https://wiki.example.org/DupwatchFatalFindings/now', 'https://dw.example.org/app/#severity=fatal&rule={{ $labels.rule }}']);
  assert.equal(fatal.annotations.dashboard_url, 'https://grafana.example.org/d/x?var-job={{ $labels.job }}&var-instance={{ $labels.instance }}');
  assert.ok(!JSON.stringify(printed).includes('@'.concat('hold')) && !/@\w+@/.test(JSON.stringify(printed)));
  const values = { prometheusRule: { enabled: true, thresholds: { hold: '7m', fillHorizon: 7200, indexFull: 0.75, burst: 50 }, job: SITE.job, slots: SITE.slots, pageUrl: SITE.page, runbookUrl: SITE.runbook, dashboardUrl: SITE.dashboard },
    dashboards: { enabled: true } };
  const { objects } = render(withDsn(values));
  assert.deepEqual(objects.filter(({ kind }) => kind === 'PrometheusRule').flatMap(({ spec }) => spec.groups).flatMap(({ rules }) => rules), printed);
  for (const name of ['overview', 'internals', 'fleet']) {
    const dashboard = JSON.parse(await print('dashboards', '--print', name, '--page-url', SITE.page, '--runbook-url', SITE.runbook));
    const text = JSON.stringify(dashboard);
    assert.ok(!text.includes('http://${instance}') && text.includes('https://wiki.example.org/DupwatchNotReady/now') === read(`dashboards/${name}.json`).includes('/DupwatchNotReady"'), name);
    assert.ok(text.includes('"https://dw.example.org/app/"'), name);
    const config = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.endsWith(name));
    assert.deepEqual(JSON.parse(config.data[`dupwatch-${name}.json`]), dashboard, name);
  }
  assert.throws(() => render(withDsn({ prometheusRule: { enabled: true, thresholds: { holt: '7m' } } })), /thresholds\.holt: there is no such threshold; there are absentFor, /);
});

test('an address without {name} gets the name behind it', async () => {
  for (const url of ['https://wiki.example.org/dupwatch', 'https://wiki.example.org/dupwatch/']) {
    const rules = rulesIn(await print('alerts', '--print', '--exporters', '--runbook-url', url));
    for (const { alert, annotations } of rules) assert.equal(annotations.runbook_url, `https://wiki.example.org/dupwatch/${alert}`);
  }
  const pages = rulesIn(await print('alerts', '--print', '--page-url', 'https://dw.example.org'));
  for (const { alert, annotations } of pages) assert.equal(annotations.runbook_url, `https://dw.example.org/runbooks/${alert}`, 'a page of its own answers for absent ones too');
});

test('promtool finds nothing to say about any output', async (t) => {
  const folder = scratch(t);
  const variants = { plain: [], exporters: ['--exporters'], site: ['--exporters', ...OPTIONS],
    ...Object.fromEntries(Object.entries(thresholds).map(([name, { value }]) => [name, ['--exporters', '--threshold', `${name}=${typeof value === 'string' ? '3h31m' : '7'}`]])) };
  for (const [name, args] of Object.entries(variants)) {
    const file = path.join(folder, `${name}.yml`);
    const text = await print('alerts', '--print', ...args);
    fs.writeFileSync(file, text);
    if (name in thresholds) assert.notEqual(text, await print('alerts', '--print', '--exporters'), `${name} is in no rule`);
  }
  const { code, output } = await run('promtool', ['check', 'rules', '--lint=all', '--lint-fatal', ...Object.keys(variants).map((name) => path.join(folder, `${name}.yml`))]);
  assert.equal(code, 0, output);
});

test('what is no threshold, value or address is refused, with what would be one', async () => {
  for (const [args, said] of [
    [['--threshold', 'holt=5m'], /there is no threshold holt; these are, with their defaults:\n {2}hold=5m\n/],
    [['--threshold', 'hold=5'], /threshold hold: found 5, expected a duration such as 5m/],
    [['--threshold', 'hold=0m'], /expected a duration/],
    [['--threshold', 'hold=5m]) or vector(1)'], /expected a duration/],
    [['--threshold', 'burst=many'], /threshold burst: found many, expected a number such as 20/],
    [['--threshold', 'burst=-1'], /expected a number/],
    [['--threshold', 'burst'], /expected NAME=VALUE/],
    [['--runbook-url', 'wiki.example.org'], /the runbooks: found wiki\.example\.org, expected an address/],
    [['--page-url', 'https://x/"\n  - evil: 1'], /the page: found .* expected an address/],
    [['--dashboard-url', 'javascript:alert(1)'], /the dashboard: /],
    [['--job', 'a"b'], /the job: /],
    [['--slots', 'a"b'], /the slots: /],
  ]) {
    const { code, stdout, stderr } = await runCommand(['alerts', '--print', ...args]);
    assert.deepEqual([code, stdout], [2, ''], `${args}`);
    assert.match(stderr, said);
  }
  for (const [args, said] of [[['alerts'], /exactly 1|requires/i], [['alerts', '--runbook', 'DupwatchDwon'], /did you mean DupwatchDown\?/], [['dashboards', '--print', 'x'], /overview/]]) {
    const { code, stderr } = await runCommand(args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, said);
  }
});

test('the rules that this test builds itself are those of the files', () => {
  const built = `${groupsYaml([{ name: 'x', rules: rulesOf('dupwatch.rules.yml').map(({ rule }) => build(rule)) }]).join('\n')}\n`;
  assert.deepEqual(rulesIn(built), rulesIn(read('alerts/dupwatch.rules.yml')));
  assert.equal(settings.runbook, undefined);
});
