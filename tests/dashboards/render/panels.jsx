// Draws the panels of one dashboard with Grafana's own components from what Prometheus answered. The page defines
// `window.dashboard`, `window.answers` (panel id -> one result per query) and
// `window.times`; `window.drawn` counts frames per panel.
import { createTheme, dateTime, FieldType, getDisplayProcessor, reduceField, ThemeContext, toDataFrame } from '@grafana/data';
import { BigValue, BigValueColorMode, BigValueGraphMode, BigValueTextMode, LegendDisplayMode, PanelChrome, Table, TimeSeries } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

const theme = createTheme({ colors: { mode: 'dark' } });
const CELL = 50;
const LINE = 30;

const legend = (format, labels) => format.replace(/\{\{(\w+)\}\}/g, (_, name) => labels[name] ?? '') || 'value';

/** The answers of Prometheus as data frames with the panel's field configuration. */
function framesOf(panel, answers) {
  const { defaults } = panel.fieldConfig;
  const frames = answers.flatMap((result, index) => (panel.type === 'table' ? [tableFrame(result, panel)] : result.map((series) => {
    const points = series.values ?? [series.value];
    return toDataFrame({ fields: [
      { name: 'Time', type: FieldType.time, values: points.map(([time]) => time * 1000), config: { custom: {} } },
      { name: 'Value', type: FieldType.number, values: points.map(([, value]) => Number(value)), config: { displayNameFromDS: legend(panel.targets[index].legendFormat, series.metric) } },
    ] });
  })));
  // The registry of the standard options is in Grafana's core, so they are put in place by hand.
  for (const frame of frames) {
    for (const field of frame.fields) {
      const custom = { ...defaults.custom, ...field.config.custom };
      field.config = field.type === FieldType.time ? field.config : { ...(field.type === FieldType.number ? defaults : {}), ...field.config, custom };
      override(field, panel.fieldConfig.overrides);
      field.state = { ...field.state, seriesIndex: frames.indexOf(frame) };
      field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
    }
  }
  return frames;
}

/** Puts the properties of the overrides that are for this field into its configuration. */
function override(field, overrides) {
  const name = field.config.displayNameFromDS ?? field.config.displayName ?? field.name;
  for (const { matcher: { id, options }, properties } of overrides) {
    const meant = id === 'byRegexp' ? new RegExp(options.slice(1, -1)).test(name) : options === name;
    if (!meant) continue;
    for (const { id: property, value } of properties) {
      if (property.startsWith('custom.')) field.config.custom[property.slice('custom.'.length)] = value;
      else field.config[property] = value;
    }
  }
}

function tableFrame(result, panel) {
  const { renameByName } = panel.transformations[0].options;
  const rows = result.toSorted((a, b) => b.value[1] - a.value[1]);
  return toDataFrame({ fields: Object.entries(renameByName).map(([name, displayName]) => (name === 'Value'
    ? { name, type: FieldType.number, values: rows.map(({ value }) => Number(value[1])), config: { displayName } }
    : { name, type: FieldType.string, values: rows.map(({ metric }) => metric[name]), config: { displayName } })) });
}

function Stat({ panel, frames, width, height }) {
  const texts = frames.map((frame) => {
    const field = frame.fields[1];
    const { lastNotNull } = reduceField({ field, reducers: ['lastNotNull'] });
    return { ...field.display(lastNotNull), title: field.config.displayNameFromDS };
  });
  const byName = panel.options.textMode === 'name';
  const values = texts.length ? texts : [{ text: panel.fieldConfig.defaults.noValue, numeric: NaN, color: theme.colors.text.disabled }];
  return <BigValue value={byName && texts.length ? { ...values[0], text: values[0].title, title: undefined } : { ...values[0], title: undefined }} width={width} height={height} theme={theme}
    colorMode={BigValueColorMode.Background} graphMode={BigValueGraphMode.None} textMode={BigValueTextMode.Value} />;
}

function Content({ panel, frames, width, height }) {
  if (panel.type === 'stat') return <Stat {...{ panel, frames, width, height }} />;
  if (panel.type === 'table') {
    return <Table data={frames[0]} width={width} height={height} />;
  }
  return <TimeSeries frames={frames} width={width} height={height} timeZone="utc" timeRange={range()} structureRev={1}
    legend={{ ...panel.options.legend, displayMode: LegendDisplayMode.List }} options={panel.options} />;
}

function Panel({ panel }) {
  const frames = framesOf(panel, window.answers[panel.id]);
  window.drawn[panel.id] = frames.length;
  const { x, y, w, h } = panel.gridPos;
  const box = { position: 'absolute', left: x * CELL + 4, top: y * LINE + 4, width: w * CELL - 8, height: h * LINE - 8 };
  return <div className="panel" data-id={panel.id} style={box}>
    <PanelChrome title={panel.title} width={box.width} height={box.height}>
      {(width, height) => <Content {...{ panel, frames, width, height }} />}
    </PanelChrome>
  </div>;
}

const Row = ({ panel }) => <h2 style={{ position: 'absolute', left: 8, top: panel.gridPos.y * LINE + 6, fontSize: 14, margin: 0 }}>{panel.title}</h2>;

function range() {
  const [from, to] = window.times.map((time) => dateTime(time));
  return { from, to, raw: { from, to } };
}

window.drawn = {};
window.draw = () => {
  const { panels } = window.dashboard;
  const height = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h)) * LINE;
  createRoot(document.getElementById('root')).render(<ThemeContext.Provider value={theme}>
    <div style={{ position: 'relative', width: 24 * CELL, height }}>
      {panels.map((panel) => (panel.type === 'row' ? <Row key={panel.id} panel={panel} /> : <Panel key={panel.id} panel={panel} />))}
    </div>
  </ThemeContext.Provider>);
};
