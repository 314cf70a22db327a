// The dashboards as files: up to date, of Grafana's types, by the rules of dashboard-linter, and provisionable.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { DASHBOARDS } from '../../dashboards/generate.mjs';
import { alerts, scratch } from '../alerts/promtool.mjs';
import { PICTURE_BYTES_MAX } from '../page/picture.mjs';
import { panels, queries } from './dashboards.mjs';

const require = createRequire(import.meta.url);
const yaml = createRequire(new URL('../writers/4.1.1/package.json', import.meta.url))('js-yaml');
const folder = new URL('../../dashboards/', import.meta.url);

test('lines named by severity have their colours, and fatal is red', () => {
  const named = panels.map(({ panel }) => panel).filter(({ type, targets }) => type === 'timeseries' && targets.some(({ legendFormat }) => legendFormat === '{{severity}}'));
  assert.ok(named.length >= 2);
  for (const { title, fieldConfig } of named) {
    const colours = Object.fromEntries(fieldConfig.overrides.map(({ matcher, properties }) => [matcher.options, properties[0].value.fixedColor]));
    assert.deepEqual(Object.keys(colours), ['fatal', 'conflict', 'harmless', 'unknown'], title);
    assert.equal(colours.fatal, 'red', title);
  }
});

// A green 0 while nothing is scraped is the worst that a panel can say.
test('a number that is good at 0 is none where nothing is scraped', () => {
  const stats = panels.map(({ panel }) => panel).filter(({ type, targets }) => type === 'stat' && targets.some(({ expr }) => /vector\(0\)/.test(expr)));
  for (const { title, fieldConfig: { defaults } } of stats) {
    assert.equal(defaults.mappings?.[0].options[0]?.color, 'red', `${title} says 0 for nothing, and 0 is not red`);
  }
  assert.ok(panels.some(({ panel: { title, fieldConfig } }) => title === 'Open fatal findings' && fieldConfig.defaults.noValue === 'not scraped'));
});

test('tables leave out what is 0', () => {
  const tables = panels.map(({ panel }) => panel).filter(({ type, title }) => type === 'table' && !/worst first/.test(title));
  assert.ok(tables.length >= 2);
  for (const { title, transformations } of tables) assert.equal(transformations[0].id, 'filterByValue', title);
});

test('the pictures are PNG files, and small', () => {
  const names = fs.readdirSync(new URL('pictures/', folder));
  assert.ok(names.length >= 6);
  for (const name of names) {
    const content = fs.readFileSync(new URL(`pictures/${name}`, folder));
    assert.equal(content.toString('latin1', 1, 4), 'PNG', name);
    assert.ok(content.length <= PICTURE_BYTES_MAX, `${name} has ${content.length} bytes`);
  }
});

// Prometheus' own queries and variables have fields beyond the general types.
const OWN = /^Object literal may only specify known properties, and '"(?:expr"' does not exist in type 'DataQuery|definition"' does not exist in type 'VariableModel)'\.$/;
// TypeScript does not take a string for a string enum, though in JSON it is one; the value is compared by hand.
const ENUM = /^Type '"([^"]*)"' is not assignable to type '(\w+)(?: \| undefined)?'/;

/** For each of `dashboards` {name: object} what TypeScript says against it as a Dashboard of @grafana/schema. */
function typeErrors(t, dashboards) {
  const ts = require('typescript');
  const schema = require('@grafana/schema');
  const scratchFolder = scratch(t);
  const files = Object.entries(dashboards).map(([name, dashboard]) => {
    const file = path.join(scratchFolder, `${name}.ts`);
    fs.writeFileSync(file, `import type { Dashboard } from '@grafana/schema';\nexport const dashboard: Dashboard = ${JSON.stringify(dashboard, null, 1)};\n`);
    return [name, file];
  });
  const types = path.join(path.dirname(require.resolve('@grafana/schema/package.json')), require('@grafana/schema/package.json').types);
  const program = ts.createProgram(files.map(([, file]) => file), {
    strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ['lib.es2015.d.ts'], module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler, baseUrl: '.', paths: { '@grafana/schema': [types] },
  });
  const errors = (file) => program.getSemanticDiagnostics(program.getSourceFile(file))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
    .filter((text) => {
      const [, value, name] = ENUM.exec(text) ?? [];
      return !OWN.test(text) && !(name && Object.values(schema[name] ?? {}).includes(value));
    });
  return Object.fromEntries(files.map(([name, file]) => [name, errors(file)]));
}

test('the dashboards are of the type Dashboard of @grafana/schema', (t) => {
  const { 'overview.json': overview, 'internals.json': internals, 'fleet.json': fleet } = DASHBOARDS;
  const errors = typeErrors(t, {
    overview, internals, fleet,
    // The check itself: what is wrong must be seen.
    editable: { ...overview, editable: 'no' },
    variable: { ...overview, templating: { list: [{ name: 'x', type: 'nothing' }] } },
    mode: { ...overview, panels: [{ ...overview.panels[1], fieldConfig: { defaults: { thresholds: { mode: 'none', steps: [] } }, overrides: [] } }] },
  });
  assert.deepEqual([errors.overview, errors.internals, errors.fleet], [[], [], []]);
  for (const wrong of ['editable', 'variable', 'mode']) assert.notDeepEqual(errors[wrong], [], wrong);
});

