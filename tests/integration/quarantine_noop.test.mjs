// `quarantine apply --neutralise noop`: in a run with slot numbers a row keeps its place and becomes a noop, where the engine reads
// one. The real engines say whether the log replays afterwards.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { loadEngine } from '../engines/engine.mjs';
import { healthyLogs } from '../engines/healthy.mjs';
import { Random } from '../engines/ids.mjs';
import { mutated } from '../engines/mutate.mjs';
import { replayAll } from '../engines/replay.mjs';
import { payloadsOf, shapeLogs } from '../engines/shapes.mjs';
import { runId } from './audit_shapes.mjs';
import { runCommand } from './daemon.mjs';
import { daemonFor, EVENTS, eventId, insertEvents, serverWithSchema } from './scene.mjs';

const READS = '5.0.0-beta.55';
const FAILS = '5.0.0-beta.41';
const missing = [READS, FAILS].some((version) => !fs.existsSync(new URL(`../engines/${version}/node_modules`, import.meta.url)));
const skip = missing && 'the engines are not installed (./test installs them)';
const UNSEEN = /ghost|delete|move|swap|duplicate-earlier|other-step-name|run-failed/;
const RULES = ['duplicate_created', 'second_terminal', 'lifecycle_after_close'];

/** A log table of 5.x, as far as the rules look at it, and what setup makes. */
async function scene(t) {
  const cluster = await serverWithSchema(t, { world: null });
  await cluster.query(`CREATE SCHEMA workflow; CREATE TABLE ${EVENTS} (id varchar NOT NULL, type varchar NOT NULL, correlation_id varchar,
    run_id varchar NOT NULL, payload bytea DEFAULT '\\x00ff', PRIMARY KEY (run_id, id)); CREATE ROLE keeper LOGIN`);
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: 'keeper' }) } });
  const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemon.configFile]);
  await cluster.query(setup.stdout);
  const config = (engine) => {
    const file = path.join(daemon.dir, `${engine}.yaml`);
    fs.writeFileSync(file, `engine: ${engine}\n`);
    return file;
  };
  const run = async (args, { engine = 'v5', user = 'postgres' } = {}) => {
    const ended = await runCommand([...args, '--config', config(engine), '--dsn', cluster.dsn({ user })]);
    return { ...ended, records: ended.stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)) };
  };
  return { cluster, run };
}

/** All shapes, and damage of every kind to random logs: {name, log}. */
async function damagedLogs(version, count) {
  const random = new Random(`noop/${version}`);
  const healthy = await healthyLogs(version, 40, 7);
  const payload = payloadsOf(await loadEngine(version));
  const damaged = Array.from({ length: count }, (_, index) => mutated(healthy, index, random, payload));
  return [...await shapeLogs(version), ...damaged.map(({ log, mutation }) => ({ name: mutation, log }))];
}

const wholeLog = (cluster) => cluster.query(`SELECT run_id, id, md5(record_send(e)) AS bytes FROM ${EVENTS} e ORDER BY run_id, id`);

test('rows that kill a run become noops, and the engine replays it; they come back byte for byte', { skip }, async (t) => {
  const { cluster, run } = await scene(t);
  const logs = await damagedLogs(READS, 400);
  for (const [number, { log }] of logs.entries()) {
    await insertEvents(cluster, log.events.map(({ id, type, corr }) => ({ run: runId(number), id, type, correlation: corr ?? null })));
  }
  const before = await wholeLog(cluster);
  const findings = (await run(['audit', '--format', 'json'])).records
    .filter(({ event, rule, severity, state }) => event === 'finding' && RULES.includes(rule) && severity === 'fatal' && state === 'open');
  const entries = [];
  const refused = new Map();
  for (const { run_id: of, finding_id: finding } of findings) {
    const { code, records: [answer], stderr } = await run(['quarantine', 'apply', of, finding, '--neutralise', 'noop', '--yes', '--json']);
    if (code === 0) entries.push({ id: answer.id, run: of, event: answer.event_id });
    else refused.set(answer?.reason ?? stderr, (refused.get(answer?.reason ?? stderr) ?? 0) + 1);
  }
  assert.ok(entries.length >= 12, `${entries.length} noops of ${findings.length}, refused ${JSON.stringify([...refused])}`);
  assert.deepEqual([...refused.keys()].filter((reason) => !['not_slot_numbered', 'rule', 'stays_fatal'].includes(reason)), []);

  // In its place, with its id, and nothing else is touched.
  const now = new Map((await cluster.query(`SELECT run_id, id, type FROM ${EVENTS}`)).map((row) => [`${row.run_id} ${row.id}`, row.type]));
  assert.equal(now.size, before.length);
  for (const { run: of, event } of entries) assert.equal(now.get(`${of} ${event}`), 'noop');
  const touched = new Set(entries.map(({ run: of }) => of));
  const chosen = logs.map(({ name, log }, number) => ({
    name, log, after: { ...log, events: log.events.map((event) => (now.get(`${runId(number)} ${event.id}`) === 'noop' ? { ...event, type: 'noop', data: undefined } : event)) },
    touched: touched.has(runId(number)),
  })).filter((one) => one.touched);
  const was = await replayAll(READS, chosen.map(({ log }) => log));
  const is = await replayAll(READS, chosen.map(({ after }) => after));
  const healed = chosen.filter((_, i) => was[i].outcome === 'fatal' && is[i].outcome === 'ok');
  const dead = chosen.map(({ name }, i) => `${name}: ${is[i].message}`).filter((_, i) => is[i].outcome === 'fatal');
  const elsewhere = (await replayAll(FAILS, chosen.map(({ after }) => after))).filter(({ outcome }) => outcome === 'fatal');
  t.diagnostic(`${entries.length} noops in ${chosen.length} logs, ${JSON.stringify([...refused])} refused; ${READS} replays ${is.filter(({ outcome }) => outcome === 'ok').length}, healed ${healed.length}; ${FAILS} fails on ${elsewhere.length}`);
  for (const line of dead) t.diagnostic(`  still dies: ${line}`);
  assert.deepEqual(chosen.filter((_, i) => was[i].outcome === 'ok' && is[i].outcome !== 'ok').map(({ name }) => name), [], 'worse than before');
  assert.ok(healed.length >= 8, `${healed.length}`);
  // What is left after an act is what no rule sees: the damage before the row, or what was created in another order.
  assert.ok(dead.every((line) => UNSEEN.test(line)), dead.join('\n'));
  // The reason for the refusal elsewhere: the engine before it fails on a noop, unless the workflow returns before it gets there.
  assert.ok(elsewhere.length >= 8, `${elsewhere.length}`);

  for (const { id } of entries) {
    const back = await run(['quarantine', 'restore', String(id), '--yes', '--json']);
    assert.deepEqual([back.code, back.records[0]?.result], [0, 'done'], back.stderr);
  }
  assert.deepEqual(await wholeLog(cluster), before);
});

