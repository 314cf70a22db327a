// What the tests of `check` and `setup` share.
import assert from 'node:assert/strict';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { runCommand } from './daemon.mjs';
import { slots } from './scene.mjs';

export const CLEAN = 0;
export const FINDINGS = 1;
export const OPERATOR = 3;
export const TEMPORARY = 4;

const run = (command, cluster, over = {}, more = []) =>
  runCommand([command, '--dsn', cluster.dsn(over), ...more]);

/** Runs check and returns {code, ok, line(name)}; no slot may be left and no password be told. */
export async function check(cluster, over = {}, more = []) {
  const had = cluster.running() ? await slots(cluster) : [];
  const ended = await run('check', cluster, over, ['--json', ...more]);
  assert.doesNotMatch(ended.stdout + ended.stderr, /s3cret/);
  if (cluster.running()) assert.deepEqual((await slots(cluster)).map((slot) => slot.slot_name), had.map((slot) => slot.slot_name));
  const report = JSON.parse(ended.stdout);
  const lines = new Map(report.lines.map((line) => [line.name, line]));
  for (const line of report.lines) {
    assert.ok(['pass', 'warn', 'fail', 'skip'].includes(line.verdict), JSON.stringify(line));
    if (line.verdict === 'fail') assert.ok(line.fix, `no fix: ${JSON.stringify(line)}`);
  }
  const line = (name) => {
    assert.ok(lines.has(name), `no line ${name} in ${ended.stdout}`);
    return lines.get(name);
  };
  return { code: ended.code, ok: report.ok, line, names: [...lines.keys()], text: ended.stdout };
}

/** The line of that name, which has that verdict and says `words`. */
export const expectLine = (report, name, verdict, words) => {
  const line = report.line(name);
  assert.equal(line.verdict, verdict, JSON.stringify(line));
  if (words) assert.match(`${line.found} ${line.fix}`, words);
  return line;
};

/** Runs the SQL that setup prints, as the superuser. */
export async function setUp(cluster, over, more = []) {
  const printed = await run('setup', cluster, over, ['--print-sql', ...more]);
  assert.equal(printed.code, CLEAN, printed.stderr);
  await cluster.query(printed.stdout);
  return printed.stdout;
}

/** A server with the schema of that engine, or with none. */
export async function withSchema(options, world = '4.1.1') {
  const cluster = await createCluster(options);
  if (world) await installSchema(world, cluster.uri());
  return cluster;
}
