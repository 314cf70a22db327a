// The periodic look at the tables: findings that went away, and what the event log alone does not show.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { latestFindings } from './ground_truth.mjs';
import { daemonFor, EVENTS, eventId, full, insertEvents, serverWithSchema } from './scene.mjs';

const run = (letter) => `wrun_01KAAAAAAA000000000000000${letter}`;
const entity = (letter, kind = 'step') => `${kind}_01KAAAAAAB000000000000000${letter}`;

const event = (letter, type, order, correlation = entity(letter)) => ({ run: run(letter), type, correlation, id: eventId(order) });

// What was told a few seconds ago is left alone, so that a query older than the finding can't take it back.
const WAIT = 20_000;

const finding = (daemon, letter, rule) => latestFindings(daemon.findingsFile).find((one) => one.run_id === run(letter) && one.rule === rule);

const becomes = (daemon, letter, rule, match, what) => daemon.until(`${rule} of run ${letter} ${what}`, () => {
  const found = finding(daemon, letter, rule);
  return found && match(found) ? found : undefined;
}, WAIT);

/** dupwatch_open_findings of one rule, as {severity: count} without zeros. */
async function openFindings(daemon, rule) {
  const text = await (await daemon.fetch('/metrics')).text();
  const lines = [...text.matchAll(/^dupwatch_open_findings\{([^}]*)\} (\d+)/gm)];
  assert.ok(lines.length > 0, 'no dupwatch_open_findings');
  const sums = {};
  for (const [, labels, count] of lines) {
    const severity = /severity="(\w+)"/.exec(labels)[1];
    if (labels.includes(`rule="${rule}"`) && count !== '0') sums[severity] = (sums[severity] ?? 0) + Number(count);
  }
  return sums;
}

async function opensBecome(daemon, rule, expected) {
  const want = JSON.stringify(expected);
  await daemon.until(`open ${rule} findings ${want}`, async () => JSON.stringify(await openFindings(daemon, rule)) === want, WAIT);
}

