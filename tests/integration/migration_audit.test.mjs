// What dupwatch audit --before-migration says of the engine's unique-index migrations, held against the real files.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { audit, lines } from './audit_truth.mjs';
import { EVENTS, eventId, insertEvents, race, serverWithSchema } from './scene.mjs';

const migration = (world, file) => fs.readFileSync(new URL(
  `../writers/${world}/node_modules/@workflow/world-postgres/src/drizzle/migrations/${file}.sql`, import.meta.url), 'utf8');
const UNIQUE_INDEX = migration('4.3.7', '0010_add_events_entity_creation_unique_index');
const UNIQUE_ATTRIBUTES = migration('5.0.0-beta.27', '0014_add_attr_set_event_unique_index');

const run = (letter) => `wrun_01KAAAAAAA000000000000000${letter}`;
const step = (letter) => `step_01KAAAAAAB000000000000000${letter}`;

// The identities that the migration touches as the statement in it sees them, and as replay does.
const FATES = `
  SELECT run_id, correlation_id, type,
         (array_agg(id ORDER BY id COLLATE "C"))[1] AS canonical_id, (array_agg(id ORDER BY ctid))[1] AS kept_id,
         (array_agg(id ORDER BY ctid))[2:] AS deleted_ids,
         (SELECT min(c.id COLLATE "C") FROM ${EVENTS} c WHERE c.run_id = e.run_id AND c.correlation_id IS NOT DISTINCT FROM e.correlation_id
            AND c.type = ANY (CASE split_part(e.type, '_', 1) WHEN 'step' THEN ARRAY['step_completed', 'step_failed']
                              WHEN 'wait' THEN ARRAY['wait_completed'] ELSE ARRAY['hook_disposed'] END)) AS closing_id
  FROM ${EVENTS} e WHERE type IN ('step_created', 'hook_created', 'wait_created')
  GROUP BY run_id, correlation_id, type HAVING count(*) > 1`;

const fateLine = (fate) => [fate.run_id, fate.correlation_id, fate.type, fate.canonical_id, fate.kept_id, fate.closing_id,
  fate.kept_id !== fate.canonical_id, Boolean(fate.closing_id) && fate.kept_id > fate.closing_id, [...fate.deleted_ids].sort()].join(' | ');

async function before(cluster, args = ['--json']) {
  const ended = await audit(cluster, ['--before-migration', ...args]);
  const records = ended.stdout.startsWith('{') ? ended.stdout.split('\n').filter(Boolean).map((text) => JSON.parse(text)) : [];
  return { ...ended, fates: records.filter(({ event }) => event === 'migration'), verdict: records.find(({ event }) => event === 'migration_summary') };
}

/** Rows at the front of the table whose place a VACUUM then frees, as every retention job does. */
async function withFreedSpace(cluster, insert, insertLate) {
  await cluster.query(`ALTER TABLE ${EVENTS} SET (autovacuum_enabled = off)`);
  await insertEvents(cluster, Array.from({ length: 200 }, (_, i) => ({ run: 'wrun_old', type: 'step_started', correlation: `step_${i}` })));
  await insert();
  await cluster.query(`DELETE FROM ${EVENTS} WHERE run_id = 'wrun_old'`);
  await cluster.query(`VACUUM ${EVENTS}`);
  await insertLate();
}

