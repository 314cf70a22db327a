// Every query of the dashboards on a real Prometheus that scrapes the real daemon, idle and after findings: it has data.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { until } from '../alerts/monitoring.mjs';
import { run, scratch } from '../alerts/promtool.mjs';
import { fill, findSome, panels, queries, scene, scrapes } from './dashboards.mjs';

/** Metric names and label names of a query. */
function uses(expr) {
  const metrics = [...expr.matchAll(/\b((?:dupwatch|process)_\w+|up)\{([^}]*)\}/g)].map(([, name, matchers]) => (
    { name, labels: [...matchers.matchAll(/(\w+)(?:=~|!=|=)/g)].map(([, label]) => label) }));
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list.split(', '));
  return { metrics, grouped };
}

async function assertData(prometheus) {
  for (const { where, expr, instant } of queries) {
    const text = fill(expr);
    assert.doesNotMatch(text, /\$/, `${where}: a variable is left`);
    // No gap is open here: the annotation has nothing to show, so its condition is left out.
    const asked = where.endsWith('Coverage gaps') ? text.replace(/ > 0$/, '') : text;
    const result = instant ? await prometheus.query(asked) : await prometheus.range(asked, 10);
    assert.ok(result.length > 0, `${where}: no data for ${asked}`);
    for (const series of result) {
      const values = series.values ?? [series.value];
      assert.ok(values.every(([, value]) => Number.isFinite(Number(value))), `${where}: ${JSON.stringify(series)}`);
    }
  }
}

async function assertNames(prometheus) {
  for (const { where, expr } of queries) {
    const { metrics, grouped } = uses(expr);
    const known = new Set();
    for (const { name, labels } of metrics) {
      const [series] = (await prometheus.api('series', { 'match[]': name }));
      assert.ok(series, `${where}: there is no metric ${name}`);
      for (const label of Object.keys(series)) known.add(label);
      for (const label of labels) assert.ok(label in series, `${where}: ${name} has no label ${label}`);
    }
    for (const label of grouped) assert.ok(known.has(label), `${where}: nothing has the label ${label}`);
  }
}

test('every query has data, idle and after findings, and every metric and label exists', async (t) => {
  assert.ok(queries.length > 50);
  const all = await scene(t);
  const { prometheus } = all;
  await assertNames(prometheus);
  await assertData(prometheus);
  const value = async (title) => {
    const { expr } = queries.find(({ where }) => where === `overview.json: ${title} A`);
    return Number((await prometheus.query(fill(expr)))[0].value[1]);
  };
  assert.equal(await value('Open fatal findings'), 0);
  assert.equal(await value('Health'), 1);
  await findSome(all, 4);
  await scrapes(prometheus, 3);
  await assertData(prometheus);
  assert.equal(await value('Open fatal findings'), 2);
  assert.ok(await value('Covered since') > 0);
  // A dupwatch that is gone must not look like one that has nothing to say.
  await all.daemon.stop();
  await until('the verdict BLIND', async () => await value('Health') === 0);
});

test('of a fleet the blind come first, then who has fatal findings, lost runs, gaps and conflicts', async (t) => {
  const { panel } = panels.find(({ file, panel: { title } }) => file === 'fleet.json' && title === 'Instances, worst first');
  const ranks = panel.targets.at(-1).expr;
  const [{ displayName, desc }] = panel.options.sortBy;
  const { renameByName } = panel.transformations.at(-1).options;
  assert.deepEqual([displayName, desc, renameByName[`Value #${panel.targets.at(-1).refId}`]], ['Rank', true, 'Rank']);
  const says = {
    gone: { up: '0' },
    blind: { up: '1', dupwatch_ready: '0', 'dupwatch_open_findings#severity="fatal"': '0' },
    fatal: { up: '1', dupwatch_ready: '1', 'dupwatch_open_findings#severity="fatal"': '3' },
    gap: { up: '1', dupwatch_ready: '1', 'dupwatch_open_coverage_gaps#reason="fuse"': '1' },
    conflict: { up: '1', dupwatch_ready: '1', 'dupwatch_open_findings#severity="conflict"': '2' },
    well: { up: '1', dupwatch_ready: '1', 'dupwatch_open_findings#severity="harmless"': '900' },
  };
  const series = Object.entries(says).flatMap(([instance, values]) => Object.entries(values).map(([key, value]) => {
    const [name, label] = key.split('#');
    return { series: `${name}{job="dupwatch",instance="${instance}"${label ? `,${label}` : ''}}`, values: `${value}x5` };
  }));
  const file = `${scratch(t)}/rank.yml`;
  const expected = { gone: 1e6, blind: 1e6, fatal: 3000, gap: 10, conflict: 2, well: 0 };
  fs.writeFileSync(file, JSON.stringify({ tests: [{ interval: '1m', input_series: series, promql_expr_test: [{
    expr: fill(ranks), eval_time: '3m', exp_samples: Object.entries(expected).map(([instance, value]) => ({ labels: `{job="dupwatch", instance="${instance}"}`, value })) }] }] }));
  const { code, output } = await run('promtool', ['test', 'rules', file]);
  assert.equal(code, 0, output);
});
