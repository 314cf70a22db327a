// The parts that the dashboards are made of: panels, rows, variables and annotations as Grafana's JSON.
// The daemon's own page, of the instance that is chosen; `dupwatch dashboards` puts another address in its place.
const PAGE = 'http://${instance}';

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** The selector that every metric takes, with more matchers if given. */
export const select = (name, ...matchers) => `${name}{${['job=~"$job"', 'instance=~"$instance"', ...matchers].join(', ')}}`;

/** What a counter grew by per second, by `labels`. */
export const rate = (name, labels = ['instance'], ...matchers) => `sum by (${labels.join(', ')}) (rate(${select(name, ...matchers)}[$__rate_interval]))`;

/** A gauge of each instance. */
export const gauge = (name, ...matchers) => `max by (instance) (${select(name, ...matchers)})`;

/**
 * Of `expr` by `label` what moved in the time shown, by the counter that it is of: all exist at 0 from the start, and a
 * legend of a dozen zeros hides the one that matters. `none` stands at 0 where nothing moved.
 */
export const moved = (expr, counter, label) => (
  `(${expr} and on (${label}) sum by (${label}) (increase(${select(counter)}[$__range] @ end())) > 0) or on () label_replace(vector(0), "${label}", "none", "", "")`);

// A quantile of no observation is NaN, which no panel can draw.
export const quantile = (share, histogram) => `(histogram_quantile(${share}, sum by (le) (rate(${select(`${histogram}_bucket`)}[$__rate_interval]))) >= 0) or vector(0)`;

const link = (title, url, more) => ({
  title, url, type: 'link', icon: 'external link', tooltip: '', tags: [], asDropdown: false, targetBlank: false, includeVars: false, keepTime: false, ...more,
});
const runbook = (alert) => link(`Runbook ${alert}`, `${PAGE}/runbooks/${alert}`, { targetBlank: true });

/** Thresholds as Grafana has them: green, then each [value, colour]. */
const steps = (limits) => ({ mode: 'absolute', steps: [{ color: 'green', value: null }, ...limits.map(([value, color]) => ({ value, color }))] });

/** A value mapping: {value: [text, colour]}. */
const mapping = (texts) => [{
  type: 'value',
  options: Object.fromEntries(Object.entries(texts).map(([value, [text, color]], index) => [value, { text, color, index }])),
}];

function targetsOf(queries, instant) {
  return queries.map(([expr, legendFormat], index) => ({
    refId: String.fromCharCode(65 + index), datasource: DATASOURCE, expr, legendFormat,
    ...(instant ? { instant: true, range: false, format: instant === 'table' ? 'table' : 'time_series' } : { instant: false, range: true }),
  }));
}

/** What all panels share. `alert` names the runbook that the panel links to, `view` what the page of the daemon shows. */
function panel(type, { title, description, unit, alert, view, width, height, queries, instant, defaults = {}, overrides = [], options, transformations }) {
  return {
    type, title, description, datasource: DATASOURCE,
    gridPos: { w: width, h: height, x: 0, y: 0 },
    links: [runbook(alert), ...(view ? [link('The findings', `${PAGE}/#${view}`, { targetBlank: true })] : [])],
    fieldConfig: { defaults: { unit, ...defaults }, overrides },
    options, targets: targetsOf(queries, instant),
    ...(transformations ? { transformations } : {}),
  };
}

/** One number, coloured by `limits` or by the values in `texts`. */
export function stat({ limits = [], texts, decimals, name = false, noValue, ...rest }) {
  return panel('stat', {
    width: 4, height: 4, instant: true, ...rest,
    defaults: {
      thresholds: steps(limits), color: { mode: 'thresholds' },
      ...(texts ? { mappings: mapping(texts) } : {}), ...(decimals === undefined ? {} : { decimals }), ...(noValue ? { noValue } : {}),
    },
    options: {
      colorMode: 'background', graphMode: 'none', justifyMode: 'auto', orientation: 'auto', textMode: name ? 'name' : 'auto', wideLayout: true,
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
  });
}

// Grafana's palette goes by the order of the series, and made fatal yellow.
const SEVERITY_COLORS = { fatal: 'red', conflict: 'orange', harmless: 'blue', unknown: 'text' };
const severityColors = () => Object.entries(SEVERITY_COLORS).map(([severity, fixedColor]) => ({
  matcher: { id: 'byName', options: severity }, properties: [{ id: 'color', value: { mode: 'fixed', fixedColor } }],
}));

// A limit is no quantity of its own: no colour of the palette, no area below it.
const ceilingLook = () => ({
  matcher: { id: 'byRegexp', options: '/^(limit|expected|safe) /' },
  properties: [
    { id: 'color', value: { mode: 'fixed', fixedColor: 'text' } },
    { id: 'custom.fillOpacity', value: 0 },
    { id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 8] } },
  ],
});

