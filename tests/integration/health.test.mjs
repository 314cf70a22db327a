// dupwatch health: what a container's health check sees of a daemon, by its exit code.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { freePort } from '../postgres/cluster.mjs';
import { runCommand } from './daemon.mjs';
import { daemonFor, serverWithSchema } from './scene.mjs';

test('alive and ready while it watches; alive alone without a server; neither without a daemon', async (t) => {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { http: { listen: `:${await freePort()}` } });
  await daemon.start();
  // A proxy of the environment is not for this.
  const ask = (...args) => runCommand(['health', '--config', daemon.configFile, ...args], { env: { http_proxy: 'http://127.0.0.1:1' } });
  for (const args of [[], ['--ready'], ['--ready', '--url', `${daemon.httpBase.replace('0.0.0.0', '127.0.0.1')}/`]]) {
    const { code, stdout, stderr } = await ask(...args);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /\w/);
  }
  const base = daemon.httpBase.replace('0.0.0.0', '127.0.0.1');
  const json = async (...args) => {
    const { code, stdout } = await ask('--json', ...args);
    return { code, ...JSON.parse(stdout) };
  };
  assert.deepEqual(await json('--ready'), { code: 0, healthy: true, asked: `${base}/readyz`, status: 200, said: 'ready' });
  await cluster.stop('immediate');
  await daemon.until('unreadiness', async () => (await daemon.fetch('/readyz')).status === 503);
  assert.equal((await ask()).code, 0);
  const { code, stderr } = await ask('--ready');
  assert.equal(code, 1);
  assert.match(stderr, /readyz: status 503: .*not streaming/);
  const blind = await json('--ready');
  assert.deepEqual([blind.code, blind.healthy, blind.status], [1, false, 503]);
  assert.match(blind.said, /not streaming/);
  await daemon.stop();
  const gone = await ask();
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /healthz: .*(refused|connect)/i);
  const none = await json();
  assert.deepEqual([none.code, none.healthy, none.asked, none.status], [1, false, `${base}/healthz`, null]);
});

test('who takes the connection and says nothing is not healthy', { timeout: 20_000 }, async (t) => {
  const silent = net.createServer(() => {});
  await new Promise((resolve) => { silent.listen(0, '127.0.0.1', resolve); });
  t.after(() => silent.close());
  const { code, stderr } = await runCommand(['health', '--url', `http://127.0.0.1:${silent.address().port}`]);
  assert.equal(code, 1);
  assert.match(stderr, /timed out/i);
});

test('without an address to ask the configuration is at fault', async (t) => {
  const cluster = await serverWithSchema(t, { world: null });
  for (const listen of ['', '127.0.0.1:0']) {
    const daemon = await daemonFor(t, cluster, { http: { listen } });
    const { code, stderr } = await runCommand(['health', '--config', daemon.configFile]);
    assert.equal(code, 2);
    assert.match(stderr, /http\.listen is .*--url/);
  }
});