const remove = (cluster, id) => cluster.query(`DELETE FROM ${EVENTS} WHERE id = $1`, [id]);

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`findings whose rows go away and come back, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t);
    const daemon = await daemonFor(t, cluster, { slot: { plugin }, recheck: { interval: '1s' } });
    await daemon.start();
    const [, , late] = await insertEvents(cluster, [event('A', 'step_created', 1), event('A', 'step_completed', 2), event('A', 'step_created', 3)]);
    const [, close] = await insertEvents(cluster, [event('B', 'step_created', 1), event('B', 'step_completed', 2), event('B', 'step_created', 3)]);
    await insertEvents(cluster, [event('C', 'step_created', 1), event('C', 'step_completed', 2), event('C', 'step_created', 3)]);
    await opensBecome(daemon, 'duplicate_created', { fatal: 3 });
    const first = finding(daemon, 'A', 'duplicate_created');
    assert.deepEqual([first.state, first.change, first.duplicate.id], ['open', 'new', late]);
    const row = (await cluster.query(`SELECT * FROM ${EVENTS} WHERE id = $1`, [late]))[0];

    await t.test('the duplicate is deleted: gone, and counted no more', async () => {
      await remove(cluster, late);
      const gone = await becomes(daemon, 'A', 'duplicate_created', ({ state }) => state === 'gone', 'gone');
      assert.deepEqual([gone.finding_id, gone.change, gone.origin, gone.duplicate.id], [first.finding_id, 'changed', 'recheck', late]);
      await opensBecome(daemon, 'duplicate_created', { fatal: 2 });
      await daemon.line('a log line', ({ finding_id: id, state }) => id === first.finding_id && state === 'gone');
    });

    await t.test('the closing event is deleted: fatal becomes harmless', async () => {
      await remove(cluster, close);
      const harmless = await becomes(daemon, 'B', 'duplicate_created', ({ severity }) => severity === 'harmless', 'harmless');
      assert.deepEqual([harmless.state, harmless.after_close, harmless.closing], ['open', false, null]);
      await opensBecome(daemon, 'duplicate_created', { fatal: 1, harmless: 1 });
    });

    await t.test('the row comes back: open again', async () => {
      await insertEvents(cluster, [{ run: row.run_id, type: row.type, correlation: row.correlation_id, id: row.id }]);
      const back = await becomes(daemon, 'A', 'duplicate_created', ({ state }) => state === 'open', 'open again');
      assert.deepEqual([back.finding_id, back.severity, back.change], [first.finding_id, 'fatal', 'changed']);
      await opensBecome(daemon, 'duplicate_created', { fatal: 2, harmless: 1 });
      // The next event of that run is judged with it.
      await insertEvents(cluster, [event('A', 'step_completed', 4)]);
      await becomes(daemon, 'A', 'second_terminal', ({ severity }) => severity === 'fatal', 'open');
    });

    await t.test('the run ends: no longer open', async () => {
      await insertEvents(cluster, [event('C', 'run_completed', 9, null)]);
      const ended = await becomes(daemon, 'C', 'duplicate_created', ({ state }) => state === 'run_ended', 'ended');
      assert.equal(ended.severity, 'fatal');
      await opensBecome(daemon, 'duplicate_created', { fatal: 1, harmless: 1 });
    });

    await t.test('nothing is told twice while nothing changes', async () => {
      const before = daemon.lines.filter((line) => line.event === 'finding').length;
      await sleep(5000);
      assert.equal(daemon.lines.filter((line) => line.event === 'finding').length, before);
      assert.deepEqual(daemon.lines.filter(({ level }) => level === 'warn' || level === 'error').filter((line) => line.event !== 'finding').map(({ text }) => text), []);
    });
  });
}

const insertRun = (cluster, letter, status = 'running') => cluster.query(
  "INSERT INTO workflow.workflow_runs (id, deployment_id, status, name, started_at) VALUES ($1, 'd', $2, 'w', now())", [run(letter), status]);
const insertStep = (cluster, letter, status = 'pending') => cluster.query(
  "INSERT INTO workflow.workflow_steps (step_id, run_id, step_name, status, attempt) VALUES ($1, $2, 's', $3::text::public.step_status, 0)", [entity(letter), run(letter), status]);
const insertWait = (cluster, letter, status = 'completed') => cluster.query(
  `INSERT INTO workflow.workflow_waits (wait_id, run_id, status, resume_at, created_at, updated_at) VALUES ($1, $2, $3, now(), now(), now())`,
  [`${run(letter)}-${entity(letter, 'wait')}`, run(letter), status]);

/** One of each: C a run without run_created, D a step and E a completed wait without their event, F all is well, G ended. */
async function insertOrphans(cluster) {
  for (const letter of 'DEF') await insertEvents(cluster, [event(letter, 'run_created', 1, null)]);
  for (const letter of 'CDEF') await insertRun(cluster, letter);
  await insertRun(cluster, 'G', 'completed');
  for (const letter of 'DFG') await insertStep(cluster, letter);
  await insertEvents(cluster, [event('F', 'step_created', 2), event('F', 'wait_created', 3, entity('F', 'wait')), event('F', 'wait_completed', 4, entity('F', 'wait'))]);
  await insertEvents(cluster, [event('E', 'wait_created', 2, entity('E', 'wait'))]);
  for (const letter of 'EF') await insertWait(cluster, letter);
}

test('rows of the tables without their event, and slots with a hole', async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.query("ALTER ROLE postgres SET log_min_duration_statement = '-1'");
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: 'watcher' }) }, slot: { plugin: 'pgoutput' }, recheck: { interval: '1s', orphan_after: '1s' } });
  await cluster.query('ALTER ROLE watcher REPLICATION');
  await daemon.start();
  await insertOrphans(cluster);
  const slot = (number) => `evnt_${String(number).padStart(26, '0')}`;
  await insertRun(cluster, 'S');
  await insertEvents(cluster, [{ run: run('S'), type: 'run_created', id: slot(1) }, { run: run('S'), type: 'run_started', id: slot(2) }, { run: run('S'), type: 'step_created', correlation: entity('S'), id: slot(4) }]);

  await t.test('each is one finding, and the healthy and the ended run have none', async () => {
    await opensBecome(daemon, 'orphan', { unknown: 3 });
    const told = latestFindings(daemon.findingsFile).filter(({ rule }) => rule === 'orphan')
      .map((one) => [one.run_id, one.correlation_id, one.type, one.severity, one.state, one.origin]);
    assert.deepEqual(told.sort(), [
      [run('C'), null, 'run_created', 'unknown', 'open', 'recheck'],
      [run('D'), entity('D'), 'step_created', 'unknown', 'open', 'recheck'],
      [run('E'), entity('E', 'wait'), 'wait_completed', 'unknown', 'open', 'recheck'],
    ]);
    const hole = await becomes(daemon, 'S', 'slot_gap', ({ state }) => state === 'open', 'open');
    assert.deepEqual([hole.severity, hole.canonical.id, hole.duplicate.id], ['fatal', slot(2), slot(4)]);
  });

  await t.test('mended, they are gone', async () => {
    await insertEvents(cluster, [
      event('C', 'run_created', 5, null), event('D', 'step_created', 5), event('E', 'wait_completed', 5, entity('E', 'wait')),
      { run: run('S'), type: 'noop', id: slot(3) },
    ]);
    for (const letter of 'CDE') await becomes(daemon, letter, 'orphan', ({ state }) => state === 'gone', 'gone');
    await becomes(daemon, 'S', 'slot_gap', ({ state }) => state === 'gone', 'gone');
    await opensBecome(daemon, 'orphan', {});
    await opensBecome(daemon, 'slot_gap', {});
  });

  await t.test('a run that ends takes its finding with it', async () => {
    await insertRun(cluster, 'H');
    await becomes(daemon, 'H', 'orphan', ({ state }) => state === 'open', 'open');
    await cluster.query("UPDATE workflow.workflow_runs SET status = 'failed' WHERE id = $1", [run('H')]);
    await becomes(daemon, 'H', 'orphan', ({ state }) => state !== 'open', 'no longer open');
  });

  await t.test('a step that hangs, after stuck_after', { skip: full ? false : 'takes a minute: DUPWATCH_FULL=1' }, async () => {
    daemon.configure({ ...daemon.config, recheck: { interval: '1s', stuck_after: '1m' } });
    await daemon.stop();
    await daemon.start();
    await insertRun(cluster, 'K');
    await insertStep(cluster, 'K', 'running');
    await insertEvents(cluster, [event('K', 'run_created', 1, null), event('K', 'step_created', 2), event('K', 'step_started', 3), event('K', 'step_started', 4)]);
    await sleep(45_000);
    assert.equal(finding(daemon, 'K', 'stuck_step'), undefined);
    await sleep(10_000);
    const stuck = await becomes(daemon, 'K', 'stuck_step', ({ state }) => state === 'open', 'open');
    assert.deepEqual([stuck.severity, stuck.correlation_id, stuck.confidence], ['unknown', entity('K'), 'hint']);
    await insertEvents(cluster, [event('K', 'step_completed', 5)]);
    await becomes(daemon, 'K', 'stuck_step', ({ state }) => state === 'gone', 'gone');
  });
});

test('tables that may not be read are no findings and no noise', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: 'watcher' }) }, slot: { plugin: 'pgoutput' }, recheck: { interval: '1s', orphan_after: '1s' } });
  await cluster.query('ALTER ROLE watcher REPLICATION');
  await cluster.query('REVOKE SELECT (run_id, step_id, status) ON workflow.workflow_steps FROM watcher; REVOKE SELECT (run_id, wait_id, status) ON workflow.workflow_waits FROM watcher');
  await daemon.start();
  await insertOrphans(cluster);
  await becomes(daemon, 'C', 'orphan', ({ state }) => state === 'open', 'open'); // The runs table is still readable.
  await cluster.query('REVOKE SELECT (id, status) ON workflow.workflow_runs FROM watcher');
  await insertRun(cluster, 'H');
  await sleep(6000);
  assert.deepEqual(latestFindings(daemon.findingsFile).map(({ run_id: id }) => id), [run('C')]);
  const noise = daemon.lines.filter(({ level, event: name }) => (level === 'warn' || level === 'error') && name !== 'finding');
  assert.ok(noise.length <= 1, noise.map(({ text }) => text).join('\n'));
  assert.ok(!/permission denied/.test(cluster.log()), 'the daemon asked for what it may not read');
});

test('recheck.interval 0s asks nothing', async (t) => {
  const cluster = await serverWithSchema(t, { settings: { log_statement: 'all' } });
  const asked = () => (cluster.log().match(/workflow_steps|workflow_waits/g) ?? []).length;
  for (const [interval, some] of [['1s', true], ['0s', false]]) {
    const daemon = await daemonFor(t, cluster, { slot: { name: `dupwatch_${some}` }, recheck: { interval, orphan_after: '1s' } });
    const before = asked();
    await daemon.start();
    await insertEvents(cluster, [event('A', 'step_created', 1), event('A', 'step_created', 2)]);
    await insertRun(cluster, some ? 'C' : 'H');
    await sleep(4000);
    assert.equal(asked() > before, some, `interval ${interval}`);
    await daemon.stop();
  }
});

test('a later look at a run takes memory for the findings that are known alone', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { recheck: { interval: '1s' }, index: { memory_max: '64MiB' } });
  await daemon.start();
  // Of 100,000 findings is known what became of them.
  const ROWS = 220_000;
  await cluster.query(`INSERT INTO ${EVENTS} (run_id, type, correlation_id, id)
    SELECT $1, 'step_created', $2, 'wevt_' || lpad(n::text, 26, '0') FROM generate_series(1, ${ROWS}) n`, [run('A'), entity('A')]);
  await daemon.caughtUp(120_000);
  const before = daemon.peakMemory();
  // The finding of the row that left the log is seen to be gone: the look has been at this run.
  const last = `wevt_${String(ROWS).padStart(26, '0')}`;
  await cluster.query(`DELETE FROM ${EVENTS} WHERE id = $1`, [last]);
  await daemon.line('a finding that is gone', (line) => line.event === 'finding' && line.state === 'gone' && line.duplicate_id === last, { timeoutMs: 60_000 });
  const MIB = 1 << 20;
  const more = daemon.peakMemory() - before;
  t.diagnostic(`${Math.round(before / MIB)} MiB at the most before, and ${Math.round(more / MIB)} more for the look`);
  assert.ok(more < 140 * MIB, `${Math.round(more / MIB)} MiB`);
});