// Where all values are 0 Grafana draws an axis up to 100 of whatever unit, as if that were to be expected.
const SOFT_MAX = { short: 1, ops: 1, eps: 1, s: 0.01, bytes: 1024, Bps: 1024, percentunit: 0.01 };

/**
 * Lines over time, or bars. `severities`: the series are named by severity and get its colours. `ceilings`: some are
 * limits, which have a look of their own. `softMax`: how far the axis goes at least.
 */
export function series({ bars = false, stack = false, limits, severities = false, ceilings = false, softMax, ...rest }) {
  return panel('timeseries', {
    width: 12, height: 8, ...rest, overrides: [...(severities ? severityColors() : []), ...(ceilings ? [ceilingLook()] : [])],
    defaults: {
      min: 0, color: { mode: 'palette-classic' }, ...(limits ? { thresholds: steps(limits) } : {}),
      custom: {
        drawStyle: bars ? 'bars' : 'line', lineWidth: bars ? 1 : 2, fillOpacity: bars ? 80 : 10, showPoints: 'never', spanNulls: false,
        axisSoftMax: softMax ?? SOFT_MAX[rest.unit], stacking: { mode: stack ? 'normal' : 'none', group: 'A' }, thresholdsStyle: { mode: limits ? 'dashed' : 'off' },
      },
    },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  });
}

/** A rule's name is long, a count is short; severities have their colours here too. */
const columnLooks = (columns) => [
  { matcher: { id: 'byName', options: columns.Value }, properties: [{ id: 'custom.width', value: 80 }] },
  { matcher: { id: 'byName', options: columns.rule }, properties: [{ id: 'custom.minWidth', value: 190 }] },
  {
    matcher: { id: 'byName', options: columns.severity },
    properties: [
      { id: 'mappings', value: mapping(Object.fromEntries(Object.entries(SEVERITY_COLORS).map(([severity, color]) => [severity, [severity, color]]))) },
      { id: 'custom.cellOptions', value: { type: 'color-text' } },
    ],
  },
];

/** The last values as a table; `columns` renames and orders what the query's labels are called. */
export function table({ columns, ...rest }) {
  const names = Object.keys(columns);
  return panel('table', {
    width: 12, height: 8, instant: 'table', ...rest, overrides: columnLooks(columns),
    defaults: { custom: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false, minWidth: 90 } },
    options: { showHeader: true, cellHeight: 'sm', footer: { show: false, reducer: ['sum'], countRows: false, fields: '' }, sortBy: [{ displayName: columns.Value, desc: true }] },
    transformations: [
      // Every rule has a series from the start; a line of 0 tells nobody anything.
      { id: 'filterByValue', options: { type: 'include', match: 'any', filters: [{ fieldName: 'Value', config: { id: 'greater', options: { value: 0 } } }] } },
      { id: 'organize', options: { excludeByName: { Time: true }, indexByName: Object.fromEntries(names.map((name, index) => [name, index])), renameByName: columns, includeByName: {} } },
    ],
  });
}

/**
 * A table with a line for each instance. `columns` are [{title, expr, unit, texts, limits}], each by job and instance; `sortBy` is
 * the title of the one that orders the lines, and an instance links to the dashboard with the uid `details`.
 */
