// dupwatch guard: the trigger that keeps second creation events out, under the real writers, and gone without trace.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installSchema } from '../writers/install_schema.mjs';
import { audit } from './audit_truth.mjs';
import { runCommand } from './daemon.mjs';
import { catalogue, DUPLICATES, guard } from './guard_scene.mjs';
import { daemonFor, EVENTS, eventId, insertEvents, race, serverWithSchema } from './scene.mjs';

async function installed(cluster, ...more) {
  const { code, answer, stdout, stderr } = await guard(cluster, ['install', '--yes', ...more]);
  assert.deepEqual([code, answer?.result, answer?.guard.enabled], [0, 'done', true], stdout + stderr);
}

const counts = async (cluster) => {
  const { answer } = await guard(cluster, ['status']);
  return [answer.guard.suppressed, answer.guard.passed];
};

const created = async (cluster) => (await cluster.query(`SELECT count(DISTINCT (run_id, correlation_id, type))::int AS n FROM ${EVENTS}
  WHERE type IN ('step_created', 'wait_created')`))[0].n;

test('the writers of 4.1.1 race: duplicates without the guard, none with it, and no trace of it afterwards', async (t) => {
  const plan = { runs: 60, steps: 3, seed: 5, late: 0.3, epoch: Date.now() - 60_000 };
  const bare = await serverWithSchema(t);
  const free = await race(bare, plan);
  assert.ok((await bare.query(DUPLICATES)).length > 50);

  const cluster = await serverWithSchema(t);
  const before = await catalogue(cluster);
  await installed(cluster);
  assert.deepEqual((await guard(cluster, ['install', '--yes'])).answer.result, 'already_done');
  const guarded = await race(cluster, plan); // Rejects when a writer crashes or meets an error it does not know.
  assert.equal(guarded.errors, 0);
  assert.deepEqual(await cluster.query(DUPLICATES), []);
  assert.equal(await created(cluster), await created(bare), 'the first event of every entity is there');
  assert.deepEqual((await audit(cluster)).findings.filter(({ rule }) => rule === 'duplicate_created'), []);
  const [suppressed, passed] = await counts(cluster);
  assert.ok(suppressed > 50 && passed === 0, `${suppressed} kept out, ${passed} let in`);
  assert.ok(guarded.lostRaces >= suppressed, 'each row kept out is a conflict to the package');
  t.diagnostic(`${free.events} events free, ${guarded.events} guarded, ${suppressed} kept out`);

  assert.deepEqual((await guard(cluster, ['remove', '--yes'])).answer.result, 'done');
  assert.deepEqual((await guard(cluster, ['remove', '--yes'])).answer.result, 'already_done');
  assert.deepEqual((await guard(cluster, ['status'])).answer.result, 'absent');
  assert.deepEqual(await catalogue(cluster), before);
});

test('the daemon counts what the guard keeps out', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { recheck: { interval: '1s' } });
  await daemon.start();
  const shows = (enabled, rows) => daemon.until(`guard ${enabled}, ${rows} rows`, async () =>
    await daemon.metric('dupwatch_guard_enabled') === enabled && await daemon.metric('dupwatch_guard_suppressed_rows_total') === rows);
  await shows(0, 0);
  await installed(cluster);
  await insertEvents(cluster, [1, 2, 3].map(() => ({ run: 'wrun_1', type: 'step_created', correlation: 'step_1' })));
  assert.equal((await cluster.query(`SELECT FROM ${EVENTS}`)).length, 1);
  await shows(1, 2);
  assert.equal((await guard(cluster, ['remove', '--yes'])).answer.result, 'done');
  await shows(0, 0);
});

test('what the trigger lets in and keeps out, for a role that may only insert', async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.query(`CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA workflow TO app; GRANT INSERT ON ${EVENTS} TO app`);
  await installed(cluster);
  const [one, two] = [await cluster.client({ user: 'app' }), await cluster.client({ user: 'app' })];
  t.after(() => Promise.all([one.end(), two.end()]));
  const write = async (client, type, correlation, id = eventId()) => (await client.query(
    `INSERT INTO ${EVENTS} (id, run_id, type, correlation_id) VALUES ($1, 'wrun_1', $2, $3)`, [id, type, correlation])).rowCount;

  assert.deepEqual([await write(one, 'step_created', 'a'), await write(two, 'step_created', 'a'), await write(two, 'step_created', 'b')], [1, 0, 1]);
  assert.deepEqual([await write(one, 'hook_created', null), await write(two, 'hook_created', null)], [1, 0], 'two NULLs are one identity');
  assert.deepEqual([await write(one, 'step_started', 'a'), await write(two, 'step_started', 'a')], [1, 1], 'a legal repeat');
  for (const [end, second] of [['COMMIT', 0], ['ROLLBACK', 1]]) {
    await one.query('BEGIN');
    await write(one, 'wait_created', end);
    const waiting = write(two, 'wait_created', end);
    let waits = false;
    for (const deadline = Date.now() + 30_000; !waits && Date.now() < deadline;) {
      waits = (await cluster.query("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")).length > 0;
    }
    assert.ok(waits, 'the second writer waits for nobody');
    await one.query(end);
    assert.equal(await waiting, second, `after ${end} of the first`);
  }
  assert.deepEqual(await counts(cluster), [3, 0]);

  assert.equal(await write(two, 'step_created', 'a', 'evnt_00000000000000000000000007'), 1, 'a slot number is never refused');
  await one.query("BEGIN; SET LOCAL dupwatch.guard = 'off'");
  assert.equal(await write(one, 'step_created', 'a'), 1);
  await one.query('COMMIT');
  assert.equal(await write(one, 'step_created', 'a'), 0, 'off is for one transaction');

  // A stronger level does not see what it waited for: no promise, and no error for the application either.
  await one.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  assert.equal(await write(one, 'step_created', 'c'), 1);
  await one.query('COMMIT');
  assert.deepEqual(await counts(cluster), [4, 1]);
  // The locks of one transaction are bounded.
  await one.query(`INSERT INTO ${EVENTS} (id, run_id, type, correlation_id) SELECT 'wevt_x' || i, 'wrun_2', 'step_created', 'x' || i FROM generate_series(1, 300) i`);
  assert.deepEqual(await counts(cluster), [4, 1 + 300 - 256]);
});

