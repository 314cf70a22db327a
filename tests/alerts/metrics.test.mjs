// The real daemon's metrics and the rules fit together: promtool has nothing to say about them, and every selector of a
// rule finds a series, idle and after findings.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { build } from '../../alerts/generate.mjs';
import { runCommand } from '../integration/daemon.mjs';
import { ask } from '../integration/request.mjs';
import { daemonFor, eventId, insertEvents, serverWithSchema } from '../integration/scene.mjs';
import { writeWal } from '../integration/wal.mjs';
import { installQueue } from '../writers/install_queue.mjs';
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
  assert.ok(series.length < 450, `${series.length} series`);
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
  await installQueue(cluster.uri());
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  for (const name of ['dupwatch_slot_safe_wal_bytes', 'dupwatch_engine_table_rows', 'dupwatch_queue_jobs_total']) {
    await daemon.until(name, async () => (await daemon.metric(name)) !== undefined);
  }

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
  assert.ok(sum(after, 'dupwatch_loop_turn_seconds_count', {}) > sum(idle, 'dupwatch_loop_turn_seconds_count', {}));
});

/** A run with a finding of each severity for engine v4; of the late steps the second one is fatal. */
function everySeverity(run) {
  const step = (name, types) => types.map((type) => ({ run, type, correlation: name }));
  const created = ['step_created', 'step_created', 'step_started', 'step_completed'];
  return [...step(null, ['run_created', 'attr_set']), ...step('step_mild', created), ...step('step_late', [...created.slice(1), 'step_created']),
    ...step('attr_1', ['attr_set', 'attr_set']), ...step(null, ['run_completed', 'run_failed'])]
    .map((event) => ({ ...event, id: eventId() }));
}

test('promtool accepts the metrics with every severity, with quarantine, after a reload and after a lost slot', { timeout: 300_000 }, async (t) => {
  const cluster = await serverWithSchema(t, { settings: { max_slot_wal_keep_size: '16MB', max_wal_size: '32MB', min_wal_size: '32MB' } });
  await installQueue(cluster.uri());
  const daemon = await daemonFor(t, cluster, { http: { listen: '127.0.0.1:0', reload: true }, quarantine: { mode: 'record' }, findings: { table: 'dupwatch.findings' }, baseline: 'active' });
  const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
  await cluster.query(setup.stdout);
  // What has no series before it was asked for (config/METRICS.md).
  const asked = ['dupwatch_slot_safe_wal_bytes', 'dupwatch_schema_release', 'dupwatch_engine_table_rows', 'dupwatch_queue_jobs_total'];
  const known = async () => {
    for (const name of asked) await daemon.until(name, async () => (await daemon.metric(name)) !== undefined);
  };
  await daemon.start();
  await known();
  // One comes and goes with the growth of the WAL (config/METRICS.md).
  const lasting = (series) => series.filter(({ name }) => name !== 'dupwatch_slot_time_to_lost_seconds');
  const names = (series) => [...new Set(lasting(series).map(({ name }) => name))].sort();
  const idle = await scrape(daemon);

  const fatal = 'wrun_01K00000000000000000000001';
  const step = (type) => ({ run: fatal, type, correlation: 'step_1' });
  await insertEvents(cluster, [{ run: fatal, type: 'run_created' }, ...['step_created', 'step_started', 'step_completed'].map(step)]);
  await insertEvents(cluster, everySeverity('wrun_01K00000000000000000000002'));
  await daemon.caughtUp();
  await insertEvents(cluster, [step('step_created')]);
  await daemon.until('a row kept by quarantine', () => daemon.metric('dupwatch_quarantine_findings_total{outcome="recorded"}'));
  const after = await scrape(daemon);
  for (const severity of ['fatal', 'conflict', 'harmless', 'unknown']) {
    assert.ok(sum(after, 'dupwatch_findings_total', { severity }) > 0, `no ${severity} finding`);
  }
  assert.equal(sum(after, 'dupwatch_quarantine_mode', { mode: 'record' }), 1);
  assert.deepEqual(names(after).filter((name) => !names(idle).includes(name)), [], 'no metric that was not there before');

  daemon.configure({ ...daemon.config, log: { ...daemon.config.log, level: 'info' } });
  assert.equal((await ask(daemon.httpBase, '/-/reload', { method: 'POST' })).status, 200);
  const reloaded = await scrape(daemon);
  assert.equal(lasting(reloaded).length, lasting(after).length);
  assert.equal(sum(reloaded, 'dupwatch_config_last_reload_successful', {}), 1);

  await daemon.stop();
  await writeWal(cluster, { until: async () => (await cluster.query("SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'dupwatch'"))[0]?.wal_status === 'lost' });
  await daemon.start();
  await daemon.until('the end of the gap', async () => (await daemon.status()).coverage.gaps.some(({ reason, closed_at: closed }) => reason === 'slot_lost' && closed));
  await known();
  const lost = await scrape(daemon);
  assert.equal(sum(lost, 'dupwatch_slot_lost_total', {}), 1);
  t.diagnostic(`series: ${idle.length} idle, ${after.length} after findings of every severity, ${lost.length} after a lost slot`);
});

test('every address that a runbook asks is served', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const folder = new URL('../../alerts/runbooks/', import.meta.url);
  const asked = new Set(fs.readdirSync(folder).flatMap((name) => (
    [...fs.readFileSync(new URL(name, folder), 'utf8').matchAll(/curl [^\n]*http:\/\/127\.0\.0\.1:9788(\/[^\s']*)/g)].map(([, where]) => where))));
  assert.ok(asked.size >= 3, [...asked].join(' '));
  for (const where of asked) assert.equal((await daemon.fetch(where)).status, 200, where);
});
