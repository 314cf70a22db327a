// The rule files, made from alerts/source and alerts/thresholds.mjs; ./generate writes them.
import * as exporters from './source/exporters.mjs';
import * as findings from './source/findings.mjs';
import * as health from './source/health.mjs';
import * as quarantine from './source/quarantine.mjs';
import * as slot from './source/slot.mjs';
import * as watching from './source/watching.mjs';
import { settings, thresholds } from './thresholds.mjs';

/** Which groups stand in which rule file. */
export const FILES = {
  'dupwatch.rules.yml': [findings, quarantine, watching, health, slot],
  'slots.rules.yml': [exporters],
};

// `dupwatch alerts` fills in thresholds and addresses of its own, so the files are made in two steps: a template, whose marks are
// @name@ for a threshold, @job@, @slots@, and the addresses below; a line with an address that there is none for is left out.
const MARKS = {
  page: '@page@',
  /** On the daemon's page, or where else the runbooks are; `own`: the first is possible. */
  runbook: (name, own) => (own ? `@runbook:${name}@` : `@other_runbook:${name}@`),
  dashboard: '@dashboard@',
};

const valuesOf = (limits) => {
  const values = Object.fromEntries(Object.entries(limits).map(([key, { value }]) => [key, value]));
  return { ...values, fillHours: values.fillHorizon / 3600 }; // For sentences.
};

const TOKENS = Object.fromEntries(Object.keys(valuesOf(thresholds)).map((key) => [key, `@${key}@`]));

/** Puts thresholds into `{{ name }}`; Prometheus' own templates begin with $ and are left alone. */
const fill = (text, values) => text.replaceAll(/\{\{ (\w+) \}\}/g, (whole, key) => values[key] ?? whole);

function annotationsOf(rule, values) {
  // No daemon answers where there is none, and other exporters' rules have their own instances.
  const own = rule.daemon !== false;
  const instance = rule.scope === 'job' ? '$__all' : '{{ $labels.instance }}';
  return {
    summary: rule.summary,
    description: fill(rule.description, values),
    runbook: `dupwatch alerts --runbook ${rule.name}`,
    runbook_url: MARKS.runbook(rule.name, own),
    ...(own ? { page_url: `${MARKS.page}/${rule.view ? `#${rule.view}` : ''}` } : {}),
    dashboard_url: `${MARKS.dashboard}?var-job={{ $labels.job }}&var-instance=${instance}`,
  };
}

/** One rule of the template. */
function templateOf(rule) {
  return {
    alert: rule.name,
    expr: rule.expr(TOKENS, { job: '@job@', slots: '@slots@' }),
    for: rule.for && TOKENS[rule.for],
    labels: { severity: rule.severity, component: 'dupwatch', concern: rule.concern },
    annotations: annotationsOf(rule, TOKENS),
    why: [...(rule.uses ?? []), rule.for].filter(Boolean).map((key) => `${key} ${TOKENS[key]}: ${thresholds[key].why}`),
  };
}

/** A text of the template with its marks filled in; undefined when it has an address that there is none for. */
export function filled(text, { limits = thresholds, site = settings } = {}) {
  const values = { ...valuesOf(limits), job: site.job, slots: site.slots, page: site.page, dashboard: site.dashboard };
  let missing = false;
  const runbook = (name, own) => (site.runbook ?? (own ? `${site.page}/runbooks/{name}` : undefined))?.replaceAll('{name}', name);
  const out = text.replaceAll(/@(?:(other_)?runbook:)?(\w+)@/g, (mark, other, name) => {
    const value = mark.includes(':') ? runbook(name, !other) : values[name];
    if (value === undefined) missing = true;
    return value;
  });
  return missing ? undefined : out;
}

/** One rule as Prometheus has it, with `why`: the reasons of its numbers. `limits` are thresholds, or changed ones. */
export function build(rule, limits = thresholds) {
  const deep = (value) => {
    if (typeof value === 'string') return filled(value, { limits });
    if (Array.isArray(value)) return value.map(deep);
    if (value === undefined) return undefined;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, deep(part)]).filter(([, part]) => part !== undefined));
  };
  return { for: undefined, ...deep(templateOf(rule)) };
}

/** Every rule of a file, with its group. */
export const rulesOf = (file) => FILES[file].flatMap(({ group, rules }) => rules.map((rule) => ({ group, rule })));

function ruleYaml(built) {
  const lines = built.why.map((text) => `# ${text}.`);
  lines.push(`- alert: ${built.alert}`, '  expr: |-', ...built.expr.split('\n').map((line) => `    ${line}`));
  if (built.for) lines.push(`  for: ${built.for}`);
  for (const part of ['labels', 'annotations']) {
    lines.push(`  ${part}:`, ...Object.entries(built[part]).map(([key, value]) => `    ${key}: ${JSON.stringify(value)}`));
  }
  return lines;
}

/** The `groups:` of one rule file as lines. */
export function groupsYaml(groups) {
  const lines = ['groups:'];
  for (const { name, rules } of groups) {
    lines.push(`  - name: ${name}`, '    rules:');
    for (const built of rules) lines.push(...ruleYaml(built).map((line) => `      ${line}`));
  }
  return lines;
}

const NOTE = '# Generated by ./generate from alerts/source and alerts/thresholds.mjs: change those.';

const HEAD = '# Generated by ./generate from alerts/source and alerts/thresholds.mjs: change those. What dupwatch alerts fills in.';

const groupsOf = (file) => FILES[file].map(({ group, rules }) => ({ name: group, rules: rules.map(templateOf) }));

/** The thresholds, one a line, and the rules with their marks. */
const templateFile = (file) => [HEAD, ...groupsYaml(groupsOf(file))];

const fillLines = (lines) => lines.map((line) => filled(line)).filter((line) => line !== undefined);

// The labels that kube-prometheus-stack selects by differ from site to site, so only the usual one is here.
function prometheusRule(file) {
  return ['---', 'apiVersion: monitoring.coreos.com/v1', 'kind: PrometheusRule', 'metadata:',
    `  name: ${file === 'slots.rules.yml' ? 'dupwatch-slots' : 'dupwatch'}`, '  labels:',
    '    app.kubernetes.io/name: dupwatch', '    release: kube-prometheus-stack', 'spec:',
    ...fillLines(groupsYaml(groupsOf(file))).map((line) => `  ${line}`)];
}

/** File name -> content of everything that is generated. */
export function render() {
  const files = {};
  for (const file of Object.keys(FILES)) {
    files[file] = [NOTE, ...fillLines(groupsYaml(groupsOf(file)))];
    files[`template/${file}`] = templateFile(file);
  }
  files['prometheusrule.yaml'] = [NOTE, ...Object.keys(FILES).flatMap(prometheusRule)];
  const values = Object.entries(thresholds).map(([name, { value }]) => [name, String(value)]);
  files['template/thresholds.json'] = JSON.stringify(Object.fromEntries(values), null, 2).split('\n');
  return Object.fromEntries(Object.entries(files).map(([name, lines]) => [name, `${lines.join('\n')}\n`]));
}

/** The same by path from the root. */
export const files = () => Object.fromEntries(Object.entries(render()).map(([name, content]) => [`alerts/${name}`, content]));
