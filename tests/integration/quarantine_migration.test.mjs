// dupwatch quarantine apply --from-audit --before-migration: a table made ready for the engine's own unique-index migration, which
// then deletes nothing; the real engines replay what is left, and every row comes back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { loadEngine } from '../engines/engine.mjs';
import { healthyLogs } from '../engines/healthy.mjs';
import { Random } from '../engines/ids.mjs';
import { mutated } from '../engines/mutate.mjs';
import { replayAll } from '../engines/replay.mjs';
import { payloadsOf, shapeLogs } from '../engines/shapes.mjs';
import { runId } from './audit_shapes.mjs';
import { audit } from './audit_truth.mjs';
import { runCommand } from './daemon.mjs';
import { entries, keyOf, quarantine, ROLE, scene, startApply, wholeLog, withRecords } from './quarantine_scene.mjs';
import { EVENTS, eventId, full, insertEvents, race } from './scene.mjs';

const ENGINES = ['4.2.4', '4.8.9'];
const installed = (version) => fs.existsSync(new URL(`../engines/${version}/node_modules`, import.meta.url));
const migration = (world, file) => fs.readFileSync(new URL(
  `../writers/${world}/node_modules/@workflow/world-postgres/src/drizzle/migrations/${file}.sql`, import.meta.url), 'utf8');
const UNIQUE_INDEX = migration('4.3.7', '0010_add_events_entity_creation_unique_index');
const UNIQUE_ATTRIBUTES = migration('5.0.0-beta.27', '0014_add_attr_set_event_unique_index');

// What the migration's own statement would leave of each identity, but for the choice of the row: by the smallest id.
const SECOND_ROWS = `SELECT run_id, id FROM (SELECT run_id, id, row_number() OVER (PARTITION BY run_id, correlation_id, type ORDER BY id COLLATE "C") AS n
  FROM ${EVENTS} WHERE type IN ('step_created', 'hook_created', 'wait_created')) ranked WHERE n > 1`;

/** Duplicates of every kind: the engines' shapes, what racing writers of the real package leave, and rows whose ctid sorts the other way. */
async function dirtyTable(cluster, logs) {
  await cluster.query(`ALTER TABLE ${EVENTS} SET (autovacuum_enabled = off);
    ALTER TABLE ${EVENTS} DROP CONSTRAINT workflow_events_pkey; ALTER TABLE ${EVENTS} ADD PRIMARY KEY (run_id, id)`);
  await insertEvents(cluster, Array.from({ length: 300 }, (_, i) => ({ run: 'wrun_old', type: 'step_started', correlation: `step_${i}` })));
  const events = logs.flatMap(({ run, log }) => log.events.map(({ id, type, corr }) => ({ run, id, type, correlation: corr ?? null })));
  const created = ({ type }) => type.endsWith('_created');
  await insertEvents(cluster, events.filter((event) => !created(event)));
  await cluster.query(`DELETE FROM ${EVENTS} WHERE run_id = 'wrun_old'`);
  await cluster.query(`VACUUM ${EVENTS}`);
  // Larger ids into the freed space first: the migration would keep those.
  await insertEvents(cluster, events.filter(created).sort((a, b) => (a.id < b.id ? 1 : -1)));
  await race(cluster, { runs: 40, steps: 3, late: 0.3 });
  const ended = runId(9001);
  await insertEvents(cluster, [
    { run: ended, type: 'step_created', correlation: 'step_e' }, { run: ended, type: 'step_created', correlation: 'step_e' },
    { run: ended, type: 'hook_created' }, { run: ended, type: 'hook_created' }, { run: ended, type: 'run_completed' },
    { run: ended, type: 'step_created', correlation: 'step_e' },
  ]);
}

/** The table of shapes; in ./test --full also healthy logs of random workflows, damaged at random. */
async function engineLogs(version) {
  const logs = (await shapeLogs(version)).map(({ name, log }) => ({ version, name, log }));
  if (!full) return logs;
  const random = new Random(`batch/${version}`);
  const payload = payloadsOf(await loadEngine(version));
  const healthy = await healthyLogs(version, 60, 1);
  for (let i = 0; i < 600; i += 1) {
    const { log, mutation } = mutated(healthy, i, random, payload);
    logs.push({ version, name: `${i} ${mutation}`, log, random: true });
  }
  // One damage is an id with a slot number, which no writer of 4.x makes; rows of such a run are refused.
  return logs.filter(({ log }) => !log.events.some(({ id }) => id.startsWith('evnt_')));
}

