// The real daemon's metrics and the rules fit together: promtool has nothing to say about them, and every selector of a
// rule finds a series, idle and after findings.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { build } from '../../alerts/generate.mjs';
import { daemonFor, insertEvents, serverWithSchema } from '../integration/scene.mjs';
import { alerts, run } from './promtool.mjs';

/** The text format as [{name, labels, value}]. */
function parse(text) {
  return text.split('\n').filter((line) => line && !line.startsWith('#')).map((line) => {
    const [, name, inner = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    return { name, labels: Object.fromEntries([...inner.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => [key, text])), value: Number(value) };
  });
}

/** Every selector of the rules on dupwatch's own metrics: {alert, name, matchers}. */
const selectors = alerts.filter(({ file }) => file === 'dupwatch.rules.yml').flatMap(({ rule }) => (
  [...build(rule).expr.matchAll(/\b((?:dupwatch|process)_\w+)(?:\{([^}]*)\})?/g)].map(([, name, inner = '']) => ({
    alert: rule.name, name, matchers: [...inner.matchAll(/(\w+)(=~|!=|=)"([^"]*)"/g)].map(([, key, operator, value]) => ({ key, operator, value })),
  }))));

function holds({ key, operator, value }, labels) {
  if (key === 'job') return true; // Prometheus adds it.
  if (labels[key] === undefined) return false;
  if (operator === '=~') return new RegExp(`^(?:${value})$`).test(labels[key]);
  return (labels[key] === value) === (operator === '=');
}

async function scrape(daemon) {
  const text = await (await daemon.fetch('/metrics')).text();
  const { code, output } = await run('promtool', ['check', 'metrics'], text);
  assert.equal(code, 0, `promtool check metrics: ${output}`);
  const series = parse(text);
  for (const { alert, name, matchers } of selectors) {
    assert.ok(series.some((entry) => entry.name === name && matchers.every((matcher) => holds(matcher, entry.labels))),
      `${alert}: no series for ${name} ${JSON.stringify(matchers)}`);
  }
  return series;
}

const sum = (series, name, match) => series.filter((entry) => entry.name === name && Object.entries(match).every(([key, value]) => entry.labels[key] === value))
  .reduce((total, { value }) => total + value, 0);

test('promtool accepts the metrics, and every selector of a rule finds its series', async (t) => {
  assert.ok(selectors.length > 30);
  // With a limit, so that the safe size of the slot is there.
  const cluster = await serverWithSchema(t, { settings: { max_slot_wal_keep_size: '1GB' } });
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  await daemon.until('the numbers of the slot', () => daemon.metric('dupwatch_slot_safe_wal_bytes'));

  const idle = await scrape(daemon);
  assert.equal(sum(idle, 'dupwatch_open_findings', {}), 0);
  assert.equal(sum(idle, 'dupwatch_ready', {}), 1);

  const runs = [1, 2].map((index) => `wrun_01K0000000000000000000000${index}`);
  // Known to the daemon before their duplicates come, so that these are judged as the stream brings them, not by the
  // read-back of an unknown run, whose rows have no commit time to measure a latency from.
  await insertEvents(cluster, runs.map((run) => ({ run, type: 'run_created' })));
  await daemon.caughtUp();
  const step = (type, run) => ({ run, type, correlation: 'step_1' });
  await insertEvents(cluster, runs.flatMap((run) => (
    ['step_created', 'step_started', 'step_completed', 'step_created'].map((type) => step(type, run)))));
  await daemon.caughtUp();
  await daemon.until('two fatal findings', async () => (await daemon.metric('dupwatch_open_findings')) === 2);
  // The latency is measured when a finding is written, which may be a snapshot later.
  await daemon.until('two latencies', async () => (await daemon.metric('dupwatch_commit_to_flag_seconds_count')) === 2);
  const after = await scrape(daemon);
  assert.equal(sum(after, 'dupwatch_open_findings', { severity: 'fatal', rule: 'duplicate_created' }), 2);
  assert.equal(sum(after, 'dupwatch_findings_total', { severity: 'fatal', origin: 'stream' }), 2);
});

test('every address that a runbook asks is served', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const folder = new URL('../../alerts/runbooks/', import.meta.url);
  const asked = new Set(fs.readdirSync(folder).flatMap((name) => (
    [...fs.readFileSync(new URL(name, folder), 'utf8').matchAll(/curl [^\n]*http:\/\/127\.0\.0\.1:9788(\/[^\s']*)/g)].map(([, where]) => where))));
  assert.ok(asked.size >= 4, [...asked].join(' '));
  for (const where of asked) assert.equal((await daemon.fetch(where)).status, 200, where);
});
