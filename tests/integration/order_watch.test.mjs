// How long ids stay invisible behind greater ones, over a whole table: what the daemon says from the stream is what SQL says
// from the commit times of the rows.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { daemonFor, serverWithSchema } from './scene.mjs';

const TABLE = 'CREATE TABLE log (id bigserial PRIMARY KEY, run text NOT NULL, kind text NOT NULL); ALTER SEQUENCE log_id_seq RESTART 90; CREATE INDEX ON log (run)';

const PROFILE = { name: 'public.log', run_column: 'run', id_column: 'id', type_column: 'kind', order_watch: true, rules: { once: { unique: ['kind'], types: ['opened'] } } };

// Each row against the first greater id that committed before it.
const TRUTH = `
  SELECT count(*)::int AS rows, count(passed)::int AS behind, coalesce(max(extract(epoch FROM at - passed)), 0)::float AS longest,
         (sum(coalesce(extract(epoch FROM at - passed), 0)))::float AS sum
  FROM (SELECT d.id, d.at, (SELECT min(o.at) FROM stamped o WHERE o.id > d.id AND o.at < d.at) AS passed FROM stamped d) judged`;

async function truth(cluster) {
  const client = await cluster.client();
  try {
    await client.query('CREATE TEMP TABLE stamped AS SELECT id, pg_xact_commit_timestamp(xmin) AS at FROM log');
    return (await client.query(TRUTH)).rows[0];
  } finally {
    await client.end();
  }
}

const near = (got, want, part, what) => assert.ok(Math.abs(got - want) <= Math.max(0.002, part * want), `${what}: ${got}, wanted ${want}`);

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`the order of a table's commits, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null, settings: { track_commit_timestamp: 'on' } });
    await cluster.query(TABLE);
    const daemon = await daemonFor(t, cluster, { profile: 'generic', slot: { plugin }, table: PROFILE });
    await daemon.start();
    const open = await cluster.client();
    await open.query('BEGIN');
    await open.query(`INSERT INTO log (run, kind) VALUES ('a', 'note'), ('a', 'other')`);
    await cluster.query(`INSERT INTO log (run, kind) VALUES ('b', 'note')`);
    await sleep(300);
    await open.query('COMMIT');
    await open.end();
    await daemon.caughtUp();
    // The rows of no rule's type count as well.
    const first = (await daemon.status()).order_watch;
    assert.deepEqual([first.enabled, first.rows, first.behind], [true, 3, 2]);
    near(first.needed_seconds['1'], 0.31, 0.2, 'the longest');
    assert.equal(first.needed_seconds['0.5'], first.needed_seconds['0.99']);

    // Ids pass from two digits to three among writers that hold them for a while.
    await Promise.all(Array.from({ length: 8 }, async (_, writer) => {
      const client = await cluster.client();
      for (let i = 0; i < 60; i += 1) {
        await client.query('BEGIN');
        await client.query(`INSERT INTO log (run, kind) SELECT 'r${writer}', 'note' FROM generate_series(1, ${1 + (i % 3)})`);
        await sleep((i * 7 + writer * 5) % 23);
        await client.query(i % 11 === 0 ? 'ROLLBACK' : 'COMMIT');
      }
      await client.end();
    }));
    await daemon.caughtUp();
    const want = await truth(cluster);
    const got = (await daemon.status()).order_watch;
    assert.equal(got.rows, want.rows);
    assert.ok(want.behind > 300, `${want.behind}`);
    // Commits within a microsecond or two may be the other way round in the WAL.
    near(got.behind, want.behind, 0.01, 'rows behind');
    near(got.needed_seconds['1'], want.longest, 0.01, 'the longest');
    near(await daemon.metric('dupwatch_order_delay_seconds_sum'), want.sum, 0.02, 'the sum');
    assert.equal(await daemon.metric('dupwatch_order_delay_seconds_count'), want.rows);
    assert.equal(await daemon.metric('dupwatch_order_rows_behind_total'), got.behind);
    // What the stream repeats after a reconnect is not counted again.
    await cluster.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots');
    await daemon.until('the stream again', () => daemon.tail(100).split('event=streaming').length > 2);
    await daemon.caughtUp();
    assert.equal((await daemon.status()).order_watch.behind, got.behind);
  });
}

test('nothing is said where it was not asked for', async (t) => {
  const cluster = await serverWithSchema(t, { world: null });
  await cluster.query(TABLE);
  const daemon = await daemonFor(t, cluster, { profile: 'generic', slot: { plugin: 'wal2json' }, table: { ...PROFILE, order_watch: false } });
  await daemon.start();
  assert.equal((await daemon.status()).order_watch.enabled, false);
  assert.equal(await daemon.metric('dupwatch_order_rows_behind_total'), undefined);
});