test('with --lifecycle a start behind the closing event is kept out too', async (t) => {
  const cluster = await serverWithSchema(t);
  await installed(cluster);
  await installed(cluster, '--lifecycle'); // Replaces the other scope.
  const run = 'wrun_1';
  const ids = await insertEvents(cluster, ['step_created', 'step_started', 'step_completed', 'step_started', 'step_retrying', 'step_created', 'step_failed', 'hook_received']
    .map((type, order) => ({ run, type, correlation: 'a', id: eventId(order) })));
  await insertEvents(cluster, [{ run, type: 'step_started', correlation: 'a', id: `${ids[1]}0` }, { run, type: 'step_started', correlation: 'b', id: eventId(9) }]);
  const left = await cluster.query(`SELECT type, correlation_id FROM ${EVENTS} ORDER BY id COLLATE "C"`);
  assert.deepEqual(left.map((row) => `${row.type} ${row.correlation_id}`), ['step_created a', 'step_started a', 'step_started a', 'step_completed a', 'step_failed a', 'hook_received a', 'step_started b']);
  assert.deepEqual(await counts(cluster), [3, 0]);
  const { answer } = await guard(cluster, ['status']);
  assert.equal(answer.guard.scope, 'lifecycle');
});

test('the guard does not stand in the way of a restore, of a migration or of a DBA', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: 'keeper' }) } });
  await cluster.query((await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile])).stdout);
  await insertEvents(cluster, ['step_created', 'step_completed', 'step_created'].map((type, order) => ({ run: 'wrun_1', type, correlation: 'a', id: eventId(order) })));
  const { run_id: run, finding_id: finding } = (await audit(cluster)).findings.find(({ rule }) => rule === 'duplicate_created');
  const printed = await runCommand(['guard', '--print-sql', '--dsn', cluster.dsn()]);
  await cluster.query(printed.stdout);
  assert.deepEqual((await guard(cluster, ['status'])).answer.guard, { enabled: true, scope: 'created', suppressed: 0, passed: 0 });
  const taken = await runCommand(['quarantine', 'apply', run, finding, '--yes', '--json', '--dsn', cluster.dsn({ user: 'keeper' })]);
  assert.equal(taken.code, 0, taken.stderr);
  const restored = await runCommand(['quarantine', 'restore', String(JSON.parse(taken.stdout).id), '--yes', '--json', '--dsn', cluster.dsn()]);
  assert.equal(JSON.parse(restored.stdout).result, 'done', restored.stdout);

  await installSchema('4.3.7', cluster.uri());
  const late = await guard(cluster, ['status']);
  assert.deepEqual([late.code, late.answer.reason], [1, 'unique_index']);
  assert.match(late.answer.why, /remove it: dupwatch guard remove/);
  assert.equal((await guard(cluster, ['remove', '--yes'])).answer.result, 'done');
  assert.equal((await guard(cluster, ['install', '--yes'])).answer.reason, 'unique_index');
});

test('it is refused where it would be useless, dangerous or not allowed', async (t) => {
  const cluster = await serverWithSchema(t);
  const reason = async () => {
    const { code, answer } = await guard(cluster, ['install', '--yes']);
    assert.deepEqual([code, answer.result, answer.guard], [1, 'refused', null]);
    return answer.reason;
  };
  const unasked = await guard(cluster, ['install']);
  assert.equal(unasked.code, 2);
  assert.match(unasked.stderr, /remedy: add --yes/);
  assert.equal((await guard(cluster, [])).code, 2);
  await cluster.query(`CREATE ROLE stranger LOGIN; GRANT USAGE ON SCHEMA workflow TO stranger; GRANT SELECT ON ${EVENTS} TO stranger`);
  const stranger = await guard(cluster, ['install', '--yes'], 'stranger');
  assert.equal(stranger.code, 3, stranger.stderr);
  assert.match(stranger.stderr, /as the owner of the table/);
  const holder = await cluster.client();
  await holder.query(`BEGIN; LOCK TABLE ${EVENTS} IN ROW EXCLUSIVE MODE`);
  const held = await guard(cluster, ['install', '--yes']);
  assert.equal(held.code, 4, 'a writer is not waited for');
  await holder.query('ROLLBACK');
  await holder.end();
  assert.equal((await guard(cluster, ['status'])).answer.result, 'absent');

  await cluster.query("ALTER DATABASE app SET default_transaction_isolation = 'repeatable read'");
  assert.equal(await reason(), 'isolation');
  await cluster.query('ALTER DATABASE app RESET default_transaction_isolation');
  await cluster.query('DROP INDEX workflow.workflow_events_correlation_id_index');
  assert.equal(await reason(), 'no_index');
  await cluster.query('CREATE TABLE workflow.workflow_event_slots (run_id varchar PRIMARY KEY)');
  assert.equal(await reason(), 'slot_schema');
});
