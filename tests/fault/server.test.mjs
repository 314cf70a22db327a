// The server, the daemon's process, the table and the disk fail; no event is lost and none invented.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster, freePort } from '../postgres/cluster.mjs';
import { lsn } from '../postgres/client.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { EVENTS, full } from '../integration/scene.mjs';
import { faultKinds, twoFindings } from './fault.mjs';

const confirmed = async (cluster) => {
  const [slot] = await cluster.query("SELECT confirmed_flush_lsn AS at FROM pg_replication_slots WHERE slot_name = 'dupwatch'");
  return slot && lsn(slot.at);
};

async function runPooler(t, cluster) {
  const port = await freePort();
  const ini = path.join(cluster.dir, `pgbouncer-${port}.ini`);
  fs.writeFileSync(ini, ['[databases]', `app = host=127.0.0.1 port=${cluster.port} dbname=app user=postgres`, '[pgbouncer]',
    'listen_addr = 127.0.0.1', `listen_port = ${port}`, 'auth_type = any', 'unix_socket_dir =', ''].join('\n'));
  fs.chmodSync(ini, 0o644);
  const pooler = spawn('/usr/sbin/pgbouncer', [ini], { ...cluster.owner, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  pooler.stderr.on('data', (data) => { said += data; });
  t.after(() => { pooler.kill('SIGINT'); });
  for (let tries = 0; tries < 100 && !/process up/.test(said); tries += 1) await sleep(50);
  return port;
}

for (const plugin of ['wal2json', 'pgoutput']) {
  describe(`server and process, ${plugin}`, () => {
    let cluster;
    before(async () => {
      cluster = await createCluster({ settings: { checkpoint_timeout: '1h', wal_sender_timeout: '1s' } });
      await installSchema('4.1.1', cluster.uri());
    });
    after(() => cluster?.destroy());

    const { fault, fullFault } = faultKinds(plugin, 'wal2json', () => cluster);

    fault('server killed, slot position back', {
      load: { reconnect: true },
      async inject({ daemon, gate, load }) {
        // The position is on the server's disk since the checkpoint; what is confirmed after it dies with the server.
        // The server also writes it with the first confirmation after a checkpoint, for the slot's oldest transaction has moved
        // on, and now and then by itself: this may take several.
        let [was, is] = [0, 0];
        for (let tries = 0; tries < 5 && is >= was; tries += 1) {
          await cluster.query('CHECKPOINT');
          await load.more(5);
          await daemon.caughtUp();
          await load.more(15);
          await daemon.caughtUp();
          was = await confirmed(cluster);
          await cluster.kill();
          gate.refuse();
          await cluster.start();
          is = await confirmed(cluster);
          await gate.accept();
        }
        assert.ok(is < was, `the slot's position did not move back (${was}, ${is})`);
        return `kill -9 of the postmaster; the slot went ${was - is} bytes back`;
      },
      // What comes a second time is judged on what is read back: of another postmaster's rows nothing is kept (decision 0025). That
      // it changes no finding is in the comparison that follows each fault.
    });
    fault('daemon stopped by SIGSTOP', {
      async inject({ daemon, load }) {
        daemon.child.kill('SIGSTOP');
        await load.more(full ? 1000 : 40);
        // wal_sender_timeout is 1 s: the server has given the walsender up meanwhile.
        await sleep(full ? 60_000 : 1500);
        daemon.child.kill('SIGCONT');
        return `SIGSTOP for ${full ? 60 : 1.5} s under load, wal_sender_timeout=1s`;
      },
    });
    const clock = path.join(os.tmpdir(), `dupwatch-clock-${process.pid}-${plugin}`);
    after(() => fs.rmSync(clock, { force: true }));
    fault('clock jumps', {
      config: { heartbeat: { interval: '1s', timeout: '5s' } },
      // The wall clock alone: no jump moves the monotonic one.
      env() {
        fs.writeFileSync(clock, '+0');
        return { LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
      },
      async inject({ daemon, load }) {
        const before = await daemon.metric('dupwatch_stream_disconnects_total');
        for (const offset of ['+3600', '-7200', '+0']) {
          fs.writeFileSync(clock, offset);
          const mark = daemon.lines.length;
          await load.more(15);
          await daemon.line('a line by the new clock', (line) => line.ts && Math.abs(Date.parse(line.ts) - Date.now() - Number(offset) * 1000) < 600_000, { from: mark });
          assert.equal((await daemon.fetch('/readyz')).status, 200);
        }
        assert.equal(await daemon.metric('dupwatch_stream_disconnects_total'), before, 'a clock is no reason to disconnect');
        return 'one hour ahead, two hours back and right again, by the wall clock';
      },
    });
    fault('sessions ended one by one', {
      config: { recheck: { interval: '1s' }, heartbeat: { interval: '1s' } },
      async inject({ cluster, daemon, load }) {
        const ended = { walsender: 0, 'client backend': 0 };
        for (let round = 0; round < (full ? 200 : 12); round += 1) {
          const kind = Object.keys(ended)[round % 2];
          await daemon.until('the stream', async () => (await daemon.status()).state === 'streaming');
          const [session] = await cluster.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'dupwatch' AND backend_type = $1 ORDER BY random() LIMIT 1`, [kind]);
          ended[kind] += session ? 1 : 0;
          await sleep(Math.random() * 500);
          await load.more(1);
        }
        assert.ok(ended.walsender > 3 && ended['client backend'] > 3, JSON.stringify(ended));
        return `pg_terminate_backend of ${ended.walsender} walsenders and ${ended['client backend']} other sessions`;
      },
    });
    fault('table locked during read-back', {
      load: { pauseMs: 50 },
      async inject({ daemon, load }) {
        await load.stop();
        // A daemon that has just begun knows no run, so every event asks for its run's rows.
        await daemon.kill();
        const locker = await cluster.client();
        await daemon.start({ ready: false });
        await daemon.until('the stream', async () => (await daemon.status().catch(() => ({}))).state === 'streaming');
        await locker.query('BEGIN');
        await locker.query(`LOCK TABLE ${EVENTS} IN ACCESS EXCLUSIVE MODE`);
        for (const type of ['step_created', 'step_created', 'step_completed', 'step_created']) {
          await locker.query(`INSERT INTO ${EVENTS} (run_id, type, correlation_id, id)
            SELECT run_id, $1, correlation_id, 'wevt_01L' || lpad((random() * 1e9)::bigint::text, 23, '0') FROM ${EVENTS} WHERE type = 'step_created' ORDER BY id DESC LIMIT 1`, [type]);
        }
        const before = await daemon.metric('dupwatch_stream_status_updates_total');
        await daemon.until('status updates while the table is locked',
          async () => await daemon.metric('dupwatch_stream_status_updates_total') > before + 5);
        assert.equal((await daemon.fetch('/healthz')).status, 200);
        await locker.query('COMMIT');
        await locker.end();
        return 'ACCESS EXCLUSIVE held while events arrive';
      },
    });
    fault('disk full for the findings', {
      config: { findings: { file: '/dev/full' } },
      load: { pauseMs: 20 },
      gaps: ['unknown_past'], // beside that file nothing can be remembered
      async inject({ daemon }) {
        await daemon.line('a complaint', (line) => line.reason === 'findings_file' && /No space/.test(line.error ?? ''));
        const was = await confirmed(cluster);
        await twoFindings(cluster, 900);
        await sleep(1500);
        assert.equal(await confirmed(cluster), was, 'a position was confirmed whose findings are not written');
        // The operator makes room: here, another file.
        await daemon.kill();
        daemon.configure({ ...daemon.config, findings: { ...daemon.config.findings, file: daemon.findingsFile } });
        await daemon.start({ ready: false });
        return '/dev/full (ENOSPC on every write), then a new file and a restart';
      },
    });
    fault('half-open stream', {
      config: { heartbeat: { interval: '1s', timeout: '1s' } },
      async inject({ daemon, gate, load }) {
        const before = await daemon.metric('dupwatch_stream_disconnects_total');
        assert.equal(gate.halfOpen('replication'), 1);
        await load.more(5);
        await daemon.until('a new stream', async () => await daemon.metric('dupwatch_stream_disconnects_total') > before, 90_000);
        return 'the server has lost the stream and the daemon was not told; the heartbeat notices';
      },
    });
    fullFault('stream in a black hole', {
      config: { heartbeat: { interval: '1s', timeout: '1s' } },
      async inject({ daemon, gate, load }) {
        const before = await daemon.metric('dupwatch_stream_disconnects_total');
        gate.blackhole('replication');
        await load.more(5);
        await daemon.until('a new stream', async () => await daemon.metric('dupwatch_stream_disconnects_total') > before, 90_000);
        gate.pass();
        return 'no byte of the stream passes while SQL works; the heartbeat notices';
      },
    });
    fullFault('server killed ten times', {
      load: { reconnect: true },
      async inject({ load }) {
        for (let round = 0; round < 10; round += 1) {
          await sleep(Math.random() * 2000);
          await cluster.kill();
          await cluster.start();
          await load.more(2);
        }
        return 'kill -9 of the postmaster at ten random moments';
      },
    });
    fullFault('connection limit reached', {
      async inject({ daemon, gate, load }) {
        await load.stop();
        const hogs = [];
        await cluster.query('CREATE ROLE crowd LOGIN');
        for (let all = false; !all;) {
          await cluster.client({ user: 'crowd' }).then((client) => hogs.push(client), () => { all = true; });
        }
        for (const link of gate.of()) link.close();
        await twoFindings(cluster, 901);
        await daemon.until('a reconnect', async () => (await daemon.status()).state === 'streaming' || daemon.lines.some((line) => line.sqlstate === '53300'));
        await Promise.all(hogs.map((client) => client.end()));
        await cluster.query('DROP ROLE crowd');
        return `${hogs.length} foreign sessions hold every connection`;
      },
    });
    fullFault('pooler in between', {
      async inject({ daemon, gate, pooler }) {
        gate.targetPort = pooler;
        for (const link of gate.of()) link.close();
        await daemon.line('the remedy', (line) => line.reason === 'pooler' && /direct/.test(line.remedy));
        assert.equal((await daemon.fetch('/readyz')).status, 503);
        gate.targetPort = cluster.port;
        return 'pgbouncer behind the same address, with the remedy in the log, then the server again';
      },
      before: async (scene, t) => { scene.pooler = await runPooler(t, cluster); },
    });
  });
}
