// The network between the daemon and Postgres fails in every way that a gate of bytes can show.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { generator } from '../writers/plan.mjs';
import { full } from '../integration/scene.mjs';
import { faultKinds } from './fault.mjs';

// Inside the login, inside the answers to the first queries, and anywhere in the stream: early bytes are dense, because
// there every message is another step.
function cutPoints(seed, count) {
  const random = generator(seed);
  return Array.from({ length: count }, (_, index) => 1 + Math.floor(index % 2 ? random() * 900 : random() ** 3 * 60_000));
}

async function everyCutMade({ gate, daemon, load }, kind, points) {
  const made = gate.cutsMade;
  const wanted = made + points.length;
  gate.cut(kind, points);
  for (const link of gate.of(kind)) link.close(); // the present connection would outlive the list
  await daemon.until('all cuts', () => gate.cutsMade >= wanted, 20_000 + points.length * 2000);
  assert.equal(gate.cuts[kind].length, 0);
  return `${points.length} cuts after ${Math.min(...points)} to ${Math.max(...points)} bytes, ${load.written} statements meanwhile`;
}

const disconnects = (daemon) => daemon.metric('dupwatch_stream_disconnects_total');

for (const plugin of ['wal2json', 'pgoutput']) {
  describe(`network, ${plugin}`, () => {
    let cluster;
    before(async () => {
      cluster = await createCluster();
      await installSchema('4.1.1', cluster.uri());
    });
    after(() => cluster?.destroy());

    const { always, fault, fullFault } = faultKinds(plugin, 'pgoutput', () => cluster);

    always('stream cut at byte N', {
      inject: (scene) => everyCutMade(scene, 'replication', cutPoints(1, full ? 200 : 12)),
    });
    fullFault('SQL connection cut at byte N', {
      inject: (scene) => everyCutMade(scene, 'sql', cutPoints(2, full ? 100 : 6)),
    });
    fault('connection refused', {
      async inject({ gate, daemon }) {
        gate.refuse();
        await daemon.until('unreadiness', async () => (await daemon.fetch('/readyz')).status === 503);
        await sleep(full ? 10_000 : 500);
        await gate.accept();
        return 'nobody listens for a while';
      },
    });
    fullFault('black hole that opens again', {
      async inject({ gate, load }) {
        gate.blackhole();
        await load.more(20);
        gate.pass();
        return 'no byte either way while 20 runs are written';
      },
    });
    fullFault('slow link', {
      load: { pauseMs: 0 },
      async inject({ gate, load, daemon }) {
        const before = await disconnects(daemon);
        gate.throttle(20_000);
        await load.more(300);
        assert.equal(await disconnects(daemon), before, 'a slow link is no reason to disconnect');
        gate.pass();
        return '20 kB/s while 300 runs are written';
      },
    });
    fullFault('delayed server', {
      async inject({ gate, load }) {
        gate.delay(300);
        for (const link of gate.of('sql')) link.close(); // logging in under delay too
        await load.more(60);
        gate.pass();
        return '300 ms on every piece, both ways';
      },
    });
  });
}
