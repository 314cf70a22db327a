// dupwatch explain --repair-plan: the SQL that mends a run, in a file that only a person runs and that undoes itself when the log
// is no longer what it was made for.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { insertShapes } from './audit_shapes.mjs';
import { audit } from './audit_truth.mjs';
import { runCommand } from './daemon.mjs';
import { EVENTS, eventId, insertEvents, serverWithSchema } from './scene.mjs';

const RUN = 'wrun_01KQ3V6T0A7M2N5P8R1S4V7X0F';

async function scene(t) {
  const cluster = await serverWithSchema(t);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-plan-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  let number = 0;
  const newFile = () => path.join(folder, `plan ${number += 1}.sql`);
  return { cluster, newFile };
}

const explain = (cluster, args) => runCommand(['explain', '--dsn', cluster.dsn(), ...args]);
/** Runs the file as its head says, with nothing but psql's own defaults. */
const psql = (cluster, file) => spawnSync(path.join(cluster.bin, 'psql'), ['-X', '-d', cluster.uri(), '-f', file], { encoding: 'utf8' });
const whole = (cluster) => cluster.query(`SELECT id, run_id, md5(record_send(e)) AS bytes FROM ${EVENTS} e ORDER BY run_id, id`);

/** A run that failed on its second step_created, with its row. */
async function failedRun(cluster, run = RUN) {
  const types = ['run_created', 'run_started', 'step_created', 'step_started', 'step_completed', 'step_created', 'run_failed'];
  const ids = await insertEvents(cluster, types.map((type, order) => ({ run, type, correlation: type.startsWith('step') ? 'step_a' : null, id: eventId(order) })));
  await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name, started_at, completed_at, error)
    VALUES ($1, 'd', 'failed', 'w', now(), now(), 'Unconsumed event')`, [run]);
  return ids;
}

test('the plan of a failed run, in a file, revives it once and then refuses', async (t) => {
  const { cluster, newFile } = await scene(t);
  const ids = await failedRun(cluster);
  const before = await whole(cluster);
  const file = newFile();
  const plain = await explain(cluster, [RUN]);
  const ended = await explain(cluster, [RUN, '--repair-plan', file]);
  assert.deepEqual([ended.code, ended.stdout], [1, plain.stdout], ended.stderr);
  assert.match(ended.stderr, /plan 1\.sql holds the SQL; dupwatch has not run it\n$/);
  assert.deepEqual(await whole(cluster), before, 'dupwatch has run none of it');
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  const text = fs.readFileSync(file, 'utf8');
  assert.match(text, new RegExp(`^-- What would repair run ${RUN},\n-- by the log as it was at 20\\d\\d-`));
  assert.match(text, /\n-- The run has failed already: /);

  const taken = await explain(cluster, [RUN, '--json', '--repair-plan', file]);
  assert.equal(taken.code, 2);
  assert.match(taken.stderr, /can't be written: File exists; remedy: name a file that does not exist yet/);
  assert.equal(fs.readFileSync(file, 'utf8'), text);

  // One of the rows goes by another hand first.
  await cluster.query(`DELETE FROM ${EVENTS} WHERE id = $1`, [ids[5]]);
  const late = psql(cluster, file);
  assert.equal(late.status, 3);
  assert.match(late.stderr, /the log is not what the plan was made for: 1 rows, not 2/);
  assert.deepEqual((await whole(cluster)).map(({ id }) => id), before.map(({ id }) => id).filter((id) => id !== ids[5]));
  assert.deepEqual(await cluster.query("SELECT to_regclass('public.dupwatch_removed') AS there"), [{ there: null }]);
  await insertEvents(cluster, [{ run: RUN, type: 'step_created', correlation: 'step_a', id: ids[5] }]);

  const done = psql(cluster, file);
  assert.equal(done.status, 0, done.stderr);
  assert.deepEqual((await audit(cluster)).findings, []);
  assert.deepEqual((await cluster.query('SELECT id FROM public.dupwatch_removed ORDER BY id')).map(({ id }) => id).sort(), [ids[5], ids[6]].sort());
  assert.deepEqual(await cluster.query('SELECT status, completed_at, error FROM workflow.workflow_runs'), [{ status: 'running', completed_at: null, error: null }]);
  const mended = await whole(cluster);
  assert.equal(psql(cluster, file).status, 3, 'a second time there is nothing to do');
  assert.deepEqual(await whole(cluster), mended);
});

test('the files of all shapes leave nothing fatal that they speak of; without SQL there is no file', async (t) => {
  const { cluster, newFile } = await scene(t);
  const runs = await insertShapes(cluster);
  let written = 0;
  for (const [name, run] of Object.entries(runs)) {
    const file = newFile();
    const { code, stdout, stderr } = await explain(cluster, [run, '--json', '--repair-plan', file]);
    const { repair, findings } = JSON.parse(stdout);
    assert.equal(code, findings.length ? 1 : 0, name);
    assert.equal(fs.existsSync(file), repair.sql.length > 0, name);
    if (!repair.sql.length) {
      assert.match(stderr, /no SQL would repair this run: .* was not written/);
      continue;
    }
    written += 1;
    if (JSON.parse(stdout).ended_by === 'run_failed') {
      await cluster.query("INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ($1, 'd', 'failed', 'w')", [run]);
    }
    const ran = psql(cluster, file);
    assert.equal(ran.status, 0, `${name}: ${ran.stderr}`);
    const moved = JSON.parse((await explain(cluster, [run, '--json'])).stdout);
    assert.deepEqual(moved.repair.sql, [], name);
  }
  assert.ok(written >= 10, `${written} files`);
});

test('a hostile id stays data in the file, and a file that can not be made is an error', async (t) => {
  const { cluster, newFile } = await scene(t);
  await cluster.query('CREATE TABLE precious (x int)');
  const hostile = ["x'); DROP TABLE precious; --", '$plan$; DROP TABLE precious; DO $plan$', 'line\n\\! touch /tmp/dupwatch-owned\nDROP TABLE precious;', ':\'x\' $xplan$ $plan$', 'back\\'];
  for (const run of hostile) {
    await insertEvents(cluster, ['step_created', 'step_completed', 'step_created'].map((type, order) => ({ run, type, correlation: `step_${run}`, id: eventId(order) })));
    const file = newFile();
    assert.equal((await explain(cluster, ['--repair-plan', file, '--', run])).code, 1);
    const ran = psql(cluster, file);
    assert.equal(ran.status, 0, `${ran.stderr}\n${fs.readFileSync(file, 'utf8')}`);
    assert.deepEqual((await audit(cluster)).findings.filter(({ run_id: id }) => id === run), []);
  }
  assert.deepEqual(await cluster.query('SELECT count(*)::int AS rows FROM precious'), [{ rows: 0 }]);
  assert.equal(fs.existsSync('/tmp/dupwatch-owned'), false);
  await failedRun(cluster);
  const nowhere = await explain(cluster, [RUN, '--repair-plan', '/nonexistent/plan.sql']);
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.stderr, /error: \/nonexistent\/plan\.sql can't be written: No such file or directory/);
  const full = await explain(cluster, [RUN, '--repair-plan', '/dev/full']);
  assert.deepEqual([full.code, fs.existsSync('/dev/full')], [2, true], 'it is there already');
});
