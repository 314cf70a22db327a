// Would the cases notice a rule that is wrong? Each rule is broken in turn, tested by its own cases, and must fail them.
import assert from 'node:assert/strict';
import os from 'node:os';
import { test } from 'node:test';
import { build } from '../../alerts/generate.mjs';
import { thresholds } from '../../alerts/thresholds.mjs';
import { alerts, scratch, testRule } from './promtool.mjs';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };

/** A number or duration, `factor` times as much. */
function scaled(value, factor) {
  if (typeof value === 'number') return value * factor;
  const [, count, unit] = /^(\d+)([smhd])$/.exec(value);
  return `${Number(count) * SECONDS[unit] * factor}s`;
}

/** The expression without each of the parts that a line with `or`, `and` or `unless` joins, in turn. */
function withoutOnePart(expr) {
  const lines = expr.split('\n');
  const joints = lines.flatMap((line, at) => (/^(or|and|unless)\b/.test(line) ? [at] : []));
  const starts = [0, ...joints];
  return starts.map((from, at) => {
    const to = starts[at + 1] ?? lines.length;
    const rest = [...lines.slice(0, from), ...lines.slice(to)];
    return (from === 0 ? rest.slice(1) : rest).join('\n');
  }).slice(joints.length ? 0 : 1);
}

/** Every way in which a rule is broken here. */
function mutantsOf(rule) {
  const original = build(rule);
  const mutants = [{ name: 'never true', built: { ...original, expr: 'vector(0) > 1' } }];
  for (const [index, expr] of withoutOnePart(original.expr).entries()) {
    mutants.push({ name: `without part ${index + 1}`, built: { ...original, expr } });
  }
  for (const key of new Set([...(rule.uses ?? []), rule.for].filter(Boolean))) {
    for (const factor of [0.5, 2]) {
      const changed = { ...thresholds, [key]: { ...thresholds[key], value: scaled(thresholds[key].value, factor) } };
      const { expr, for: duration } = build(rule, changed);
      // The text stays as it was: a changed number in it would fail the case for the wrong reason.
      mutants.push({ name: `${key} x ${factor}`, built: { ...original, expr, for: duration } });
    }
  }
  return mutants.map((mutant) => ({ ...mutant, name: `${rule.name}, ${mutant.name}` }));
}

const skip = process.env.DUPWATCH_FULL ? false : 'tests every rule some 170 times: DUPWATCH_FULL=1';

test('no broken rule passes the cases', { skip }, async (t) => {
  const folder = scratch(t);
  // The unbroken one passes this way of testing; rules.test.mjs does that for all.
  const { code: control, output: said } = await testRule(folder, build(alerts[0].rule), 'control');
  assert.equal(control, 0, said);

  const queue = alerts.flatMap(({ rule }) => mutantsOf(rule));
  const total = queue.length;
  assert.ok(total > 4 * alerts.length, `only ${total} mutants`);
  const survivors = [];
  const worker = async (number) => {
    for (let next = queue.pop(); next; next = queue.pop()) {
      const { code, output } = await testRule(folder, next.built, `worker${number}`);
      if (code === 0) survivors.push(next.name);
      // A mutant that promtool can't read would prove nothing.
      else assert.match(output, /FAILED:\n +name: /, `${next.name}: ${output}`);
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, os.availableParallelism()) }, (_, number) => worker(number)));
  assert.deepEqual(survivors, [], `${survivors.length} of ${total} broken rules pass`);
  t.diagnostic(`${total} mutants, none passes`);
});
