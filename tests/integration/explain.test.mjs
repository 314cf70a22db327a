// dupwatch explain: one run as text and JSON, and a repair plan whose SQL, run as it is printed, heals the run.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { literal } from '../postgres/client.mjs';
import { insertShapes } from './audit_shapes.mjs';
import { audit } from './audit_truth.mjs';
import { binary, runCommand } from './daemon.mjs';
import { daemonFor, EVENTS, runSetup, serverWithSchema } from './scene.mjs';

const RUN = 'wrun_01KQ3V6T0A7M2N5P8R1S4V7X0Z';
const TIME = 1_777_000_000_000; // 2026-04-24T03:06:40Z
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** An event id made `millis` after the start by pod 'A', 'B' or 'C'. */
function idAt(millis, pod, number = 0) {
  let time = '';
  for (let left = TIME + millis, i = 0; i < 10; i += 1, left = Math.floor(left / 32)) time = CROCKFORD[left % 32] + time;
  return `wevt_${time}${pod.repeat(12)}${String(number).padStart(4, '0')}`;
}

const correlation = (kind, last) => `${kind}_01KQ3V6T0BYD5Q8WEHZ3KTV4${last}`;

// Issue 2039: three pods of one service; a step is over, and a slower pod creates it again before the next one.
const REPORT = [
  [0, 'A', 'run_created', null],
  [14, 'A', 'run_started', null],
  [31, 'A', 'step_created', correlation('step', 'T4')],
  [38, 'A', 'step_started', correlation('step', 'T4')],
  [452, 'A', 'step_completed', correlation('step', 'T4')],
  [457, 'C', 'step_created', correlation('step', 'T4')],
  [463, 'B', 'step_created', correlation('step', 'T5')],
  [12_463, 'B', 'step_started', correlation('step', 'T5')],
];

async function insertRun(cluster, events, run = RUN) {
  const rows = events.map(([millis, pod, type, entity], number) => ({ id: idAt(millis, pod, number), type, entity, at: new Date(TIME + millis).toISOString() }));
  await cluster.query(
    `INSERT INTO ${EVENTS} (run_id, id, type, correlation_id, created_at) SELECT $1, id, type, entity, at::timestamp
     FROM jsonb_to_recordset($2::jsonb) AS rows(id text, type text, entity text, at text)`, [run, JSON.stringify(rows)]);
  return rows.map(({ id }) => id);
}

async function explain(cluster, args, dsn = {}) {
  const ended = await runCommand(['explain', '--dsn', cluster.dsn(dsn), ...args]);
  return { ...ended, story: ended.stdout.startsWith('{') ? JSON.parse(ended.stdout) : undefined };
}

/** The SQL of the printed text, as a person copies it: the indented block at its end, behind a blank line. */
const printedSql = (stdout) => (/\n\n((?: {4}[^\n]*\n)+)$/.exec(stdout)?.[1] ?? '').replaceAll(/^ {4}/gm, '');

const findingsOf = async (cluster, run) => (await audit(cluster)).findings.filter(({ run_id: id }) => id === run);

/** Runs the plan with psql, which stops at the first error; returns what it says. */
function runPlan(cluster, sql) {
  const psql = spawnSync(path.join(cluster.bin, 'psql'), ['-X', '-v', 'ON_ERROR_STOP=1', '-d', cluster.uri()], { input: sql, encoding: 'utf8' });
  assert.equal(psql.status, 0, `${sql}\n${psql.stderr}`);
  return psql.stdout;
}

