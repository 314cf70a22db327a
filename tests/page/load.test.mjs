// Many readers at once: the bounds of /api/events, a reader that does not read, scrapes while Postgres is away.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { test } from 'node:test';
import { clientFor, connectTo } from '../integration/request.mjs';
import { daemonFor, EVENTS, full, insertEvents, serverWithSchema } from '../integration/scene.mjs';

/** A client of /api/events; `text` grows. */
function listen(base, headers = {}) {
  const client = { status: 0, text: '' };
  client.opened = new Promise((resolve, reject) => {
    client.request = clientFor(base).get(`${base}/api/events`, { headers, agent: false }, (response) => {
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

/** A program: reads /api/events of the address it is given, says when it has begun, and ends when it is sent away. */
const SLOW_READER = `
  import { connectTo } from '${new URL('../integration/request.mjs', import.meta.url)}';
  const socket = connectTo(process.argv[1], () => socket.write('GET /api/events HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'));
  socket.once('data', () => console.log('reads')).resume();
  socket.on('error', () => {}).on('close', () => process.exit());
`;

const pair = (run) => [{ run, type: 'run_created' }, { run, type: 'run_created' }];

test('300 readers of the events: 256 are served, the others are told, and a request still gets its answer', { skip: !full && 'a long proof' }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const clients = Array.from({ length: 300 }, () => listen(daemon.httpBase));
  t.after(() => clients.forEach((client) => client.close()));
  await Promise.all(clients.map((client) => client.opened));
  const served = clients.filter((client) => client.status === 200);
  assert.equal(served.length, 256);
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
  // A process that stands still reads nothing; the daemon's findings must fill what both kernels buffer.
  const slow = spawn(process.execPath, ['--input-type=module', '-e', SLOW_READER, daemon.httpBase], { stdio: ['ignore', 'pipe', 'inherit'] });
  let closed = false;
  slow.on('close', () => { closed = true; });
  t.after(() => slow.kill('SIGKILL'));
  await once(slow.stdout, 'data');
  slow.kill('SIGSTOP');
  const quick = await listen(daemon.httpBase).opened;
  t.after(() => quick.close());
  const connections = () => daemon.metric('dupwatch_http_connections');
  await daemon.until('both readers', async () => (await connections()) >= 2);
  let rounds = 0;
  await daemon.until('the end of the slow reader', async () => {
    rounds += 1;
    await insertEvents(cluster, Array.from({ length: 300 }, (_, at) => pair(`wrun_${rounds}_${at}_${'x'.repeat(500)}`)).flat());
    await daemon.until('the round at the quick reader', () => quick.text.includes(`"run_id":"wrun_${rounds}_299_`));
    return (await connections()) === 1; // Counted between requests.
  }, 60_000);
  t.diagnostic(`sent away after ${rounds * 300} findings`);
  assert.equal((await daemon.fetch('/healthz')).status, 200);
  slow.kill('SIGCONT');
  await daemon.until('the end of the slow process', () => closed);
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

/** One scrape over a connection of its own; resolves how many ms it took, from the connect to the last byte. */
function scrape(base) {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const parts = [];
    const socket = connectTo(base, () => socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'));
    socket.on('data', (part) => parts.push(part)).on('error', reject).on('end', () => {
      const took = performance.now() - began;
      const text = Buffer.concat(parts).toString();
      assert.match(text, /^HTTP\/1.1 200 /);
      assert.match(text, /^dupwatch_ready [01]$/m);
      resolve(took);
    });
  });
}

/** What keeps the database from answering: begin() resolves what ends it again. */
const TROUBLES = {
  'all of Postgres stopped by SIGSTOP': async (cluster) => {
    const { pid } = cluster.child;
    process.kill(pid, 'SIGSTOP');
    // From now on it neither makes children nor reaps them.
    const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    for (const child of children) process.kill(child, 'SIGSTOP');
    return () => [...children, pid].forEach((each) => process.kill(each, 'SIGCONT'));
  },
  'the table locked and a read-back waiting for it': async (cluster, daemon) => {
    const locker = await cluster.client();
    // Committed before the lock and read from the stream behind it: the run is not in memory, so its rows are asked for.
    daemon.child.kill('SIGSTOP');
    await insertEvents(cluster, [{ run: 'wrun_cold', type: 'step_created', correlation: 'step_1' }]);
    await locker.query(`BEGIN; LOCK TABLE ${EVENTS} IN ACCESS EXCLUSIVE MODE`);
    daemon.child.kill('SIGCONT');
    await daemon.until('a read-back that waits', () => daemon.metric('dupwatch_read_back_pending_runs'));
    return async () => {
      await locker.query('COMMIT');
      await locker.end();
    };
  },
};

for (const [trouble, begin] of Object.entries(TROUBLES)) {
  test(`a hundred scrapes at once with ${trouble}`, { skip: !full && 'a long proof' }, async (t) => {
    const cluster = await serverWithSchema(t);
    const daemon = await daemonFor(t, cluster, { recheck: { interval: '1s' } });
    await daemon.start();
    await insertEvents(cluster, [...pair('wrun_one'), ...pair('wrun_two')]);
    await daemon.caughtUp();
    const hundred = () => Promise.all(Array.from({ length: 100 }, () => scrape(daemon.httpBase)));
    const end = await begin(cluster, daemon);
    const rounds = [];
    try {
      // The first one also warms this process up.
      for (let round = 0; round < 6; round += 1) rounds.push(await hundred());
    } finally {
      await end();
    }
    const times = rounds.slice(1).flat().sort((a, b) => a - b);
    t.diagnostic(`5 times 100 parallel scrapes: median ${times[250].toFixed(0)} ms, the slowest ${times.at(-1).toFixed(0)} ms`);
    // The aim is 100 ms, on a quiet machine; beside other tests the processor is not this test's own.
    assert.ok(times.at(-1) < Number(process.env.DUPWATCH_SCRAPE_MS ?? 2000), `${times.at(-1)} ms`);
    await daemon.ready();
    await daemon.caughtUp();
  });
}