test('0010_add_events_entity_creation_unique_index keeps what was foretold', async (t) => {
  const cluster = await serverWithSchema(t);
  const event = (letter, type, correlation = step(letter)) => ({ run: run(letter), type, correlation });
  await withFreedSpace(cluster, async () => {
    // A: the report's shape. B: still open. D: three rows. N: no correlation id.
    await insertEvents(cluster, [
      event('A', 'step_created'), event('A', 'step_started'), event('A', 'step_completed'),
      event('B', 'step_created'), event('D', 'wait_created'), event('D', 'wait_completed'), event('N', 'hook_created', null),
    ]);
  }, async () => {
    await insertEvents(cluster, [
      event('A', 'step_created'), event('B', 'step_created'), event('D', 'wait_created'), event('D', 'wait_created'),
      event('N', 'hook_created', null), event('T', 'attr_set', 'attr_T'), event('T', 'attr_set', 'attr_T'), event('T', 'attr_set', null), event('T', 'attr_set', null),
    ]);
  });
  // C: the row with the larger id also has the larger ctid.
  await insertEvents(cluster, [event('C', 'step_created'), event('C', 'step_completed'), event('C', 'step_created')]);
  await race(cluster, { runs: 100, steps: 4, late: 0.3 });

  const expected = (await cluster.query(FATES)).map(fateLine).sort();
  const { code, fates, verdict } = await before(cluster);
  assert.equal(code, 1);
  assert.deepEqual(fates.map(fateLine).sort(), expected);
  for (const fate of fates) {
    assert.equal(fate.differs, fate.kept_id !== fate.canonical_id);
    assert.equal(fate.left_fatal, fate.closing_id !== null && fate.kept_id > fate.closing_id);
  }
  const of = Object.fromEntries(fates.filter(({ run_id: id }) => id.startsWith('wrun_01KAAAAAAA')).map((fate) => [fate.run_id.at(-1), fate]));
  assert.deepEqual(Object.entries(of).map(([letter, { differs, left_fatal: fatal, deleted_ids: gone }]) => [letter, differs, fatal, gone.length]).sort(),
    [['A', true, true, 1], ['B', true, false, 1], ['C', false, false, 1], ['D', true, true, 2], ['N', true, false, 1]]);
  assert.equal(of.N.correlation_id, null);

  await t.test('the summary, as JSON, text and CSV', async () => {
    const gone = fates.flatMap(({ deleted_ids: ids }) => ids);
    assert.deepEqual({ ...verdict, advice: undefined }, {
      event: 'migration_summary', identities: fates.length, rows_deleted: gone.length, other_row_kept: fates.filter((fate) => fate.differs).length,
      left_fatal: fates.filter((fate) => fate.left_fatal).length, duplicate_attributes: 1, index_exists: false, can_create_index: false, advice: undefined,
    });
    assert.match(verdict.advice, /^the index can't be created now/);
    const { stdout: text } = await before(cluster, []);
    assert.ok(text.includes(`run ${run('A')}\n  step_created ${step('A')}\n  replay reads first    ${of.A.canonical_id}\n`
      + `  the migration keeps   ${of.A.kept_id}  BEHIND THE CLOSING EVENT ${of.A.closing_id}: the run will die\n`
      + `  and deletes           ${of.A.deleted_ids[0]}\n`), text.slice(0, 2000));
    assert.ok(text.includes(`  the migration keeps   ${of.B.kept_id}  another row: the original is lost\n`));
    assert.ok(text.includes(`  the migration keeps   ${of.C.kept_id}\n`));
    assert.match(text, /\n1 attributes were set twice: the migration that adds attr_set to the index fails on them\n/);
    const { stdout: csv } = await before(cluster, ['--format', 'csv']);
    const [header, ...rows] = csv.trimEnd().split('\n');
    assert.equal(header, 'run_id,correlation_id,type,canonical_id,kept_id,differs,left_fatal,closing_id,deleted_ids');
    assert.ok(rows.includes([run('A'), step('A'), 'step_created', of.A.canonical_id, of.A.kept_id, true, true, of.A.closing_id, of.A.deleted_ids[0]].join(',')));
    assert.equal(rows.length, fates.length);
  });

  const rowsBefore = (await cluster.query(`SELECT id FROM ${EVENTS} ORDER BY id COLLATE "C"`)).map(({ id }) => id);
  const fatalBefore = lines((await audit(cluster, ['--json', '--severity', 'fatal'])).findings);
  await cluster.query(UNIQUE_INDEX);

  await t.test('exactly the rows named are gone', async () => {
    const gone = new Set(fates.flatMap(({ deleted_ids: ids }) => ids));
    const rows = await cluster.query(`SELECT id FROM ${EVENTS} ORDER BY id COLLATE "C"`);
    assert.deepEqual(rows.map(({ id }) => id), rowsBefore.filter((id) => !gone.has(id)));
  });

  await t.test('every row that was foretold as left fatal is a fatal finding now, and no other of its rule is', async () => {
    const found = (await audit(cluster)).findings.filter(({ rule, type }) => rule === 'lifecycle_after_close' && type.endsWith('_created'));
    assert.deepEqual(found.map((one) => `${one.duplicate.id} ${one.severity}`).sort(),
      fates.filter((fate) => fate.left_fatal).map((fate) => `${fate.kept_id} fatal`).sort());
    // The run of the report was fatal before and is so after: the migration has not healed it.
    assert.ok(fatalBefore.some((line) => line.startsWith(run('A'))));
    assert.ok(found.some(({ run_id: id }) => id === run('A')));
  });

  await t.test('afterwards there is nothing to do but for attributes', async () => {
    const after = await before(cluster);
    assert.deepEqual([after.fates, after.verdict.identities, after.verdict.index_exists, after.verdict.can_create_index], [[], 0, true, false]);
    assert.match(after.verdict.advice, /^the unique index exists; the attributes that were set twice/);
    await cluster.query(`DELETE FROM ${EVENTS} WHERE type = 'attr_set'`);
    assert.equal((await before(cluster)).verdict.advice, 'the unique index exists: nothing to do');
    // NULLs are distinct to the index: it is the migration's all the same.
    await insertEvents(cluster, [event('N', 'hook_created', null)]);
    const again = await before(cluster);
    assert.deepEqual([again.code, again.verdict.identities, again.verdict.advice], [0, 1, 'the unique index exists: nothing to do']);
  });
});

test('duplicates without a correlation id do not stand in the way of the index, but the migration deletes them', async (t) => {
  const cluster = await serverWithSchema(t);
  const [kept] = await insertEvents(cluster, [{ run: run('N'), type: 'step_created' }, { run: run('N'), type: 'step_created' }]);
  const { code, verdict, fates } = await before(cluster);
  assert.deepEqual([code, verdict.identities, verdict.can_create_index, fates[0].kept_id], [1, 1, true, kept]);
  await cluster.query('BEGIN; CREATE UNIQUE INDEX probe ON workflow.workflow_events (run_id, correlation_id, type); ROLLBACK');
  await cluster.query(UNIQUE_INDEX);
  assert.deepEqual(await cluster.query(`SELECT id FROM ${EVENTS}`), [{ id: kept }]);
});

test('a table without duplicates', async (t) => {
  const cluster = await serverWithSchema(t);
  for (const rows of [[], [{ run: run('C'), type: 'step_created', correlation: step('C') }, { run: run('C'), type: 'step_completed', correlation: step('C') }]]) {
    if (rows.length) await insertEvents(cluster, rows);
    const { code, verdict, stdout } = await before(cluster);
    assert.deepEqual([code, verdict.identities, verdict.index_exists, verdict.can_create_index], [0, 0, false, true], stdout);
    assert.match(verdict.advice, /^no duplicates: the index can be created now; stop writers older than 4\.1\.2/);
  }
  await cluster.query(UNIQUE_INDEX);
});

test('a look at a part of the runs is no verdict on the index', async (t) => {
  const cluster = await serverWithSchema(t);
  await insertEvents(cluster, [1, 2, 3].map((_, i) => ({ run: run(i < 2 ? 'A' : 'B'), type: 'step_created', correlation: step('A') })));
  for (const args of [['--after', run('A')], ['--since', '2999-01-01']]) {
    const { code, verdict } = await before(cluster, ['--json', ...args]);
    assert.deepEqual([code, verdict.identities, verdict.can_create_index], [0, 0, null]);
    assert.match(verdict.advice, /only a look at all of them tells/);
  }
  assert.equal((await before(cluster, ['--json', '--after', 'wrun_'])).verdict.can_create_index, false);
});

test('an index of the same name that is not the migration\'s', async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.query(`CREATE INDEX workflow_events_entity_creation_unique ON ${EVENTS} (run_id)`);
  await insertEvents(cluster, [1, 2].map(() => ({ run: run('C'), type: 'step_created', correlation: step('C') })));
  const { code, verdict } = await before(cluster);
  assert.equal(code, 1);
  assert.match(verdict.advice, /^an index of that name exists, and duplicates too: it is not the migration's/);
});

test('0014_add_attr_set_event_unique_index fails on attributes that were set twice', async (t) => {
  const cluster = await serverWithSchema(t, { world: '4.3.7' });
  const attribute = (correlation, order) => ({ run: run('T'), type: 'attr_set', correlation, id: eventId(order) });
  await insertEvents(cluster, [attribute('attr_1', 1), attribute('attr_1', 2), attribute('attr_2', 3), attribute(null, 4), attribute(null, 5)]);
  const { code, verdict, stdout } = await before(cluster);
  assert.deepEqual([code, verdict.identities, verdict.duplicate_attributes, verdict.index_exists], [1, 0, 1, true], stdout);
  const { findings } = await audit(cluster);
  assert.deepEqual(findings.map(({ rule, correlation_id: entity }) => `${rule} ${entity}`), ['duplicate_created attr_1']);
  await assert.rejects(cluster.query(UNIQUE_ATTRIBUTES), { code: '23505' });

  await cluster.query(`DELETE FROM ${EVENTS} WHERE id = $1`, [findings[0].duplicate.id]);
  const clean = await before(cluster);
  assert.deepEqual([clean.code, clean.verdict.duplicate_attributes], [0, 0]);
  await cluster.query(UNIQUE_ATTRIBUTES);
  const done = await before(cluster, []);
  assert.deepEqual([done.code, done.stdout.endsWith('\nthe unique index exists: nothing to do\n')], [0, true], done.stdout);
});
