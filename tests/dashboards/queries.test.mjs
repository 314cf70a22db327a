// Every query of the dashboards on a real Prometheus that scrapes the real daemon, idle and after findings: it has data.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../alerts/monitoring.mjs';
import { fill, findSome, queries, scene, scrapes } from './dashboards.mjs';

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
