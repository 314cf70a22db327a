// Findings on their way to a receiver: signed, repeated until taken, never in the stream's way.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { daemonFor, eventId, insertEvents, assertTruth, serverWithSchema } from './scene.mjs';

const SECRET = 'no secret at all';
const TOKEN = 'token-in-the-url-8f2c';

/** A receiver that answers with what `answer(request number)` says and keeps what it was sent. */
async function receiver(t, answer = () => 204) {
  const requests = [];
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const status = answer(requests.length);
    requests.push({ method: request.method, url: request.url, headers: request.headers, body, status });
    if (status === 'silence') return;
    response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end('not read');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => { server.closeAllConnections(); server.close(); });
  const findings = (status = 204) => requests.filter((request) => request.status === status).flatMap(({ body }) => JSON.parse(body).findings);
  return { requests, findings, url: `http://127.0.0.1:${server.address().port}/hook/${TOKEN}` };
}

/** A created event after its step's end: fatal. */
const fatal = (run) => [['step_created', 1], ['step_completed', 2], ['step_created', 3]].map(([type, order]) => ({ run, type, correlation: 'step_1', id: eventId(order) }));
const harmless = (run) => [1, 2].map((order) => ({ run, type: 'step_created', correlation: 'step_1', id: eventId(order) }));
const outcomes = async (daemon) => (await daemon.status()).webhook;

function assertSigned({ headers, body }) {
  const [, time, hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-dupwatch-signature']);
  assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 300, time);
  assert.equal(hex, createHmac('sha256', SECRET).update(`${time}.${body}`).digest('hex'));
}

test('what is fatal is sent once it is told, with a signature, and nothing else is', async (t) => {
  const hook = await receiver(t);
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { webhook: { url: hook.url, secret: SECRET }, http: { external_url: 'https://dw.example.org/sub/' } });
  await daemon.start();
  await insertEvents(cluster, [...harmless('wrun_a'), ...fatal('wrun_b')]);
  await insertEvents(cluster, fatal('wrun_"<c>\u202e'));
  await assertTruth(daemon, { atLeast: 3 });
  await daemon.until('both fatal ones', () => hook.findings().length === 2);
  assert.deepEqual(hook.findings().map(({ run_id: run, severity, change }) => [run, severity, change]), [['wrun_b', 'fatal', 'new'], ['wrun_"<c>\u202e', 'fatal', 'new']]);
  for (const finding of hook.findings()) assert.equal(finding.page, `https://dw.example.org/sub/#finding=${finding.finding_id}`);
  for (const request of hook.requests) {
    assert.equal(request.method, 'POST');
    assert.equal(request.headers['content-type'], 'application/json');
    assert.equal(JSON.parse(request.body).slot, daemon.config.slot.name);
    assert.equal(request.headers['x-dupwatch-delivery'], JSON.parse(request.body).delivery);
    assertSigned(request);
  }
  await daemon.until('the count', async () => (await outcomes(daemon)).delivered === 2);
  assert.equal((await daemon.stop()).code, 0);
  const told = daemon.lines.map((line) => JSON.stringify(line)).join('\n');
  assert.ok(!told.includes(TOKEN) && !told.includes(SECRET), 'a secret is in the log');
});

test('a receiver that fails is asked again, one that refuses is not, and the slot waits for neither', async (t) => {
  const script = [500, 'silence', 302, 429];
  const hook = await receiver(t, (n) => script[n] ?? 204);
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { webhook: { url: hook.url, timeout: '1s' } });
  await daemon.start();
  await insertEvents(cluster, fatal('wrun_a'));
  // Judged and confirmed while nothing was taken yet.
  await assertTruth(daemon);
  await daemon.line('the complaint', ({ reason, error }) => reason === 'webhook' && error === 'status 500');
  await daemon.until('the refusal', async () => (await outcomes(daemon)).refused === 1);
  const attempts = hook.requests.slice(0, 3);
  assert.deepEqual(attempts.map(({ status }) => status), [500, 'silence', 302]);
  assert.equal(new Set(attempts.map(({ body }) => body)).size, 1, 'the same request each time');
  assert.equal(attempts[0].headers['x-dupwatch-signature'], undefined, 'no secret, no signature');
  await insertEvents(cluster, fatal('wrun_b'));
  await daemon.until('the next finding', () => hook.findings().some(({ run_id: run }) => run === 'wrun_b'));
  assert.deepEqual(hook.requests.slice(3).map(({ status }) => status), [429, 204]);
  assert.ok(!hook.findings().some(({ run_id: run }) => run === 'wrun_a'), 'what was refused is not sent again');
  await daemon.line('the recovery', ({ msg }) => msg === 'the webhook takes findings again');
  assert.equal(await daemon.metric('dupwatch_webhook_enabled'), 1);
});

test('a dead receiver holds neither the end nor what is found, and what it missed is told', async (t) => {
  const hook = await receiver(t, () => 'silence');
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { webhook: { url: hook.url, severities: ['harmless'], timeout: '1m' } });
  await daemon.start();
  for (let i = 0; i < 3; i += 1) await insertEvents(cluster, [...harmless(`wrun_${i}`), ...fatal(`wrun_f${i}`)]);
  await assertTruth(daemon, { atLeast: 6 });
  await daemon.until('what waits', async () => (await outcomes(daemon)).waiting === 3);
  assert.equal((await daemon.stop()).code, 0);
  await daemon.line('what was given up', ({ reason, findings }) => reason === 'webhook' && findings === '3');
});
