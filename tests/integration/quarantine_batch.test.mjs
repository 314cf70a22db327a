// dupwatch quarantine apply --from-audit and purge: many rows at once, each act undone alone.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { insertShapes, runId } from './audit_shapes.mjs';
import { audit } from './audit_truth.mjs';
import { binary, runCommand } from './daemon.mjs';
import { command, entries, fatalRuns, keyOf, quarantine, ROLE, scene, startApply, wholeLog, withRecords } from './quarantine_scene.mjs';
import { EVENTS, insertEvents } from './scene.mjs';

/** Lines about the migration that name `count` rows, 10,000 a line. */
function manyRows(count) {
  const text = [];
  for (let row = 0; row < count; row += 10_000) {
    const ids = Array.from({ length: Math.min(10_000, count - row) }, (_, i) => `wevt_01KAAAAAAA${String(row + i).padStart(16, '0')}`);
    text.push(JSON.stringify({ event: 'migration', run_id: runId(1), canonical_id: 'wevt_0', kept_id: 'wevt_0', deleted_ids: ids }));
  }
  return text.join('\n');
}

test('of a whole audit the fatal rows go, in order, and the rest is refused with its reason', async (t) => {
  const { cluster, file } = await scene(t);
  await insertShapes(cluster);
  const { stdout, findings } = await audit(cluster);
  const from = file(stdout);
  const before = await wholeLog(cluster);
  const limited = await quarantine(cluster, ['apply', '--from-audit', from, '--yes', '--limit', '2', '--rate', '0']);
  assert.deepEqual([limited.code, limited.summary.done, limited.summary.not_reached > 0], [1, 2, true], limited.stderr);
  const all = await quarantine(cluster, ['apply', '--from-audit', from, '--yes', '--rate', '0']);
  assert.equal(all.code, 1, all.stderr);
  assert.deepEqual(all.acts.map(({ finding_id: id }) => id), findings.map(({ finding_id: id }) => id), 'one line for each finding, in order');
  const { summary } = all;
  assert.equal(summary.rows, findings.length);
  assert.equal(summary.rows, summary.done + summary.already_done + summary.gone + summary.refused);
  assert.equal(summary.refused, summary.by_reason.reduce((sum, { rows }) => sum + rows, 0));
  for (const { result, finding_id: id } of all.acts.filter(({ result }) => result !== 'refused')) {
    const { severity, rule } = findings.find((finding) => finding.finding_id === id);
    assert.ok(severity === 'fatal' && /^(duplicate_created|second_terminal|lifecycle_after_close)$/.test(rule), `${result}: ${severity} ${rule}`);
  }
  const reasons = Object.fromEntries(summary.by_reason.map(({ reason, rows }) => [reason, rows]));
  const notFatal = findings.filter(({ severity, duplicate, canonical }) => severity !== 'fatal' && duplicate.id > canonical.id
    && !duplicate.id.startsWith('evnt_0')).length;
  assert.ok(reasons.not_fatal >= notFatal && notFatal > 3, JSON.stringify(reasons));
  for (const reason of ['rule', 'outcome', 'canonical', 'run_ended']) assert.ok(reasons[reason] > 0, `${reason}: ${JSON.stringify(reasons)}`);
  const kept = new Set((await entries(cluster)).map(keyOf));
  assert.equal(kept.size, limited.summary.done + summary.done);
  assert.ok(kept.size >= 5);
  assert.deepEqual((await wholeLog(cluster)).map(keyOf), before.map(keyOf).filter((key) => !kept.has(key)));

  const again = await quarantine(cluster, ['apply', '--from-audit', from, '--yes']);
  assert.deepEqual([again.summary.done, again.summary.already_done, again.summary.refused], [0, summary.done + summary.already_done, summary.refused]);
  for (const { id } of await entries(cluster)) assert.equal((await quarantine(cluster, ['restore', String(id), '--yes'], 'postgres')).code, 0);
  assert.deepEqual(await wholeLog(cluster), before);
});