test('it is refused where the engine would not read it, where the row can go, and without the right', async (t) => {
  const { cluster, run } = await scene(t);
  const types = [['run_created', null], ['step_created', 'step_a'], ['step_completed', 'step_a'], ['step_started', 'step_a']];
  const slots = types.map((_, i) => `evnt_${String(i + 1).padStart(26, '0')}`);
  await insertEvents(cluster, types.map(([type, correlation], i) => ({ run: 'wrun_slots', type, correlation, id: slots[i] })));
  await insertEvents(cluster, types.map(([type, correlation], i) => ({ run: 'wrun_ulids', type, correlation, id: eventId(i) })));
  const before = await wholeLog(cluster);
  const findings = (await run(['audit', '--format', 'json'])).records.filter(({ event }) => event === 'finding');
  const finding = (of) => findings.find(({ run_id: owner }) => owner === of).finding_id;
  const apply = (of, options, ...args) => run(['quarantine', 'apply', of, finding(of), '--yes', '--json', ...args], options);
  const reason = async (...args) => {
    const { code, records } = await apply(...args);
    assert.equal(code, 1);
    return records[0].reason;
  };
  const harmless = [['run_created', null], ['step_created', 'step_a'], ['step_completed', 'step_a'], ['step_created', 'step_a']];
  await insertEvents(cluster, harmless.map(([type, correlation], i) => ({ run: 'wrun_again', type, correlation, id: slots[i] })));
  const [again] = (await run(['explain', 'wrun_again', '--json'])).records[0].findings;
  const { records: [answer] } = await run(['quarantine', 'apply', 'wrun_again', again.finding_id, '--neutralise', 'noop', '--yes', '--json']);
  assert.equal(answer.reason, 'not_fatal');
  await cluster.query(`DELETE FROM ${EVENTS} WHERE run_id = 'wrun_again'`);
  assert.equal(await reason('wrun_slots', {}), 'slot_numbered');
  assert.equal(await reason('wrun_slots', { engine: 'auto' }, '--neutralise', 'noop'), 'engine');
  assert.equal(await reason('wrun_slots', { engine: 'v5-before-class-skip' }, '--neutralise', 'noop'), 'engine');
  assert.equal(await reason('wrun_ulids', {}, '--neutralise', 'noop'), 'not_slot_numbered');
  const forbidden = await apply('wrun_slots', { user: 'keeper' }, '--neutralise', 'noop');
  assert.equal(forbidden.code, 3);
  assert.match(forbidden.stderr, /UPDATE/);
  assert.equal((await apply('wrun_slots', {}, '--neutralise', 'delete')).code, 2);
  assert.deepEqual((await apply('wrun_slots', {}, '--neutralise', 'noop', '--dry-run')).records[0].result, 'dry_run');
  assert.deepEqual(await wholeLog(cluster), before);

  const done = await apply('wrun_slots', {}, '--neutralise', 'noop');
  assert.deepEqual([done.code, done.records[0].event_id], [0, slots[3]]);
  assert.equal((await apply('wrun_slots', {}, '--neutralise', 'noop')).records[0].result, 'already_done');
  await cluster.query(`UPDATE ${EVENTS} SET type = 'step_retrying' WHERE id = $1`, [slots[3]]);
  const back = await run(['quarantine', 'restore', String(done.records[0].id), '--yes', '--json']);
  assert.deepEqual([back.code, back.records[0].reason], [1, 'changed']);
});
