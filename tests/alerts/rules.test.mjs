// The alert rules: up to date, valid, with all that an alert needs, and fired and not fired by the cases of this folder.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build, FILES } from '../../alerts/generate.mjs';
import { settings, thresholds } from '../../alerts/thresholds.mjs';
import { alerts, cases, run, scratch, testRule } from './promtool.mjs';

const require = createRequire(new URL('../writers/4.1.1/package.json', import.meta.url));
const yaml = require('js-yaml');
const folder = new URL('../../alerts/', import.meta.url);
const read = (name) => fs.readFileSync(new URL(name, folder), 'utf8');
const file = (name) => fileURLToPath(new URL(name, folder));
const metrics = fs.readFileSync(new URL('../../config/METRICS.md', import.meta.url), 'utf8');

// What the rules take from others: Prometheus itself, postgres_exporter, CloudNativePG.
const FOREIGN = [
  'up',
  'pg_replication_slots_active', 'pg_replication_slots_pg_wal_lsn_diff', 'pg_replication_slots_wal_status',
  'pg_settings_max_slot_wal_keep_size_bytes',
  'cnpg_pg_replication_slots_active', 'cnpg_pg_replication_slots_pg_wal_lsn_diff', 'cnpg_pg_settings_setting',
];

// Who is called at night. A change here is a change of somebody's sleep, so the list is written out.
const PAGES = [
  'DupwatchAbsent', 'DupwatchDisagreement', 'DupwatchDown', 'DupwatchFatalBurst', 'DupwatchFatalFindings', 'DupwatchFuseBlown', 'DupwatchHeartbeatStale', 'DupwatchNotReady', 'DupwatchNotStreaming',
  'DupwatchOrphanSlotLost', 'DupwatchOrphanSlotRetention', 'DupwatchQuarantineTripped', 'DupwatchRunsLost', 'DupwatchSlotInactive', 'DupwatchSlotLost',
  'DupwatchSlotSafeWalLow', 'DupwatchSlotWalCritical', 'DupwatchStreamSilent', 'DupwatchTableChanged',
];

test('promtool finds nothing to say about the rule files', async () => {
  const { code, output } = await run('promtool', ['check', 'rules', '--lint=all', '--lint-fatal', ...Object.keys(FILES).map(file)]);
  assert.equal(code, 0, output);
});

test('every alert has a firing and a quiet case, and all cases hold', async (t) => {
  const scratched = scratch(t);
  for (const { rule } of alerts) {
    const checks = cases.filter(({ alert }) => alert === rule.name).flatMap((entry) => entry.checks);
    assert.ok(checks.some(([, fires]) => fires.length > 0), `${rule.name} has no firing case`);
    assert.ok(checks.some(([, fires]) => fires.length === 0), `${rule.name} has no quiet case`);
  }
  // Each rule by its own cases: with all the rules in each case promtool takes ten times as long.
  for (const { rule } of alerts) {
    const { code, output } = await testRule(scratched, build(rule), rule.name);
    assert.equal(code, 0, output);
  }
});

// A label that names the database comes from the chart's `databases` or a relabeling; routes may group by it.
test('an alert keeps the label database of what it is about', async (t) => {
  const scratched = scratch(t);
  const own = alerts.filter(({ rule, file: ruleFile }) => ruleFile === 'dupwatch.rules.yml' && rule.scope !== 'job');
  assert.ok(own.length > 30);
  const database = 'orders';
  for (const { rule } of own) {
    const { code, output } = await testRule(scratched, build(rule), rule.name, (given) => {
      for (const each of given.tests) {
        for (const one of each.input_series) one.series = one.series.replace(/\bjob="dupwatch"/, `job="dupwatch",database="${database}"`);
        for (const check of each.alert_rule_test) for (const alert of check.exp_alerts) Object.assign(alert.exp_labels, { database });
      }
    });
    assert.equal(code, 0, output);
  }
});

