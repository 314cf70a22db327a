// From the commit of a duplicate to a message: the real writers, Postgres, dupwatch, Prometheus, Alertmanager and a webhook.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { build, groupsYaml, rulesOf } from '../../alerts/generate.mjs';
import { thresholds } from '../../alerts/thresholds.mjs';
import { daemonFor, EVENTS, full, insertEvents, race, serverWithSchema } from '../integration/scene.mjs';
import { freePort } from '../postgres/cluster.mjs';
import { exampleFor, Prometheus, receiver, slotExporter, startAlertmanager, until } from './monitoring.mjs';


/** A rule file with some thresholds changed. */
function changedRules(file, changes) {
  const limits = { ...thresholds };
  for (const [key, value] of Object.entries(changes)) limits[key] = { ...thresholds[key], value };
  return `${groupsYaml([{ name: 'changed', rules: rulesOf(file).map(({ rule }) => build(rule, limits)) }]).join('\n')}\n`;
}

/** The example with no waiting of its own: rounds follow each other in one group. */
function alertmanagerConfig(address) {
  const example = exampleFor(address);
  const quick = (route) => ({ ...route, group_wait: '0s', group_interval: '500ms', ...(route.routes ? { routes: route.routes.map(quick) } : {}) });
  return { ...example, route: quick(example.route) };
}

async function scene(t, { rules, settings = {}, exporter = false }) {
  const cluster = await serverWithSchema(t, { settings: { track_commit_timestamp: 'on', ...settings } });
  // A port that stays through a restart: a new one would be a new instance.
  const listen = `127.0.0.1:${await freePort()}`;
  const daemon = await daemonFor(t, cluster, { http: { listen } });
  await daemon.start();
  const webhook = await receiver(t);
  const alertmanager = await startAlertmanager(t, alertmanagerConfig(webhook.address));
  const jobs = { dupwatch: listen, ...(exporter ? { postgres: await slotExporter(t, cluster) } : {}) };
  const prometheus = await Prometheus.start(t, { jobs, rules, alertmanager });
  // Two samples, so that an increase can be seen.
  await until('two scrapes', async () => (await prometheus.query('count_over_time(dupwatch_ready[1m])'))[0]?.value[1] >= 2);
  return { cluster, daemon, webhook, prometheus };
}

/** Two processes race through the package's storage API, and one creates a step again that is over. */
async function fatalDuplicate(cluster, seed) {
  const known = (await cluster.query(`SELECT DISTINCT run_id FROM ${EVENTS}`)).map((row) => row.run_id);
  await race(cluster, { world: '4.1.1', runs: 1, steps: 1, processes: 2, late: 1, finish: 0, second: 0, seed });
  const rows = await cluster.query(
    `SELECT later.run_id, min(extract(epoch FROM pg_xact_commit_timestamp(later.xmin)) * 1000)::float8 AS committed
     FROM ${EVENTS} later JOIN ${EVENTS} closing USING (run_id, correlation_id)
     WHERE later.type = 'step_created' AND closing.type IN ('step_completed', 'step_failed') AND later.id > closing.id
       AND later.run_id <> ALL ($1::text[]) GROUP BY later.run_id`, [known]);
  assert.equal(rows.length, 1, 'the writers left one run with a fatal row');
  return rows[0];
}

const about = (webhook, name, status) => webhook.received.flatMap(({ alerts, ...message }) => (
  alerts.filter((alert) => alert.labels.alertname === name && alert.status === status).map((alert) => ({ ...message, alert }))));

