// Runs promtool over the rules with the cases of this folder.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build, FILES, groupsYaml, rulesOf } from '../../alerts/generate.mjs';
import { cases as findings } from './cases_findings.mjs';
import { cases as health } from './cases_health.mjs';
import { cases as quarantine } from './cases_quarantine.mjs';
import { cases as slot } from './cases_slot.mjs';
import { cases as watching } from './cases_watching.mjs';

export const cases = [...findings, ...watching, ...health, ...quarantine, ...slot];

/** Every alert: {file, group, rule}. */
export const alerts = Object.keys(FILES).flatMap((file) => rulesOf(file).map((entry) => ({ file, ...entry })));

/** A scratch folder that is gone at the end of test `t`. */
export function scratch(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-alerts-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

/** Runs a program to its end; resolves {code, output}. */
export function run(program, args, input) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data) => { output += data; });
    child.stderr.on('data', (data) => { output += data; });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
    child.stdin.end(input);
  });
}

const render = (template, labels) => template.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, name) => labels[name]);

function expected(built, { labels, description }) {
  return {
    exp_labels: { ...built.labels, ...labels },
    exp_annotations: {
      ...Object.fromEntries(Object.entries(built.annotations).map(([name, text]) => [name, render(text, labels)])), description,
    },
  };
}

/** The cases of some alerts as a test file of promtool. */
function testFile(ruleFile, names) {
  const definitions = new Map(alerts.map(({ rule }) => [rule.name, build(rule)]));
  const tests = cases.filter(({ alert }) => names.includes(alert)).map(({ alert, name, interval = '1m', series, checks }) => ({
    name: `${alert}: ${name}`,
    interval,
    input_series: Object.entries(series).map(([key, values]) => ({ series: key, values })),
    alert_rule_test: checks.map(([time, fires]) => ({
      eval_time: time, alertname: alert, exp_alerts: fires.map((entry) => expected(definitions.get(alert), entry)),
    })),
  }));
  // As often as the samples come; a day in steps of a minute would take most of the time of a mutation run.
  const steps = new Set(tests.map(({ interval }) => interval));
  return { rule_files: [ruleFile], evaluation_interval: steps.size === 1 ? [...steps][0] : '1m', tests };
}

/** Tests one rule, changed or not, by its own cases alone, which `edit` may change. Resolves {code, output}. */
export async function testRule(folder, built, label, edit = () => {}) {
  const rules = path.join(folder, `${label}.rules.yml`);
  const tests = path.join(folder, `${label}.test.yml`);
  fs.writeFileSync(rules, `${groupsYaml([{ name: 'one', rules: [built] }]).join('\n')}\n`);
  const given = testFile(rules, [built.alert]);
  edit(given);
  fs.writeFileSync(tests, JSON.stringify(given, null, 1)); // JSON is YAML
  return run('promtool', ['test', 'rules', tests]);
}