test('the rules read no metric that does not exist', () => {
  const own = [...metrics.matchAll(/^\| `(\w+)` \| (\w+) /gm)].flatMap(([, name, type]) => (
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name]));
  assert.ok(own.length > 40);
  const used = new Set();
  for (const { rule } of alerts) {
    const { expr } = build(rule);
    const bare = expr.replaceAll(/\{[^}]*\}/g, '').replaceAll(/\b(?:by|on) \([^)]*\)/g, '');
    const names = [...bare.matchAll(/\b[a-z]\w*_\w+\b(?!\s*\()|\bup\b/g)].map(([name]) => name);
    assert.ok(names.length > 0, rule.name);
    for (const name of names) {
      used.add(name);
      assert.ok(own.includes(name) || FOREIGN.includes(name), `${rule.name} reads ${name}, which is not in config/METRICS.md`);
    }
  }
  for (const name of FOREIGN) assert.ok(used.has(name), `${name} is listed, but no rule reads it`);
});

test('every alert has the labels and annotations that a person needs', () => {
  const names = alerts.map(({ rule }) => rule.name);
  assert.equal(new Set(names).size, names.length);
  for (const { rule, file: ruleFile } of alerts) {
    const { labels, annotations } = build(rule);
    assert.match(rule.name, /^Dupwatch[A-Z][A-Za-z]+$/);
    assert.ok(['critical', 'warning', 'info'].includes(labels.severity), rule.name);
    assert.match(annotations.summary, /^[^{}]+\.$/, `${rule.name}: the summary is one constant sentence`);
    assert.match(annotations.description, /\{\{ \$(value|labels)/, `${rule.name}: the description has no value`);
    assert.ok(!/\{\{ \w/.test(annotations.description), `${rule.name}: an unknown threshold in ${annotations.description}`);
    assert.equal(annotations.runbook, `dupwatch alerts --runbook ${rule.name}`);
    // Where no daemon answers, or the instance is another exporter's, its page is no place to look.
    const own = !['DupwatchAbsent', 'DupwatchDown'].includes(rule.name) && ruleFile === 'dupwatch.rules.yml';
    assert.equal(annotations.runbook_url, own ? `http://{{ $labels.instance }}/runbooks/${rule.name}` : undefined);
    assert.equal(annotations.page_url?.replace(/#.*/, ''), own ? 'http://{{ $labels.instance }}/' : undefined);
    if (rule.name === 'DupwatchFatalFindings') assert.equal(annotations.page_url, 'http://{{ $labels.instance }}/#severity=fatal&rule={{ $labels.rule }}');
    assert.equal(annotations.dashboard_url, undefined, 'nobody has given one');
  }
  const critical = alerts.filter(({ rule }) => rule.severity === 'critical').map(({ rule }) => rule.name);
  assert.deepEqual(critical.sort(), PAGES);
});

test('every threshold has a reason, stands at its rule, and is read by one', () => {
  const used = new Set(alerts.flatMap(({ rule }) => [...(rule.uses ?? []), rule.for].filter(Boolean)));
  for (const [key, { why }] of Object.entries(thresholds)) {
    assert.ok(why?.length > 10, `${key} has no reason`);
    assert.ok(used.has(key), `no alert reads ${key}`);
  }
  for (const { rule } of alerts) {
    const read = new Set();
    const spy = new Proxy(thresholds, { get: (target, key) => { read.add(key); return target[key].value; } });
    rule.expr(spy, settings);
    assert.deepEqual([...read].sort(), [...(rule.uses ?? [])].sort(), `${rule.name}: uses`);
  }
});

test('the PrometheusRule objects hold the same rules', () => {
  const objects = yaml.loadAll(read('prometheusrule.yaml'));
  const groups = (name) => yaml.load(read(name)).groups;
  assert.deepEqual(objects.map(({ apiVersion, kind }) => [apiVersion, kind]), objects.map(() => ['monitoring.coreos.com/v1', 'PrometheusRule']));
  assert.deepEqual(objects.map(({ spec }) => spec.groups), Object.keys(FILES).map(groups));
  assert.equal(new Set(objects.map(({ metadata }) => metadata.name)).size, objects.length);
  for (const { metadata } of objects) assert.match(metadata.name, /^[a-z][a-z-]+$/);
});