test('a row that went by another hand is gone, one that has no fault any more stays, and slots are never touched', async (t) => {
  const { cluster, file } = await scene(t);
  const [gone, healed] = await fatalRuns(cluster, 2);
  const slotRun = runId(7);
  const slots = await insertEvents(cluster, ['run_created', 'step_created', 'step_created'].map((type, i) => ({
    run: slotRun, type, correlation: i ? 'step_s' : null, id: `evnt_${String(i + 1).padStart(26, '0')}` })));
  const findings = (await audit(cluster)).stdout;
  const foretold = (await audit(cluster, ['--before-migration', '--json'])).stdout;
  await cluster.query(`DELETE FROM ${EVENTS} WHERE id = ANY ($1)`, [[gone.duplicate, healed.ids[1]]]);
  const before = await wholeLog(cluster);
  const plain = await quarantine(cluster, ['apply', '--from-audit', file(findings), '--yes']);
  assert.deepEqual([plain.summary.gone, plain.summary.done, plain.code], [1, 0, 1], plain.stdout);
  assert.equal(plain.acts.find(({ run_id: run }) => run === healed.run).reason, 'no_finding');
  const moved = await quarantine(cluster, ['apply', '--from-audit', file(foretold), '--before-migration', '--yes']);
  const ofRun = (run) => moved.acts.filter((act) => act.run_id === run).map(({ result, reason, event_id: id }) => [result, reason, id]);
  assert.deepEqual([ofRun(gone.run), ofRun(healed.run), ofRun(slotRun)],
    [[['gone', null, gone.duplicate]], [['refused', 'canonical', healed.duplicate]], [['refused', 'slot_numbered', slots[2]]]]);
  assert.deepEqual(await wholeLog(cluster), before);
  assert.deepEqual(await entries(cluster), []);
});

test('two at once on the same file do each row once', async (t) => {
  const { cluster, file } = await scene(t);
  await fatalRuns(cluster, 40);
  const from = file((await audit(cluster)).stdout);
  const both = await Promise.all([1, 2].map(() => quarantine(cluster, ['apply', '--from-audit', from, '--yes', '--rate', '0'])));
  assert.deepEqual(both.map(({ code }) => code), [0, 0], both.map(({ stderr }) => stderr).join(''));
  assert.equal(both[0].summary.done + both[1].summary.done, 40);
  assert.ok(both.every(({ summary }) => summary.done + summary.already_done === 40));
  assert.equal((await entries(cluster)).length, 40);
});