for (const [file, dashboard] of Object.entries(DASHBOARDS)) {
  test(`${file}: identity and variables`, () => {
    assert.match(dashboard.uid, /^dupwatch-/);
    assert.ok(dashboard.schemaVersion >= 39);
    assert.equal(dashboard.editable, false);
    assert.ok(dashboard.title && dashboard.description && dashboard.tags.includes('dupwatch'));
    const [datasource, ...others] = dashboard.templating.list;
    assert.deepEqual([datasource.name, datasource.type, datasource.query], ['datasource', 'datasource', 'prometheus']);
    assert.deepEqual(others.map(({ name, label }) => [name, label]), [['job', 'Job'], ['instance', 'Instance']]);
    for (const variable of others) {
      assert.deepEqual([variable.type, variable.multi, variable.includeAll, variable.allValue, variable.refresh], ['query', true, true, '.+', 2]);
      assert.equal(variable.datasource.uid, '${datasource}');
      assert.match(variable.query.query, /^label_values\(dupwatch_build_info/);
    }
    assert.deepEqual(dashboard.annotations.list.map(({ name }) => name), ['Starts', 'Coverage gaps']);
    const [page, ...boards] = dashboard.links.toReversed();
    assert.equal(page.url, 'http://${instance}/');
    for (const link of boards) assert.ok(Object.values(DASHBOARDS).some(({ uid }) => link.url === `/d/${uid}`), link.url);
    const ids = dashboard.panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
  });

  test(`${file}: no panel lies on another or leaves the grid`, () => {
    const taken = new Set();
    for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
      assert.ok(x >= 0 && x + w <= 24, title);
      for (let column = x; column < x + w; column += 1) {
        for (let line = y; line < y + h; line += 1) {
          assert.ok(!taken.has(`${column}/${line}`), `${title} lies on another`);
          taken.add(`${column}/${line}`);
        }
      }
    }
  });
}

test('every panel has a unit, a description, the data source and a runbook that exists', () => {
  assert.ok(panels.length > 30);
  for (const { file, panel } of panels) {
    const where = `${file}: ${panel.title}`;
    assert.ok(panel.title && panel.description.length > 10, where);
    assert.ok(panel.fieldConfig.defaults.unit, where);
    assert.equal(panel.datasource.uid, '${datasource}', where);
    assert.ok(panel.targets.length > 0, where);
    for (const target of panel.targets) assert.equal(target.datasource.uid, '${datasource}', where);
    const [{ url }, ...views] = panel.links;
    for (const view of views) assert.match(view.url, /^http:\/\/\$\{instance\}\/#(severity|rule)=/, where);
    const [, alert] = /^http:\/\/\$\{instance\}\/runbooks\/(\w+)$/.exec(url) ?? assert.fail(`${where}: ${url}`);
    assert.ok(alerts.some(({ rule }) => rule.name === alert), `${where}: ${url}`);
  }
});

test('every query selects by job and instance and takes counters by their rate', () => {
  for (const { where, expr } of queries) {
    const selectors = [...expr.matchAll(/\b([a-z_]+)\{([^}]*)\}/g)];
    assert.ok(selectors.length > 0, where);
    for (const [, , matchers] of selectors) {
      assert.ok(matchers.includes('job=~"$job"') && matchers.includes('instance=~"$instance"'), `${where}: ${expr}`);
    }
    // No metric without a selector.
    assert.equal([...expr.matchAll(/\b(?:dupwatch|process)_\w+/g)].length, selectors.filter(([, name]) => name !== 'up').length, `${where}: ${expr}`);
    for (const [, name] of expr.matchAll(/\b([a-z_]+_(?:total|bucket))\{/g)) {
      assert.match(expr, new RegExp(`(?:rate|increase)\\(${name}\\{`), `${where}: a counter as it is`);
    }
    for (const [, range] of expr.matchAll(/\brate\([^[]*\[([^\]]*)\]/g)) assert.equal(range, '$__rate_interval', where);
  }
});

test('the provisioning examples are what Grafana reads', () => {
  const load = (name) => yaml.load(fs.readFileSync(new URL(`provisioning/${name}`, folder), 'utf8'));
  const { apiVersion, providers: [provider] } = load('dashboards/dupwatch.yaml');
  assert.deepEqual([apiVersion, provider.type, typeof provider.options.path], [1, 'file', 'string']);
  const { datasources: [source] } = load('datasources/prometheus.yaml');
  assert.deepEqual([source.type, source.access], ['prometheus', 'proxy']);
});