/** Every text is filled in and every label says something. */
function assertTexts({ alert }) {
  for (const part of ['labels', 'annotations']) {
    for (const [key, value] of Object.entries(alert[part])) {
      assert.ok(value.trim(), `${key} is empty`);
      assert.doesNotMatch(value, /<no value>|\{\{|undefined|NaN/, key);
    }
  }
  assert.match(alert.annotations.description, new RegExp(alert.labels.instance));
}

// Each has its own servers and mostly waits; the twenty rounds are measured alone.
describe('from a commit to a message', { concurrency: full ? 1 : 3 }, () => {
  it('a duplicate of the real writers reaches a webhook', { timeout: 1_500_000 }, async (t) => {
    const rounds = full ? 20 : 3;
    // Held for three seconds in place of five minutes, so that a round is over before the next. Nothing else of these runs is
    // open, so the alert gives them time to return, here as short.
    const { cluster, daemon, webhook } = await scene(t, { rules: { 'dupwatch.rules.yml': changedRules('dupwatch.rules.yml', { hold: '3s', pendingGrace: '3s' }) } });
    const delays = [];
    for (let round = 1; round <= rounds; round += 1) {
      const before = about(webhook, 'DupwatchFatalFindings', 'firing').length;
      const { run_id: run, committed } = await fatalDuplicate(cluster, round);
      const message = await until(`message ${round}`, () => about(webhook, 'DupwatchFatalFindings', 'firing')[before]);
      assert.ok(message.at >= committed, 'a message about a commit before it');
      assert.equal(message.path, '/pager');
      assert.equal(message.alert.labels.rule, 'duplicate_created');
      assertTexts(message);
      delays.push(message.at - committed);
      await insertEvents(cluster, [{ run, type: 'run_completed', id: `wevt_7ZZZZZZZZZZZZZZZZZ${String(round).padStart(9, '0')}` }]);
      await until(`end of incident ${round}`, () => about(webhook, 'DupwatchFatalFindings', 'resolved').length === round);
      // Whole seconds between the rounds would measure one phase of the scrape again and again.
      await sleep(Math.random() * 1000);
    }
    assert.equal(await daemon.metric('dupwatch_findings_total') >= rounds, true);
    delays.sort((a, b) => a - b);
    t.diagnostic(`${rounds} rounds, commit to webhook: median ${Math.round(delays[Math.floor(rounds / 2)])} ms, maximum ${Math.round(delays.at(-1))} ms`);
  });

  it('a restart of dupwatch neither resolves nor repeats the incident', { timeout: 300_000 }, async (t) => {
    const { cluster, daemon, webhook, prometheus } = await scene(t, { rules: { 'dupwatch.rules.yml': changedRules('dupwatch.rules.yml', { pendingGrace: '3s' }) } });
    await fatalDuplicate(cluster, 1);
    await until('the message', () => about(webhook, 'DupwatchFatalFindings', 'firing').length === 1);
    const started = Number((await prometheus.query('process_start_time_seconds{job="dupwatch"}'))[0].value[1]);
    await daemon.stop();
    await until('a failed scrape', async () => (await prometheus.query('up{job="dupwatch"} == 0')).length);
    await daemon.start();
    await until('the new process with its finding in Prometheus', async () => (
      (await prometheus.query(`process_start_time_seconds{job="dupwatch"} > ${started}`)).length
        && (await prometheus.query('sum(dupwatch_open_findings{severity="fatal"}) == 1')).length));
    // Some more rounds of scrape, evaluation and Alertmanager's group interval.
    await until('more scrapes', async () => (await prometheus.query('changes(process_start_time_seconds{job="dupwatch"}[1m]) == 1 and count_over_time((up{job="dupwatch"} == 1)[5s:1s]) >= 5')).length);
    assert.equal((await prometheus.query('ALERTS{alertname="DupwatchFatalFindings",alertstate="firing"}')).length, 1, 'it still fires');
    assert.equal(about(webhook, 'DupwatchFatalFindings', 'firing').length, 1, 'told once');
    assert.equal(about(webhook, 'DupwatchFatalFindings', 'resolved').length, 0, 'not resolved');
  });

  it('a dupwatch that hangs is told by another exporter', { timeout: 300_000 }, async (t) => {
    // One second in place of ten minutes; the server gives up on a silent client after two.
    const rules = { 'slots.rules.yml': changedRules('slots.rules.yml', { inactiveFor: '1s' }) };
    const { daemon, webhook, prometheus } = await scene(t, { rules, settings: { wal_sender_timeout: '2s' }, exporter: true });
    await until('the slot in Prometheus', async () => (await prometheus.query('pg_replication_slots_active{slot_name="dupwatch"} == 1')).length);
    assert.equal(about(webhook, 'DupwatchSlotInactive', 'firing').length, 0);
    daemon.child.kill('SIGSTOP');
    try {
      const message = await until('the message', () => about(webhook, 'DupwatchSlotInactive', 'firing')[0]);
      assert.equal(message.path, '/pager');
      assert.equal(message.alert.labels.slot_name, 'dupwatch');
      assert.equal(message.alert.labels.job, 'postgres');
      assertTexts(message);
    } finally {
      daemon.child.kill('SIGCONT');
    }
    await until('the end of it', () => about(webhook, 'DupwatchSlotInactive', 'resolved').length === 1);
  });
});