test('the run of the original report', async (t) => {
  const cluster = await serverWithSchema(t);
  const ids = await insertRun(cluster, REPORT);

  await t.test('line by line, without colours in a pipe', async () => {
    const { code, stdout, stderr } = await explain(cluster, [RUN]);
    assert.equal(code, 1, stderr);
    const [{ finding_id: id }] = await findingsOf(cluster, RUN);
    assert.deepEqual(stdout.split('\n'), [
      `run ${RUN}: 8 events, ULIDs (4.x), not ended`,
      '  > v4                    FAILS',
      '    v5-before-class-skip  FAILS',
      '    v5                    refuses every run with ULIDs',
      '',
      '   #  time (UTC)                     gap  event            entity          id',
      `   1  2026-04-24T03:06:40.000             run_created                      ${ids[0]}`,
      `   2  2026-04-24T03:06:40.014     +14 ms  run_started                      ${ids[1]}`,
      `   3  2026-04-24T03:06:40.031     +17 ms  step_created     step …KTV4T4    ${ids[2]}`,
      `   4  2026-04-24T03:06:40.038      +7 ms  step_started     step …KTV4T4    ${ids[3]}`,
      `   5  2026-04-24T03:06:40.452    +414 ms  step_completed   step …KTV4T4    ${ids[4]}`,
      `   6  2026-04-24T03:06:40.457      +5 ms  step_created     step …KTV4T4    ${ids[5]}`,
      '      ✗ fatal duplicate_created: two workers created the same step, wait, hook or attribute; '
        + '4.x and 5.0 up to beta.41 have no handler waiting for this event, so replay fails; later engines skip it',
      `        finding ${id}`,
      `   7  2026-04-24T03:06:40.463      +6 ms  step_created     step …KTV4T5    ${ids[6]}`,
      `   8  2026-04-24T03:06:52.463      +12 s  step_started     step …KTV4T5    ${ids[7]}`,
      '',
      'How to fix it (dupwatch has not changed anything):',
      '  - Take the row out of the log; what is taken out is kept, and can be put back:',
      `      dupwatch quarantine apply ${RUN} ${id}`,
      '  - Move this row out of the log, as owner of the table. Judged again without it, the log has nothing fatal left; cores 4.2.4 and 4.8.9 replay such a log.',
      '  - The same as a file for psql, which changes nothing if the log has changed meanwhile:',
      `      dupwatch explain --repair-plan repair.sql ${RUN}`,
      '  - By hand, in one statement that changes all of it or nothing:',
      '',
      '    DO $plan$',
      '    DECLARE touched bigint;',
      '    BEGIN',
      '      CREATE TABLE IF NOT EXISTS public.dupwatch_removed (LIKE "workflow"."workflow_events" INCLUDING DEFAULTS);',
      `      INSERT INTO public.dupwatch_removed SELECT * FROM "workflow"."workflow_events" WHERE "run_id" = '${RUN}' AND "id" IN ('${ids[5]}');`,
      `      DELETE FROM "workflow"."workflow_events" WHERE "run_id" = '${RUN}' AND "id" IN ('${ids[5]}');`,
      '      GET DIAGNOSTICS touched = ROW_COUNT;',
      "      IF touched <> 1 THEN RAISE EXCEPTION 'nothing was changed: % rows, not 1', touched; END IF;",
      '    END $plan$;',
      '',
    ]);
  });

  await t.test('as JSON', async () => {
    const { code, story } = await explain(cluster, [RUN, '--json']);
    assert.equal(code, 1);
    assert.deepEqual(Object.keys(story), ['run_id', 'engine', 'engine_from', 'severities', 'ended_by', 'events', 'findings', 'repeated_work', 'repair']);
    assert.deepEqual(story.repeated_work, []);
    assert.deepEqual([story.run_id, story.engine, story.severities, story.ended_by],
      [RUN, 'v4', { v4: 'fatal', 'v5-before-class-skip': 'fatal', v5: 'fatal' }, null]);
    assert.deepEqual(story.events.map(({ id, type, correlation_id: entity, time }) => [id, type, entity, Date.parse(time)]),
      REPORT.map(([millis, , type, entity], i) => [ids[i], type, entity, TIME + millis]));
    assert.deepEqual(story.findings, (await findingsOf(cluster, RUN)).map((finding, i) => ({ ...finding, flagged_at: story.findings[i].flagged_at })));
    assert.deepEqual(story.findings[0].log_order, [ids[2], ids[4], ids[5]]);
    assert.ok(Math.abs(Date.parse(story.findings[0].flagged_at) - Date.now()) < 60_000, story.findings[0].flagged_at);
    assert.equal(story.repair.sql.length, 5);
    assert.equal(story.repair.sentences.length, 1);
  });

  await t.test('on a terminal it has colours', async () => {
    const command = [binary(), 'explain', '--dsn', cluster.dsn(), RUN].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const { stdout, error } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' });
    if (error?.code === 'ENOENT') return t.diagnostic('no script(1) on this machine');
    assert.ok(stdout.includes('\x1b[1;31mFAILS\x1b[0m'), stdout);
    assert.ok(stdout.includes(`\x1b[1;31m✗ fatal\x1b[0m duplicate_created`));
    assert.ok(!stdout.split('\r\n')[6].includes('\x1b'), 'a line without finding is plain');
  });

  await t.test('a role with the grants of setup alone gets the same story, times from the ids', async () => {
    const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: 'watcher' }) } });
    await runSetup(cluster, daemon);
    const { code, stdout } = await explain(cluster, [RUN], { user: 'watcher' });
    assert.equal(code, 1);
    assert.equal(stdout, (await explain(cluster, [RUN])).stdout);
  });

  await t.test('the printed SQL heals it', async () => {
    const sql = printedSql((await explain(cluster, [RUN])).stdout);
    assert.equal(runPlan(cluster, sql), 'DO\n');
    // Pasted once more it finds another log than it was made for, and changes nothing.
    const again = spawnSync(path.join(cluster.bin, 'psql'), ['-X', '-d', cluster.uri()], { input: sql, encoding: 'utf8' });
    assert.match(again.stderr, /ERROR: +nothing was changed: 0 rows, not 1/);
    assert.deepEqual(await findingsOf(cluster, RUN), []);
    assert.deepEqual((await cluster.query('SELECT id, run_id, created_at::text AS at FROM public.dupwatch_removed')),
      [{ id: ids[5], run_id: RUN, at: '2026-04-24 03:06:40.457' }]);
    const healed = await explain(cluster, [RUN]);
    assert.equal(healed.code, 0);
    assert.match(healed.stdout, /\n  > v4 +nothing known against it\n/);
    assert.ok(healed.stdout.endsWith('\nNo findings for this run.\n'));
  });

  await t.test('an unknown run', async () => {
    for (const run of ['wrun_01KQ3V6T0A7M2N5P8R1S4V7X00', '', "x'; DROP TABLE x; --"]) {
      const { code, stdout, stderr } = await explain(cluster, [run]);
      assert.deepEqual([code, stdout], [2, ''], stderr);
      assert.match(stderr, /has no events of run .*remedy: check the run id/);
    }
    assert.equal((await explain(cluster, [])).code, 2);
  });
});

