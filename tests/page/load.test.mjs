// Many readers at once: the bounds of /api/events, a reader that does not read, scrapes while Postgres is away.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { daemonFor, full, insertEvents, serverWithSchema } from '../integration/scene.mjs';

/** A client of /api/events; `text` grows. */
function listen(base, headers = {}) {
  const client = { status: 0, text: '' };
  client.opened = new Promise((resolve, reject) => {
    client.request = http.get(`${base}/api/events`, { headers, agent: false }, (response) => {
      client.status = response.statusCode;
      response.setEncoding('utf8').on('data', (data) => { client.text += data; });
      client.ended = new Promise((end) => response.once('close', end));
      response.on('error', () => {});
      resolve(client);
    });
    client.request.on('error', reject);
  });
  client.close = () => client.request.destroy();
  return client;
}

const pair = (run) => [{ run, type: 'run_created' }, { run, type: 'run_created' }];

test('a hundred readers of the events: 64 are served, the others are told, and a request still gets its answer', { skip: !full && 'a long proof' }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const clients = Array.from({ length: 100 }, () => listen(daemon.httpBase));
  t.after(() => clients.forEach((client) => client.close()));
  await Promise.all(clients.map((client) => client.opened));
  const served = clients.filter((client) => client.status === 200);
  assert.equal(served.length, 64);
  assert.ok(clients.every((client) => client.status === 200 || client.status === 503));
  await daemon.until('a first event', () => served.every((client) => client.text.includes('event: list')));

  await insertEvents(cluster, pair('wrun_many'));
  await daemon.until('the finding at every reader', () => served.every((client) => client.text.includes('"run_id":"wrun_many"')));
  assert.equal((await daemon.fetch('/healthz')).status, 200);
  const [last] = served[0].text.match(/^id: .*$/gm).slice(-1);

  // Who comes back goes on where it was, and a place that is free again is given away.
  served[0].close();
  await insertEvents(cluster, pair('wrun_missed'));
  await daemon.caughtUp();
  const again = await daemon.until('a free place', async () => {
    const client = await listen(daemon.httpBase, { 'Last-Event-ID': last.slice(4) }).opened;
    if (client.status === 200) return client;
    client.close();
    return undefined;
  });
  t.after(() => again.close());
  await daemon.until('what it missed', () => again.text.includes('"run_id":"wrun_missed"'));
  assert.doesNotMatch(again.text, /event: list|"run_id":"wrun_many"/);
  const elsewhere = served[1];
  elsewhere.close();
  const stranger = await daemon.until('a free place', async () => {
    const client = await listen(daemon.httpBase, { 'Last-Event-ID': 'abc-1' }).opened;
    if (client.status === 200) return client;
    client.close();
    return undefined;
  });
  t.after(() => stranger.close());
  await daemon.until('the list anew', () => stranger.text.includes('event: list'));
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null }, 'readers do not hold up the end');
});

test('a reader that does not read is dropped and delays nobody', { skip: !full && 'a long proof' }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const { hostname, port } = new URL(daemon.httpBase);
  // Nothing is read from this socket; the daemon's findings must fill what both kernels buffer.
  const slow = net.connect({ host: hostname, port: Number(port) });
  slow.pause();
  let closed = false;
  slow.on('close', () => { closed = true; }).on('error', () => {});
  t.after(() => slow.destroy());
  slow.write('GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n');
  const quick = await listen(daemon.httpBase).opened;
  t.after(() => quick.close());
  const long = 'x'.repeat(20_000);
  for (let round = 0; round < 12; ++round) {
    const events = Array.from({ length: 100 }, (_, at) => pair(`wrun_${round}_${at}_${long}`)).flat();
    await insertEvents(cluster, events);
  }
  await daemon.caughtUp();
  await daemon.until('the last finding at the quick reader', () => quick.text.includes('"run_id":"wrun_11_99_'));
  assert.equal((await daemon.fetch('/healthz')).status, 200);
  slow.resume();
  await daemon.until('the end of the slow reader', () => closed);
});

test('a hundred scrapes at once while Postgres is away', { skip: !full && 'a long proof' }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const { rows } = await (async () => {
    const client = await cluster.client();
    try {
      return await client.query("SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name LIKE 'dupwatch%'");
    } finally {
      await client.end();
    }
  })();
  assert.ok(rows[0].count >= 1 && rows[0].count <= 3, `${rows[0].count} connections`);
  await cluster.stop('immediate');
  await daemon.until('unreadiness', async () => (await daemon.fetch('/readyz')).status === 503);
  const began = performance.now();
  const answers = await Promise.all(Array.from({ length: 100 }, async () => {
    const answer = await fetch(`${daemon.httpBase}/metrics`);
    return { status: answer.status, text: await answer.text() };
  }));
  t.diagnostic(`100 parallel scrapes: ${(performance.now() - began).toFixed(0)} ms in all`);
  assert.ok(answers.every(({ status, text }) => status === 200 && text.includes('dupwatch_stream_state{state="backing_off"}')));
  assert.equal((await daemon.fetch('/startupz')).status, 200, 'it had started');
});
