// The JSON Schemas of config/schemas: what the program prints and the API answers is valid by them, field for field, and each has
// an output that it is held against.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import Ajv2020 from 'ajv/dist/2020.js';
import { freePort } from '../postgres/cluster.mjs';
import { runCommand } from './daemon.mjs';
import { daemonFor, eventId, insertEvents, serverWithSchema } from './scene.mjs';

const folder = new URL('../../config/schemas/', import.meta.url);
const schemas = fs.readdirSync(folder).map((name) => JSON.parse(fs.readFileSync(new URL(name, folder), 'utf8')));
const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true, schemas });
const RUN = 'wrun_01KRPCM1M08Q2V5D6HXK3T9WNB';
const STEP = 'step_01KRPCM4XQ7C9E2TB5GAMXJ4R6';

const held = new Set();

function valid(name, document) {
  held.add(`${name}.schema.json`);
  const validate = ajv.getSchema(`${name}.schema.json`);
  assert.ok(validate(document), `${name}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(document)}`);
  assert.ok(!validate({ ...document, more: 1 }), `${name} takes a field more`);
  for (const field of Object.keys(document)) {
    const { [field]: _, ...less } = document;
    assert.ok(!validate(less), `${name} does without ${field}`);
  }
}

test('what the program prints is valid by the schema of it, and a field more or less is not', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { http: { listen: `127.0.0.1:${await freePort()}` } });
  const json = async (command, ...args) => JSON.parse((await runCommand([...command, '--config', daemon.configFile, ...args])).stdout);
  valid('check', await json(['check'], '--json'));
  await daemon.start();
  const types = ['run_created', 'run_started', 'step_created', 'step_started', 'step_completed', 'step_created'];
  await insertEvents(cluster, types.map((type, order) => ({ run: RUN, type, correlation: type.startsWith('step') ? STEP : null, id: eventId(order) })));
  await insertEvents(cluster, [{ run: 'wrun_mild', type: 'run_created', id: eventId(1) }, { run: 'wrun_mild', type: 'run_created', id: eventId(2) }]);
  await daemon.until('both findings', async () => (await daemon.json('/api/findings')).findings.length >= 2);
  await daemon.until('the findings in the status', async () => (await daemon.status()).findings_open >= 2);
  valid('api-status', await daemon.status());
  const page = await daemon.json('/api/findings?limit=1');
  assert.notEqual(page.next, null);
  valid('api-findings', page);
  valid('api-findings', await daemon.json('/api/findings'));
  valid('api-run', await daemon.json(`/api/runs/${RUN}`));
  const list = await json(['findings'], '-o', 'json');
  valid('findings', list);
  for (const finding of list.findings) valid('finding', finding);
  const fatal = list.findings.find(({ severity }) => severity === 'fatal');
  const acknowledged = await json(['findings', 'ack'], fatal.finding_id, '--comment', 'c', '-o', 'json');
  valid('acknowledged', acknowledged);
  valid('finding', acknowledged.findings[0]);
  assert.notEqual(acknowledged.findings[0].acknowledgement, null);
  for (const line of fs.readFileSync(daemon.findingsFile, 'utf8').trim().split('\n')) valid('finding', JSON.parse(line));
  valid('explain', await json(['explain'], '--json', RUN));
  valid('health', await json(['health'], '--json'));
  await daemon.stop();
  valid('health', await json(['health'], '--json'));
  valid('drop', await json(['drop'], '--json'));
  valid('drop', await json(['drop'], '--json'));
  valid('version', JSON.parse((await runCommand(['version', '--json'])).stdout));
});

/** The lines of an answer that has one object in each. */
const linesOf = ({ stdout }) => stdout.trim().split('\n').map((line) => JSON.parse(line));

test('so are the answers of quarantine, guard, audit, upgrade-check, profile and metrics', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  const run = (...words) => runCommand([...words, '--config', daemon.configFile]);
  const json = async (...words) => JSON.parse((await run(...words, '--json')).stdout);
  await cluster.query((await run('setup', '--print-sql', '--quarantine')).stdout);
  const types = ['run_created', 'run_started', 'step_created', 'step_started', 'step_completed', 'step_created'];
  for (const name of ['wrun_1', 'wrun_2']) {
    await insertEvents(cluster, types.map((type, order) => ({ run: name, type, correlation: type.startsWith('step') ? STEP : null, id: eventId(order) })));
  }
  const audit = linesOf(await run('audit', '--json'));
  for (const line of audit) valid('audit-line', line);
  assert.deepEqual(audit.map(({ event }) => event), ['finding', 'finding', 'audit']);
  const file = `${daemon.configFile}.jsonl`;
  fs.writeFileSync(file, audit.map((line) => `${JSON.stringify(line)}\n`).join(''));
  for (const line of linesOf(await run('audit', '--before-migration', '--json'))) valid('audit-migration-line', line);
  valid('quarantine-act', await json('quarantine', 'apply', audit[0].run_id, audit[0].finding_id, '--yes'));
  const lines = linesOf(await run('quarantine', 'apply', '--from-audit', file, '--yes', '--json'));
  for (const line of lines) valid('quarantine-apply-line', line);
  assert.deepEqual(lines.map(({ event }) => event), ['act', 'act', 'apply_summary']);
  const list = await json('quarantine', 'list');
  valid('quarantine-list', list);
  assert.deepEqual([list.matched, list.entries.length], [2, 2]);
  const newest = await json('quarantine', 'list', '--limit', '1');
  assert.deepEqual([newest.matched, newest.entries], [2, list.entries.slice(0, 1)]);
  valid('quarantine-entry', await json('quarantine', 'show', String(list.entries[0].id)));
  valid('quarantine-act', await json('quarantine', 'restore', String(list.entries[0].id), '--yes'));
  valid('quarantine-status', await json('quarantine', 'status'));
  valid('quarantine-resume', await json('quarantine', 'resume', '--yes'));
  valid('quarantine-purge', await json('quarantine', 'purge', '--older-than', '1d', '--dry-run'));
  for (const words of [['status'], ['install', '--yes'], ['status'], ['remove', '--yes']]) valid('guard', await json('guard', ...words));
  valid('upgrade-check', await json('upgrade-check', '--to', '4.2.0'));
  valid('profile-list', await json('profile', 'list'));
  valid('profile-show', await json('profile', 'show', 'emmett'));
  await cluster.query('CREATE TABLE seen (run text, id bigint PRIMARY KEY, name text); CREATE INDEX ON seen (run); INSERT INTO seen VALUES (1, 1, 1), (1, 2, 1)');
  const profile = `${daemon.configFile}.profile.yaml`;
  const table = { name: 'public.seen', run_column: 'run', id_column: 'id', rules: { once: { unique: ['name'], severity: 'fatal' } } };
  fs.writeFileSync(profile, JSON.stringify({ connection: { dsn: cluster.dsn() }, profile: 'generic', table }));
  valid('profile-test', await json('profile', 'test', profile));
  valid('metrics', JSON.parse((await runCommand(['metrics', '--describe', '--json'])).stdout));
});

test('every schema has had an answer', () => {
  assert.deepEqual([...held].sort(), schemas.map(({ $id: id }) => id).sort());
});

// One shape for all of them: an object, whose lists stand under the name of what they list.
test('no answer is a bare list', () => {
  for (const { $id: id, type, oneOf } of schemas) assert.ok(type === 'object' || oneOf, id);
});