const versions = ENGINES.filter(installed);
test('a table is made ready for the unique-index migration: killed, gone on with, migrated, replayed and undone', async (t) => {
  const { cluster, file } = await scene(t);
  const logs = (await Promise.all(versions.map(engineLogs))).flat().map((log, number) => ({ ...log, run: runId(number) }));
  await dirtyTable(cluster, logs);
  const before = await wholeLog(cluster);
  const toGo = (await cluster.query(SECOND_ROWS)).map(keyOf).sort();
  const foretold = await audit(cluster, ['--before-migration', '--json']);
  const from = file(foretold.stdout);
  const args = ['--from-audit', from, '--before-migration'];
  assert.ok(foretold.stdout.includes('"differs":true') && foretold.stdout.includes('"correlation_id":null'));
  assert.ok(toGo.length > 60, `only ${toGo.length} rows to move`);

  const dry = await quarantine(cluster, ['apply', ...args, '--dry-run', '--rate', '0']);
  assert.deepEqual([dry.code, dry.summary.dry_run, dry.summary.done], [0, toGo.length, 0], JSON.stringify(dry.summary));
  assert.deepEqual(await wholeLog(cluster), before);

  await t.test('killed in the middle, each row is in the log or kept', async () => {
    const apply = startApply(cluster, [...args, '--yes', '--rate', '200']);
    await apply.until((acts) => acts >= 20);
    apply.child.kill('SIGKILL');
    assert.equal((await apply.ended).signal, 'SIGKILL');
    while ((await cluster.query(`SELECT FROM pg_stat_activity WHERE usename = '${ROLE}'`)).length > 0);
    const kept = new Set((await entries(cluster)).map(keyOf));
    assert.ok(kept.size >= 20 && kept.size < toGo.length, `${kept.size} of ${toGo.length}`);
    assert.deepEqual((await wholeLog(cluster)).map(keyOf), before.map(keyOf).filter((key) => !kept.has(key)));

    const rest = await quarantine(cluster, ['apply', ...args, '--yes', '--rate', '0']);
    assert.equal(rest.code, 0, rest.stdout.slice(-600) + rest.stderr);
    assert.deepEqual([rest.summary.rows, rest.summary.done, rest.summary.already_done, rest.summary.refused, rest.summary.not_reached],
      [toGo.length, toGo.length - kept.size, kept.size, 0, 0]);
    t.diagnostic(`${before.length} rows, ${toGo.length} moved, of them ${kept.size} before the kill`);
  });

  await t.test('exactly the second rows of each identity are kept, none of the canonical ones', async () => {
    assert.deepEqual((await entries(cluster)).map(keyOf).sort(), toGo);
    const gone = new Set(toGo);
    assert.deepEqual(await wholeLog(cluster), before.filter((row) => !gone.has(keyOf(row))));
    const clean = await audit(cluster, ['--before-migration', '--json']);
    assert.equal(clean.code, 0, clean.stdout);
  });

  const cleaned = await wholeLog(cluster);
  await t.test('the real migration succeeds and deletes nothing', async () => {
    await cluster.query(UNIQUE_INDEX);
    assert.deepEqual(await wholeLog(cluster), cleaned);
    assert.equal((await cluster.query("SELECT FROM pg_indexes WHERE indexname = 'workflow_events_entity_creation_unique' AND indexdef LIKE '%UNIQUE%'")).length, 1);
  });

  for (const version of ENGINES) {
    await t.test(`${version} replays what is left`, { skip: !versions.includes(version) && 'the engine is not installed (./test installs it)' }, async (sub) => {
      const ours = logs.filter((log) => log.version === version);
      const left = new Set(cleaned.map(keyOf));
      const pruned = ours.map(({ run, log }) => ({ ...log, events: log.events.filter(({ id }) => left.has(`${run} ${id}`)) }));
      const was = await replayAll(version, ours.map(({ log }) => log));
      const is = await replayAll(version, pruned);
      const touched = ours.map(({ name, log }, i) => ({ name, removed: log.events.length - pruned[i].events.length, was: was[i].outcome, is: is[i].outcome }))
        .filter(({ removed }) => removed > 0);
      const fatal = touched.filter((log) => log.was === 'fatal');
      sub.diagnostic(`${ours.length} logs, rows moved out of ${touched.length}: ${fatal.length} were fatal, ${fatal.filter((log) => log.is === 'ok').length} of them healed`);
      assert.ok(touched.some((log) => log.was === 'ok') && fatal.length >= 4, JSON.stringify(touched));
      assert.deepEqual(touched.filter((log) => log.was === 'ok' && log.is !== 'ok'), [], 'a move must not break a log');
      // What is still fatal has another row at fault. Of random damage the rules do not see all: a noop, a cancelled run that goes
      // on, a creation event that sorts before its cause.
      const faults = (await audit(cluster)).findings.filter(({ severity }) => severity === 'fatal').map(({ run_id: run }) => run);
      const silent = ours.filter(({ run, log, random }, i) => !random && is[i].outcome === 'fatal' && pruned[i].events.length < log.events.length && !faults.includes(run));
      assert.deepEqual(silent.map(({ name }) => name), []);
    });
  }

  await t.test('every entry comes back, and the table is what it was', async () => {
    const kept = await entries(cluster);
    // Rows without a correlation id are none of that index's.
    const [{ id: indexed }] = await cluster.query("SELECT id FROM dupwatch.quarantine WHERE kept ->> 'correlation_id' IS NOT NULL ORDER BY id LIMIT 1");
    const stopped = await quarantine(cluster, ['restore', String(indexed), '--yes'], 'postgres');
    assert.deepEqual([stopped.code, stopped.answer.reason], [1, 'collision'], 'the new index keeps it out');
    await cluster.query('DROP INDEX workflow.workflow_events_entity_creation_unique');
    for (const { id } of kept) assert.equal((await quarantine(cluster, ['restore', String(id), '--yes'], 'postgres')).code, 0);
    assert.deepEqual(await wholeLog(cluster), before);
  });
});