export function comparison({ columns, sortBy, details, ...rest }) {
  const looks = columns.map(({ title, unit, texts, limits }) => ({
    matcher: { id: 'byName', options: title },
    properties: [
      ...(unit ? [{ id: 'unit', value: unit }] : []), ...(texts ? [{ id: 'mappings', value: mapping(texts) }] : []),
      ...(limits ? [{ id: 'thresholds', value: steps(limits) }] : []),
      ...(texts || limits ? [{ id: 'custom.cellOptions', value: { type: 'color-text' } }] : []),
    ],
  }));
  const where = `/d/${details}?var-job=\${__data.fields.Job}&var-instance=\${__data.fields.Instance}&\${__url_time_range}`;
  const names = { job: 'Job', instance: 'Instance', ...Object.fromEntries(columns.map(({ title }, index) => [`Value #${String.fromCharCode(65 + index)}`, title])) };
  return panel('table', {
    width: 24, height: 12, instant: 'table', unit: 'short', ...rest, queries: columns.map(({ expr }) => [expr, '']),
    overrides: [
      ...looks,
      { matcher: { id: 'byName', options: 'Instance' }, properties: [{ id: 'custom.minWidth', value: 190 }, { id: 'links', value: [{ title: 'Its overview', url: where, targetBlank: false }] }] },
    ],
    defaults: { custom: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false, minWidth: 90 }, color: { mode: 'thresholds' } },
    options: { showHeader: true, cellHeight: 'sm', footer: { show: false, reducer: ['sum'], countRows: false, fields: '' }, sortBy: [{ displayName: sortBy, desc: true }] },
    transformations: [
      { id: 'merge', options: {} },
      { id: 'organize', options: { excludeByName: { Time: true }, indexByName: Object.fromEntries(Object.keys(names).map((name, index) => [name, index])), renameByName: names, includeByName: {} } },
    ],
  });
}

/** A heading with its panels, laid out from left to right in 24 columns. */
function placeRow({ title, panels }, top) {
  const placed = [{ type: 'row', title, collapsed: false, panels: [], gridPos: { x: 0, y: top, w: 24, h: 1 } }];
  let [x, y, height] = [0, top + 1, 0];
  for (const each of panels) {
    if (x + each.gridPos.w > 24) [x, y, height] = [0, y + height, 0];
    placed.push({ ...each, gridPos: { ...each.gridPos, x, y } });
    x += each.gridPos.w;
    height = Math.max(height, each.gridPos.h);
  }
  return { placed, bottom: y + height };
}

function variables() {
  const query = (name, label, text) => ({
    name, label, type: 'query', datasource: DATASOURCE, definition: text, query: { query: text, refId: name },
    refresh: 2, sort: 1, multi: true, includeAll: true, allValue: '.+', current: { selected: true, text: ['All'], value: ['$__all'] },
    hide: 0, options: [], regex: '', skipUrlSync: false,
  });
  return [
    { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', current: { selected: false, text: 'default', value: 'default' }, refresh: 1, hide: 0, includeAll: false, multi: false, options: [], regex: '', skipUrlSync: false },
    query('job', 'Job', 'label_values(dupwatch_build_info, job)'),
    query('instance', 'Instance', 'label_values(dupwatch_build_info{job=~"$job"}, instance)'),
  ];
}

function annotations() {
  const mark = (name, iconColor, expr, more) => ({ name, datasource: DATASOURCE, enable: true, hide: false, iconColor, expr, target: { refId: name, expr }, ...more });
  return [
    mark('Starts', 'blue', `${select('process_start_time_seconds')} * 1000`, { useValueForTime: 'on', titleFormat: 'dupwatch started', textFormat: '{{instance}}' }),
    mark('Coverage gaps', 'red', `sum by (instance, reason) (${select('dupwatch_open_coverage_gaps')}) > 0`, { step: '15s', titleFormat: 'Coverage gap', textFormat: '{{instance}}: {{reason}}' }),
  ];
}

/** A whole dashboard of rows [{title, panels}]. */
export function dashboard({ uid, title, description, links, rows }) {
  let top = 0;
  const panels = rows.flatMap((row) => {
    const { placed, bottom } = placeRow(row, top);
    top = bottom;
    return placed;
  });
  return {
    uid, title, description, tags: ['dupwatch', 'postgres'], schemaVersion: 39, version: 1, editable: false, graphTooltip: 1,
    refresh: '30s', time: { from: 'now-6h', to: 'now' }, timezone: 'browser', fiscalYearStartMonth: 0, liveNow: false, weekStart: '',
    timepicker: {},
    links: [
      ...links.map(([text, target]) => link(text, `/d/${target}`, { includeVars: true, keepTime: true })),
      link('The page of dupwatch', `${PAGE}/`, { targetBlank: true }),
    ],
    annotations: { list: annotations() }, templating: { list: variables() },
    panels: panels.map((each, index) => ({ id: index + 1, ...each })),
  };
}