test('on a terminal it asks, with the numbers, and shows how far it is', async (t) => {
  const { cluster, file } = await scene(t);
  await fatalRuns(cluster, 8);
  await insertEvents(cluster, ['step_created', 'step_created'].map((type) => ({ run: runId(1), type, correlation: 'step_open' })));
  const from = file((await audit(cluster)).stdout);
  const shell = (args) => [binary(), 'quarantine', ...args, '--dsn', cluster.dsn({ user: ROLE })].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const onTerminal = (args, input) => spawnSync('script', ['-qec', shell(args), '/dev/null'], { encoding: 'utf8', input });
  const no = onTerminal(['apply', '--from-audit', from], 'n\n');
  if (no.error?.code === 'ENOENT') return t.diagnostic('no script(1) on this machine');
  assert.equal(no.status, 2, no.stdout);
  assert.match(no.stdout, /8 rows can be taken out of workflow\.workflow_events\. 1 more stay, by the file's own word\. Do it\? \[y\/N\]/);
  assert.deepEqual(await entries(cluster), []);
  const yes = onTerminal(['apply', '--from-audit', from, '--rate', '10'], 'y\n');
  assert.equal(yes.status, 1, yes.stdout);
  assert.match(yes.stdout, /\[#+\.+\] +\d+ %  \d of about 9 rows/);
  assert.match(yes.stdout, /8 removed, 0 already removed, 0 no longer in the log, 1 refused \(1 not_fatal\)\r?\n/);
  assert.match(yes.stdout, /run wrun_\w+: wevt_\w+ removed; entry \d+\r?\n/);

  const owner = (args, input) => spawnSync('script', ['-qec', shell(args).replace(ROLE, 'postgres'), '/dev/null'], { encoding: 'utf8', input });
  await cluster.query("UPDATE dupwatch.quarantine SET removed_at = now() - interval '2 days'");
  assert.equal(owner(['purge', '--older-than', '1d'], 'n\n').status, 2);
  assert.equal((await entries(cluster)).length, 8);
  const purged = owner(['purge', '--older-than', '1d'], 'y\n');
  assert.match(purged.stdout, /Delete 8 entries of dupwatch\.quarantine made before .*\? 8 of them were never restored and hold the only copy of a row\. \[y\/N\]/);
  assert.match(purged.stdout, /deleted 8 of 8 entries/);
  assert.deepEqual(await entries(cluster), []);
});

test('a file that is no audit changes nothing, and the error says where and what', async (t) => {
  const { cluster, file } = await scene(t);
  await fatalRuns(cluster, 2);
  const { stdout } = await audit(cluster);
  const foretold = (await audit(cluster, ['--before-migration', '--json'])).stdout;
  const csv = (await audit(cluster, ['--format', 'csv'])).stdout;
  const [first, second] = stdout.split('\n');
  const before = await wholeLog(cluster);
  const cases = [
    [`${first}\nnonsense\n`, [], /audit\.jsonl:2: found "nonsense", expected one JSON object a line, as dupwatch audit --format json/],
    [`${first}\n${second.slice(0, 100)}`, [], /audit\.jsonl:2: found "/],
    [`${first}\n${second.replace('"fatal"', '"deadly"')}\n`, [], /audit\.jsonl:2: found a finding that lacks a field or has a value/],
    [`${first.replaceAll('workflow.workflow_events', 'public.log')}\n`, [], /:1: found a finding about table "public\.log", expected findings about workflow\.workflow_events/],
    [foretold, [], /:1: found a line of dupwatch audit --before-migration, expected findings, or --before-migration on this command line too/],
    [foretold.replace('"canonical_id"', '"canonical"'), ['--before-migration'], /:1: found a line about the migration without all of run_id, canonical_id/],
    [csv, [], /:1: found "/],
    ['', [], /:1: found nothing, expected/],
    [`${first}\n${'x'.repeat(3 << 20)}`, [], /:2: found a line longer than 1048576 bytes/],
    [manyRows(1_000_001), ['--before-migration'], /:101: found more than 1000000 rows, expected at most so many; leave out harmless/],
    [`${'\u0000'.repeat(50)}\n`, [], /:1: found "/],
  ];
  for (const [text, args, message] of cases) {
    const { code, stderr, stdout: said } = await quarantine(cluster, ['apply', '--from-audit', file(text), '--yes', ...args]);
    assert.deepEqual([code, said], [2, ''], `${message}: ${stderr}`);
    assert.match(stderr, message);
    assert.match(stderr, /nothing was changed\n$/);
  }
  const missing = await quarantine(cluster, ['apply', '--from-audit', '/nonexistent/audit', '--yes']);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /\/nonexistent\/audit can't be read: No such file or directory/);
  const folder = await quarantine(cluster, ['apply', '--from-audit', '/tmp', '--yes']);
  assert.deepEqual([folder.code, /can't be read: Is a directory/.test(folder.stderr)], [2, true], folder.stderr);
  const from = file(stdout);
  for (const [args, message] of [
    [['apply'], /name FINDING, or --from-audit FILE/],
    [['apply', 'wrun_x'], /wrun_x is no finding id; remedy: .*name RUN_ID and FINDING/],
    [['apply', 'wrun_x', '0123456789abcdef', '--from-audit', from], /excludes/],
    [['apply', 'wrun_x', '0123456789abcdef', '--before-migration'], /--before-migration requires --from-audit/],
    [['apply', '--from-audit', from, '--rate', '-1'], /--rate/],
    [['apply', '--from-audit', from, '--limit', '0'], /--limit/],
    [['apply', '--from-audit', from], /there is no terminal to ask; remedy: add --yes/],
  ]) {
    const { code, stderr } = await quarantine(cluster, args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  }
  assert.deepEqual(await wholeLog(cluster), before);
  assert.deepEqual(await entries(cluster), []);

  const cut = await quarantine(cluster, ['apply', '--from-audit', file(stdout.replace('"complete":true', '"complete":false')), '--yes', '--dry-run']);
  assert.deepEqual([cut.code, cut.summary.dry_run], [0, 2]);
  assert.match(cut.stderr, /warning: the audit that wrote .* was cut short/);
  const only = await quarantine(cluster, ['apply', '--from-audit', file(`${stdout.split('\n').at(-2)}\n`)]);
  assert.deepEqual([only.code, only.summary.rows], [0, 0], 'an audit without findings asks nothing');
});

test('an audit is taken from standard input, at the rate that was asked for', async (t) => {
  const { cluster } = await scene(t);
  await fatalRuns(cluster, 5);
  const { stdout } = await audit(cluster);
  const child = spawn(binary(), command(cluster, ['apply', '--from-audit', '-', '--yes', '--rate', '5']), { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(stdout);
  let said = '';
  child.stdout.on('data', (data) => { said += data; });
  const began = performance.now();
  const code = await new Promise((resolve) => { child.on('close', resolve); });
  const seconds = (performance.now() - began) / 1000;
  assert.deepEqual([code, withRecords({ stdout: said }).summary.done], [0, 5]);
  assert.ok(seconds >= 0.8, `5 rows at 5 a second within ${seconds} s`);
});

test('a lock is waited out or ends it, Ctrl-C lets the act in flight come to its end', async (t) => {
  const { cluster, file } = await scene(t);
  const runs = await fatalRuns(cluster, 3);
  const from = file((await audit(cluster)).stdout);
  const holder = await cluster.client();
  t.after(() => holder.end());
  const waits = async () => (await cluster.query(`SELECT FROM pg_stat_activity WHERE usename = '${ROLE}' AND wait_event_type = 'Lock'`)).length > 0;
  const hold = async (row) => { await holder.query(`BEGIN; SELECT FROM ${EVENTS} WHERE id = '${row}' FOR UPDATE`); };

  await hold(runs[0].duplicate);
  const held = await quarantine(cluster, ['apply', '--from-audit', from, '--yes']);
  assert.deepEqual([held.code, held.summary.done, held.summary.not_reached], [4, 0, 3], held.stderr);
  assert.match(held.stderr, /lock timeout/);
  const patient = startApply(cluster, ['--from-audit', from, '--yes', '--limit', '1']);
  await patient.until(waits);
  await sleep(700); // Past the first lock timeout of half a second.
  await holder.query('ROLLBACK');
  const limited = withRecords(await patient.ended);
  assert.deepEqual([limited.code, limited.summary.done, limited.summary.not_reached], [1, 1, 2], limited.stderr);

  let stopped;
  for (let tries = 0; tries < 20 && !stopped?.summary?.done; tries += 1) { // The half second may pass on a busy machine.
    await hold(runs[1].duplicate);
    const apply = startApply(cluster, ['--from-audit', from, '--yes']);
    await apply.until(waits);
    apply.child.kill('SIGINT');
    await sleep(20);
    await holder.query('ROLLBACK');
    stopped = withRecords(await apply.ended);
    assert.equal(stopped.code, 4);
    assert.match(stopped.stderr, /interrupted; go on with the same command/);
  }
  assert.deepEqual([stopped.summary.already_done, stopped.summary.done, stopped.summary.not_reached], [1, 1, 1]);

  await cluster.query(`REVOKE DELETE ON ${EVENTS} FROM ${ROLE}`);
  const without = await quarantine(cluster, ['apply', '--from-audit', from, '--yes']);
  assert.deepEqual([without.code, without.summary.already_done, without.summary.not_reached], [3, 2, 1]);
  assert.match(without.stderr, /setup --print-sql --quarantine/);
  await cluster.query(`GRANT DELETE ON ${EVENTS} TO ${ROLE}`);
  assert.equal((await quarantine(cluster, ['apply', '--from-audit', from, '--yes'])).code, 0);
});

test('a session that the server ends is replaced', async (t) => {
  const { cluster, file } = await scene(t);
  await fatalRuns(cluster, 6);
  const from = file((await audit(cluster)).stdout);
  const apply = startApply(cluster, ['--from-audit', from, '--yes', '--rate', '3']);
  for (const wanted of [1, 3]) {
    await apply.until((acts) => acts >= wanted);
    assert.equal((await cluster.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE}'`)).length, 1);
  }
  const ended = withRecords(await apply.ended);
  assert.deepEqual([ended.code, ended.summary.done + ended.summary.already_done], [0, 6], ended.stderr);
  assert.equal((await entries(cluster)).length, 6);
});

test('purge deletes old entries for good, and says which were the only copy', async (t) => {
  const { cluster, file } = await scene(t);
  await fatalRuns(cluster, 4);
  await quarantine(cluster, ['apply', '--from-audit', file((await audit(cluster)).stdout), '--yes', '--rate', '0']);
  const [first, second, third, fourth] = (await entries(cluster)).map(({ id }) => id);
  assert.equal((await quarantine(cluster, ['restore', String(first), '--yes'], 'postgres')).code, 0);
  await cluster.query("UPDATE dupwatch.quarantine SET removed_at = now() - interval '31 days' WHERE id = ANY ($1)", [[first, second, third]]);
  await cluster.query("UPDATE dupwatch.quarantine SET table_name = 'public.other' WHERE id = $1", [third]);
  const left = async () => (await cluster.query('SELECT id FROM dupwatch.quarantine ORDER BY id')).map(({ id }) => id);

  const dry = await quarantine(cluster, ['purge', '--older-than', '30d', '--dry-run']);
  assert.deepEqual([dry.code, dry.answer.result, dry.answer.entries, dry.answer.never_restored, dry.answer.deleted], [0, 'dry_run', 2, 1, 0], dry.stderr);
  const text = await runCommand(['quarantine', 'purge', '--older-than', '30d', '--dry-run', '--dsn', cluster.dsn({ user: ROLE })]);
  assert.match(text.stdout, /^would delete 2 entries made before .*\. 1 of them was never restored and hold/);
  const forbidden = await quarantine(cluster, ['purge', '--older-than', '30d', '--yes']);
  assert.equal(forbidden.code, 3);
  assert.match(forbidden.stderr, /permission denied .*remedy: purge with --dsn as a role that may DELETE from dupwatch\.quarantine/);
  const unasked = await quarantine(cluster, ['purge', '--older-than', '30d'], 'postgres');
  assert.equal(unasked.code, 2);
  assert.match(unasked.stderr, /this changes dupwatch\.quarantine and there is no terminal to ask/);
  for (const age of ['30', '0d', 'd', '5m', '-1d', '99999999999d']) {
    const { code, stderr } = await quarantine(cluster, ['purge', `--older-than=${age}`, '--yes'], 'postgres');
    assert.equal(code, 2, age);
    assert.match(stderr, /--older-than: expected an age like 12h or 30d/);
  }
  assert.equal((await quarantine(cluster, ['purge', '--yes'], 'postgres')).code, 2);
  assert.deepEqual(await left(), [first, second, third, fourth]);

  const done = await quarantine(cluster, ['purge', '--older-than', '30d', '--yes'], 'postgres');
  assert.deepEqual([done.code, done.answer.result, done.answer.deleted, done.answer.never_restored], [0, 'done', 2, 1], done.stderr);
  assert.deepEqual(await left(), [third, fourth], 'young entries and those of another table stay');
  const nothing = await quarantine(cluster, ['purge', '--older-than', '30d'], 'postgres');
  assert.deepEqual([nothing.code, nothing.answer.deleted], [0, 0], 'nothing to do asks nothing');

  // Entries of rows that never were, and old: only who may switch the check off makes such.
  await cluster.query('ALTER TABLE dupwatch.quarantine DISABLE TRIGGER quarantine_check');
  await cluster.query(`INSERT INTO dupwatch.quarantine (finding_id, rule, table_name, run_id, event_id, finding, kept, removed_at, action, requested_by)
    SELECT 'f', 'r', '${EVENTS}', 'run', i::text, '{}', '{}', now() - interval '13 hours', 'removed', 'operator' FROM generate_series(1, 2500) i`);
  const many = await quarantine(cluster, ['purge', '--older-than', '12h', '--yes'], 'postgres');
  assert.deepEqual([many.code, many.answer.deleted], [0, 2500]);
  assert.deepEqual(await left(), [third, fourth]);
  await cluster.query('DROP TABLE dupwatch.quarantine');
  const missing = await quarantine(cluster, ['purge', '--older-than', '12h', '--yes'], 'postgres');
  assert.equal(missing.code, 3);
  assert.match(missing.stderr, /setup --print-sql --quarantine/);
});
