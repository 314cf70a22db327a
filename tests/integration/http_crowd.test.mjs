// Clients that hold connections without using them, however many: the probes and /metrics are answered to all others meanwhile.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, basic, connectTo } from './request.mjs';
import { daemonFor, serverWithSchema } from './scene.mjs';

/**
 * Keeps `count` connections, each begun again `again` ms after it ends; `begin(socket)` sends what it has to say. Who has nothing
 * to say does not even begin to speak TLS.
 */
function crowd(t, base, count, begin, again = 20) {
  const { hostname, port } = new URL(base);
  const sockets = new Set();
  let over = false;
  const connect = () => {
    const socket = begin ? connectTo(base, () => begin(socket)) : net.connect({ host: hostname, port: Number(port) });
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      if (!over) setTimeout(connect, again);
    });
    socket.resume();
  };
  for (let i = 0; i < count; i++) connect();
  const end = () => {
    over = true;
    for (const socket of sockets) socket.destroy();
  };
  t.after(end);
  return { end, open: () => sockets.size };
}

/** Probes and scrapes for some seconds; resolves the times of the right answers, in ms, and how many were wrong. */
async function probe(base, { authorization, rounds = 60 } = {}) {
  const times = [];
  let wrong = 0;
  for (let i = 0; i < rounds; i++) {
    const began = performance.now();
    const { status } = await ask(base, ['/healthz', '/readyz', '/metrics'][i % 3], { authorization });
    if (status === 200) times.push(performance.now() - began);
    else wrong += 1;
    await sleep(30);
  }
  return { times: times.sort((a, b) => a - b), wrong };
}

function judge(t, what, { times, wrong }) {
  const median = times[Math.floor(times.length / 2)];
  const most = times.at(-1);
  t.diagnostic(`${what}: median ${median?.toFixed(1)} ms, at most ${most?.toFixed(1)} ms, ${wrong} not answered`);
  assert.equal(wrong, 0, what);
  // The clients of this test share the processor with the daemon, so the slowest alone says little.
  assert.ok(median < 100, `${what}: ${median} ms`);
}

const HALF = 'GET / HTTP/1.1\r\nHost: localhost\r\nX-a: ';
const EVENTS = 'GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n';

test('half-sent requests, idle connections and readers of events keep nobody waiting', { timeout: 180_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const base = daemon.httpBase;
  const rss = async () => (await daemon.metric('process_resident_memory_bytes')) / 2 ** 20;
  const threads = () => fs.readdirSync(`/proc/${daemon.child.pid}/task`).length;
  const [memory, count] = [await rss(), threads()];
  judge(t, 'nobody else', await probe(base));

  const half = crowd(t, base, 300, (socket) => {
    socket.write(HALF);
    const timer = setInterval(() => socket.write('a'), 1000);
    socket.once('close', () => clearInterval(timer));
  });
  await sleep(500);
  judge(t, '300 half-sent requests', await probe(base));
  half.end();

  const readers = crowd(t, base, 200, (socket) => socket.write(EVENTS));
  await daemon.until('the readers', async () => (await daemon.metric('dupwatch_http_connections')) > 200);
  judge(t, '200 readers of events', await probe(base));

  const idle = crowd(t, base, 10_000, undefined, 5000);
  await daemon.until('the bound', async () => (await daemon.metric('dupwatch_http_evicted_total')) > 1000);
  judge(t, '10,000 idle connections and 200 readers', await probe(base));
  assert.ok((await daemon.metric('dupwatch_http_connections')) >= 200, 'the readers are still there');
  assert.ok((await daemon.metric('dupwatch_http_connections')) <= 768);
  idle.end();
  readers.end();
  assert.equal(threads(), count, 'no client has a thread');
  assert.ok((await rss()) < memory + 64, `${await rss()} MiB, ${memory} before`);
});

test('strangers that guess passwords cost others no time', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  const web = `${daemon.dir}/web.yml`;
  // Of "right", with a cost of 14: most of a second, so that whoever waits for all the others gives up.
  const hash = execFileSync('python3', ['-W', 'ignore', '-c', 'import crypt; print(crypt.crypt("right", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16384)))'], { encoding: 'utf8' }).trim();
  fs.writeFileSync(web, JSON.stringify({ basic_auth_users: { prom: hash } }));
  daemon.configure({ ...daemon.config, http: { ...daemon.config.http, web_config_file: web } });
  await daemon.start();
  const base = daemon.httpBase;
  const right = basic('prom', 'right');
  assert.equal((await ask(base, '/metrics', { authorization: right })).status, 200);
  let over = false;
  const statuses = new Set();
  const guessers = Array.from({ length: 20 }, async (_, who) => {
    for (let i = 0; !over; i++) statuses.add((await ask(base, '/metrics', { authorization: basic('prom', `wrong ${who} ${i}`) })).status);
  });
  await sleep(300);
  judge(t, '20 guessers', await probe(base, { authorization: right }));
  over = true;
  await Promise.all(guessers);
  for (const status of statuses) assert.ok([401, 503].includes(status), `${status}`);
});

test('a process that may open few files neither spins nor refuses the probes for good', { timeout: 120_000 }, async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster);
  await daemon.start();
  const base = daemon.httpBase;
  const { pid } = daemon.child;
  const open = (await daemon.metric('process_open_fds')) + 20;
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${open}:${open}`]);
  const idle = crowd(t, base, 200);
  await daemon.line('the complaint', ({ reason }) => reason === 'http_descriptors');
  const cpu = () => Number(fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 15).reduce((a, b) => Number(a) + Number(b)));
  const before = cpu();
  const { wrong } = await probe(base, { rounds: 20 });
  const seconds = (cpu() - before) / 100;
  assert.equal(wrong, 0);
  assert.ok(seconds < 1.5, `${seconds} s of the processor`);
  idle.end();
});