test('a run that has failed is revived by its plan', async (t) => {
  const cluster = await serverWithSchema(t);
  const failed = 'wrun_01KQ3V6T0A7M2N5P8R1S4V7X0F';
  const ids = await insertRun(cluster, [
    [0, 'A', 'run_created', null], [14, 'A', 'run_started', null],
    [20, 'A', 'hook_created', correlation('hook', 'T2')], [22, 'A', 'wait_created', correlation('wait', 'T3')],
    [31, 'A', 'step_created', correlation('step', 'T4')], [38, 'A', 'step_started', correlation('step', 'T4')],
    [452, 'A', 'step_completed', correlation('step', 'T4')], [457, 'B', 'step_created', correlation('step', 'T4')],
    [458, 'B', 'step_started', correlation('step', 'T4')], [459, 'C', 'step_completed', correlation('step', 'T4')],
    [900, 'A', 'run_failed', null],
  ], failed);
  await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name, started_at, completed_at, error, error_cbor)
    VALUES ($1, 'd', 'failed', 'w', '2026-04-24 03:06:40', '2026-04-24 03:06:41', 'Unconsumed event', '\\x00'), ('wrun_other', 'd', 'failed', 'w', now(), now(), 'own', '\\x00')`, [failed]);
  const { stdout, code } = await explain(cluster, [failed]);
  assert.equal(code, 1);
  assert.match(stdout, /: 11 events, ULIDs \(4\.x\), ended by run_failed\n/);
  assert.match(stdout, /✗ fatal run_lost: the run failed after a fatal finding; the run has failed; it can be revived only by hand\n/);
  assert.match(stdout, /  - Move these 3 rows out of the log/);
  assert.match(stdout, /  - The failure deleted the rows of 1 open hooks and 1 open waits .*must be put back by hand from a backup/);
  assert.match(stdout, /  - Afterwards restart one worker process/);
  assert.equal(runPlan(cluster, printedSql(stdout)), 'DO\n');
  assert.deepEqual(await findingsOf(cluster, failed), []);
  assert.deepEqual((await cluster.query(`SELECT id FROM public.dupwatch_removed ORDER BY id COLLATE "C"`)).map(({ id }) => id), ids.slice(7));
  assert.deepEqual(await cluster.query(`SELECT id, status, completed_at, error, error_cbor, started_at::text FROM workflow.workflow_runs WHERE id = '${failed}'`),
    [{ id: failed, status: 'running', completed_at: null, error: null, error_cbor: null, started_at: '2026-04-24 03:06:40' }]);
  assert.deepEqual(await cluster.query(`SELECT status FROM workflow.workflow_runs WHERE id = 'wrun_other'`), [{ status: 'failed' }]);
});

test('plans of every shape: run as printed they leave nothing fatal, and never touch slot-numbered or ended runs', async (t) => {
  const cluster = await serverWithSchema(t);
  const runs = await insertShapes(cluster);
  const { findings } = await audit(cluster);
  // What a person has to decide on: two outcomes, a payload that would be lost, a run that nothing heals.
  const byHand = new Set(['failed after completed, and completed again', 'delivery after disposal', 'conflict before it, and after disposal',
    'wait created only after its end']);
  const mended = [];
  for (const [name, run] of Object.entries(runs)) {
    const { stdout, code } = await explain(cluster, [run]);
    const { story } = await explain(cluster, [run, '--json']);
    const found = findings.filter(({ run_id: id }) => id === run);
    assert.equal(code, found.length ? 1 : 0, name);
    assert.deepEqual(story.findings.map(({ finding_id: id }) => id).sort(), found.map(({ finding_id: id }) => id).sort(), name);
    for (const statement of story.repair.sql.filter((one) => !/^(BEGIN|COMMIT);/.test(one))) {
      assert.ok(printedSql(stdout).includes(statement.split(';  -- ')[0]), `${name}: ${statement}`);
    }
    assert.equal(printedSql(stdout) === '', story.repair.sql.length === 0, name);
    const slots = story.events.some(({ id }) => id.startsWith('evnt_'));
    const fatal = found.some(({ severity }) => severity === 'fatal');
    if (slots || (story.ended_by !== null && story.ended_by !== 'run_failed')) {
      assert.deepEqual(story.repair.sql, [], name);
      if (slots && fatal) assert.ok(!/DELETE/.test(stdout), name);
    } else if (byHand.has(name)) {
      assert.ok(story.repair.sentences.some((sentence) => /not for a tool to say|loses the payload|start the run again/.test(sentence)), name);
    } else if (fatal) {
      if (story.ended_by === 'run_failed') {
        await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ($1, 'd', 'failed', 'w') ON CONFLICT DO NOTHING`, [run]);
      }
      assert.equal(runPlan(cluster, printedSql(stdout)), 'DO\n', name);
      mended.push(run);
    }
  }
  assert.ok(mended.length >= 10, `${mended.length} runs mended`);
  const left = (await audit(cluster, ['--json', '--severity', 'fatal'])).findings.filter(({ run_id: id }) => mended.includes(id));
  assert.deepEqual(left.map(({ run_id: run, rule }) => `${run} ${rule}`), []);
});