test('findings serve for --before-migration too, without their rule on', async (t) => {
  const { cluster, file } = await scene(t);
  const run = runId(1);
  const ids = await insertEvents(cluster, ['step_created', 'step_created', 'step_completed', 'step_completed'].map((type, i) => ({ run, type, correlation: 'step_a', id: eventId(i) })));
  const { stdout } = await audit(cluster);
  const config = file(`connection:\n  dsn: "${cluster.dsn({ user: ROLE })}"\nrules:\n  duplicate_created: off\n`, 'dupwatch.yaml');
  const done = withRecords(await runCommand(['quarantine', 'apply', '--from-audit', file(stdout), '--before-migration', '--yes', '--json', '--config', config]));
  assert.deepEqual(done.acts.map(({ result, reason, event_id: id }) => [result, reason, id]).sort(),
    [['done', null, ids[1]], ['refused', 'not_indexed', ids[3]]], done.stderr);
  const [{ finding }] = await cluster.query('SELECT finding FROM dupwatch.quarantine');
  assert.deepEqual([finding.rule, finding.canonical.id, finding.duplicate.id, finding.correlation_id, finding.finding_id],
    ['duplicate_created', ids[0], ids[1], 'step_a', done.acts.find(({ result }) => result === 'done').finding_id]);
});

test('attributes that were set twice go by their findings, and the migration that fails on them succeeds', async (t) => {
  const { cluster, file } = await scene(t, { world: '4.3.7' });
  const attribute = (correlation, order) => ({ run: runId(1), type: 'attr_set', correlation, id: eventId(order) });
  const ids = await insertEvents(cluster, [attribute('attr_1', 1), attribute('attr_1', 2), attribute('attr_2', 3), attribute(null, 4), attribute(null, 5)]);
  await assert.rejects(cluster.query(UNIQUE_ATTRIBUTES), { code: '23505' });
  await cluster.query('ROLLBACK');
  const done = await quarantine(cluster, ['apply', '--from-audit', file((await audit(cluster)).stdout), '--before-migration', '--yes']);
  assert.deepEqual([done.code, done.summary.done], [0, 1], done.stderr);
  assert.deepEqual((await entries(cluster)).map(({ event_id: id }) => id), [ids[1]]);
  await cluster.query(UNIQUE_ATTRIBUTES);
  assert.deepEqual((await wholeLog(cluster)).map(({ id }) => id), ids.filter((id) => id !== ids[1]));
});
