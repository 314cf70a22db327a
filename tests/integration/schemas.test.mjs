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

test('what the program prints is valid by the schema of it, and a field more or less is not', { timeout: 120_000 }, async (t) => {
  const held = new Set();
  const valid = (name, document) => {
    held.add(`${name}.schema.json`);
    const validate = ajv.getSchema(`${name}.schema.json`);
    assert.ok(validate(document), `${name}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(document)}`);
    assert.ok(!validate({ ...document, more: 1 }), `${name} takes a field more`);
    for (const field of Object.keys(document)) {
      const { [field]: _, ...less } = document;
      assert.ok(!validate(less), `${name} does without ${field}`);
    }
  };
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { http: { listen: `127.0.0.1:${await freePort()}` } });
  const json = async (command, ...args) => JSON.parse((await runCommand([...command, '--config', daemon.configFile, ...args])).stdout);
  valid('check', await json(['check'], '--json'));
  await daemon.start();
  const types = ['run_created', 'run_started', 'step_created', 'step_started', 'step_completed', 'step_created'];
  await insertEvents(cluster, types.map((type, order) => ({ run: RUN, type, correlation: type.startsWith('step') ? STEP : null, id: eventId(order) })));
  await insertEvents(cluster, [{ run: 'wrun_mild', type: 'run_created', id: eventId(1) }, { run: 'wrun_mild', type: 'run_created', id: eventId(2) }]);
  await daemon.until('both findings', async () => (await daemon.json('/api/findings')).findings.length >= 2);
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
  assert.deepEqual([...held].sort(), schemas.map(({ $id: id }) => id).sort());
});