test('a hostile run id is data in the plan and on the screen', async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.query('CREATE TABLE precious (x int)');
  const hostile = ["x'); DROP TABLE precious; --", "back\\'slash\\", '$$ "quoted" $$', 'line\nbreak; DROP TABLE precious;', '-- dash', 'ESC\x1b[2Jbell\x07'];
  for (const [number, run] of hostile.entries()) {
    await cluster.query(`INSERT INTO ${EVENTS} (run_id, id, type, correlation_id)
      SELECT $1::text, 'wevt_01KAAAAAAA000000000000${number}' || lpad(n::text, 3, '0'), type, 'step_' || $1::text
      FROM (VALUES (1, 'step_created'), (2, 'step_completed'), (3, 'step_created')) rows(n, type)`, [run]);
    const { code, story, stderr } = await explain(cluster, ['--json', '--', run]);
    assert.equal(code, 1, stderr);
    assert.equal(story.run_id, run);
    const { stdout } = await explain(cluster, ['--', run]);
    assert.ok(!/[\x00-\x09\x0b-\x1f\x7f]/.test(stdout), `control characters on the screen: ${JSON.stringify(stdout)}`);
    assert.match(runPlan(cluster, `${story.repair.sql.join('\n')}\n`), /\nDELETE 1\nCOMMIT\n/);
    assert.deepEqual(await findingsOf(cluster, run), []);
  }
  assert.deepEqual(await cluster.query('SELECT count(*)::int FROM precious'), [{ count: 0 }]);
  assert.equal((await cluster.query(`SELECT count(*)::int FROM public.dupwatch_removed WHERE run_id IN (${hostile.map((run) => (run.includes('\\') ? `E${literal(run.replaceAll('\\', '\\\\'))}` : literal(run))).join(', ')})`))[0].count, hostile.length);
});

test('the times are right whatever zone the server has', async (t) => {
  const cluster = await serverWithSchema(t, { settings: { timezone: 'Europe/Berlin' } });
  await insertRun(cluster, REPORT);
  // As the engine writes it: the local time of the session, without a zone.
  await cluster.query(`UPDATE ${EVENTS} SET created_at = ($1::text::timestamptz)`, [new Date(TIME).toISOString()]);
  const millis = async () => (await explain(cluster, [RUN, '--json'])).story.events.map(({ time }) => Date.parse(time) - TIME);
  assert.deepEqual(await millis(), REPORT.map(([at]) => at), 'those of the ids');
  await cluster.query(`ALTER TABLE ${EVENTS} ALTER created_at TYPE timestamptz`);
  assert.deepEqual(await millis(), REPORT.map(() => 0), 'those of the column, which has a zone');
});
