// dupwatch audit reads a whole table by its pages, and then only the runs that may have a finding. Both ways must tell the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { insertShapes } from './audit_shapes.mjs';
import { audit, lines, truth } from './audit_truth.mjs';
import { daemonFor, EVENTS, full, insertEvents, runSetup, serverWithSchema } from './scene.mjs';

// Without scans by ctid the server could not find a page: everything is read in order of runs.
const IN_ORDER = { dsn: { options: '-c enable_tidscan=off' } };

/**
 * A table of `healthy` runs of four rows and among them `copies` of every shape of audit_shapes.mjs, its rows on the disk in `order`:
 * SQL over run (a number that sorts as the run) and id. `large`: each row fills a page.
 */
async function fill(cluster, { healthy, copies, order, large = false }) {
  await insertShapes(cluster);
  const [{ shapes }] = await cluster.query(`SELECT count(DISTINCT run_id)::int AS shapes FROM ${EVENTS}`);
  const distance = Math.max(1, Math.floor(healthy / (shapes * copies)));
  await cluster.query(`
    CREATE TEMPORARY TABLE all_rows AS
      SELECT n * 2 AS run, 'wevt_01KAAAAAAA' || lpad((n * 4 + k)::text, 16, '0') AS id, type,
             CASE WHEN k > 1 THEN 'step_01KAAAAAAA' || lpad(n::text, 16, '0') END AS correlation_id
        FROM generate_series(1, ${healthy}) n, (VALUES (1, 'run_created'), (2, 'step_created'), (3, 'step_started'), (4, 'step_completed')) healthy(k, type)
      UNION ALL
      SELECT (c * ${shapes} + shape) * ${distance} * 2 + 1, id, type, correlation_id
        FROM generate_series(0, ${copies} - 1) c, (SELECT dense_rank() OVER (ORDER BY run_id) AS shape, id, type, correlation_id FROM ${EVENTS}) shapes;
    TRUNCATE ${EVENTS};
    ALTER TABLE ${EVENTS} SET (autovacuum_enabled = off);
    ALTER TABLE ${EVENTS} ALTER payload_cbor SET STORAGE PLAIN;
    INSERT INTO ${EVENTS} (run_id, id, type, correlation_id, payload_cbor)
      SELECT 'wrun_01KAAAAAAA' || lpad(run::text, 16, '0'), id, type, correlation_id, repeat('x', ${large ? 7000 : 1})::bytea FROM all_rows ORDER BY ${order};
    ANALYZE ${EVENTS}`);
}

/**
 * The output without the moments of its findings, those of a run sorted: they come in the order of the run's rows, and rows of one run
 * come as the server's sort leaves them.
 */
function told({ stdout }) {
  const runs = [];
  for (const text of stdout.replaceAll(/"flagged_at":"[^"]+"/g, '').split('\n')) {
    const run = /"run_id":"[^"]*"/.exec(text)?.[0];
    if (!runs.length || runs.at(-1).run !== run) runs.push({ run, texts: [] });
    runs.at(-1).texts.push(text);
  }
  return runs.flatMap(({ texts }) => texts.sort());
}

/** deepEqual would print both in full. */
function assertSame(one, other) {
  const [a, b] = [told(one), told(other)];
  const at = a.findIndex((text, i) => text !== b[i]);
  assert.deepEqual([a.length, a[at]], [b.length, b[at]], `line ${at}`);
}

/** Audits both ways; `asked`: how often pages and runs in order were asked for by the first, and on how many sessions. */
async function bothWays(cluster) {
  const before = cluster.log().length;
  const whole = await audit(cluster);
  const statements = cluster.log().slice(before);
  const inOrder = await audit(cluster, ['--json'], IN_ORDER);
  const pages = [...statements.matchAll(/\[(\d+)\] .*COPY \(SELECT .* e\.ctid < /g)];
  const sessions = new Set(pages.map(([, session]) => session)).size;
  return { whole, inOrder, asked: { pages: pages.length, sessions, order: statements.split('OFFSET 10000').length - 1 } };
}

const CASES = {
  // More than 256 MiB: pieces of it come on two sessions side by side.
  'a table of many pages': { healthy: 10_000, copies: 20, order: 'run + random() * 400', large: true, inOrder: false },
  'any order': { healthy: 30_000, copies: 60, order: 'random()', inOrder: false },
  // More than an eighth of the rows: not worth it, and the sieve gives up.
  'more runs in question than pay': { healthy: 1_000, copies: 200, order: 'random()', inOrder: true },
  ...(full ? {
    // Rows of a run up to 200 runs apart, as writers side by side leave them; more runs than are kept at a time (98,304).
    'more runs than memory is for': { healthy: 120_000, copies: 200, order: 'run + random() * 400', inOrder: false },
    // Rows of nearly every run on both sides of the moment when memory is full: not worth it either.
    'any order, more runs than memory is for': { healthy: 120_000, copies: 200, order: 'random()', inOrder: true },
  } : {}),
};

for (const [name, { inOrder: givesUp, ...table }] of Object.entries(CASES)) {
  test(name, { timeout: 300_000 }, async (t) => {
    const cluster = await serverWithSchema(t, { settings: { log_statement: 'all', max_wal_size: '4GB', wal_level: 'minimal', max_wal_senders: 0 } });
    await fill(cluster, table);
    const { whole, inOrder, asked } = await bothWays(cluster);
    assert.equal(whole.code, 1, whole.stderr);
    assert.ok(asked.pages > 0, 'not read by pages');
    assert.equal(asked.sessions, table.large ? 2 : 1);
    assert.equal(asked.order > 0, givesUp, 'read in order of runs');
    assertSame(whole, inOrder);
    const expected = await truth(cluster);
    assert.ok(new Set(expected.map((line) => line.split(' | ')[1])).size >= 10);
    assert.ok(expected.length > 20 * table.copies, `${expected.length} findings`);
    assert.equal(lines(whole.findings).join('\n') === expected.join('\n'), true, 'not the findings of SQL');
    const [{ rows, runs }] = await cluster.query(`SELECT count(*)::int AS rows, count(DISTINCT run_id)::int AS runs FROM ${EVENTS}`);
    assert.deepEqual([whole.summary.complete, whole.summary.rows, whole.summary.runs], [true, rows, runs]);
    t.diagnostic(`${rows} rows, ${runs} runs, ${expected.length} findings`);
  });
}

test('tables and rights that leave only the order of runs', async (t) => {
  const cluster = await serverWithSchema(t, { settings: { log_statement: 'all' } });
  await insertShapes(cluster);
  const expected = await truth(cluster);
  const readInOrder = async (how, args, options) => {
    const before = cluster.log().length;
    const { findings, stderr } = await audit(cluster, args ?? ['--json'], options);
    const statements = cluster.log().slice(before);
    assert.deepEqual(lines(findings), expected, `${how}: ${stderr}`);
    assert.deepEqual([statements.includes('COPY ('), statements.includes('OFFSET 10000')], [false, true], how);
  };
  await readInOrder('--max-rate', ['--json', '--max-rate', '100000']);
  await readInOrder('--since', ['--json', '--since', '1971-01-01']);
  await readInOrder('no plan by ctid', ['--json'], IN_ORDER);

  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: 'watcher' }) } });
  await runSetup(cluster, daemon);
  await t.test('the grants of setup are enough for pages', async () => {
    const before = cluster.log().length;
    assert.deepEqual(lines((await audit(cluster, ['--json'], { dsn: { user: 'watcher' } })).findings), expected);
    assert.ok(cluster.log().slice(before).includes('COPY ('));
    const migration = await audit(cluster, ['--json', '--before-migration'], { dsn: { user: 'watcher' } });
    assert.equal(migration.code, 1, migration.stderr);
  });
  await cluster.query(`REVOKE SELECT (ctid) ON ${EVENTS} FROM watcher`);
  await readInOrder('no right on ctid', ['--json'], { dsn: { user: 'watcher' } });

  await cluster.query(`CREATE TABLE workflow.child () INHERITS (${EVENTS})`);
  await readInOrder('a table with a child');
  await cluster.query(`DROP TABLE workflow.child; CREATE TABLE rows AS SELECT * FROM ${EVENTS}; DROP TABLE ${EVENTS};
    CREATE TABLE ${EVENTS} (LIKE rows) PARTITION BY HASH (run_id);
    CREATE TABLE workflow.odd PARTITION OF ${EVENTS} FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE workflow.even PARTITION OF ${EVENTS} FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE INDEX ON ${EVENTS} (run_id); INSERT INTO ${EVENTS} SELECT * FROM rows`);
  await readInOrder('partitions');
});

test('texts that COPY escapes, and a run without a name', async (t) => {
  const cluster = await serverWithSchema(t);
  const odd = ['tab\there', 'line\nbreak', '\\', '\\N', 'back\\tslash', '\r\b\f\v', "quote'\"", '{a,b}', ' ', '', 'ü€😀'];
  await insertEvents(cluster, odd.flatMap((text) => [
    { run: `run ${text}`, type: 'step_created', correlation: text }, { run: `run ${text}`, type: 'step_created', correlation: text },
    { run: text, type: 'step_created', correlation: 'step_1' }, { run: text, type: 'step_created', correlation: 'step_1' },
    { run: `whole ${text}`, type: 'step_created', correlation: text }, { run: `whole ${text}`, type: 'step_created', correlation: `${text}.` },
  ]));
  const { whole, inOrder } = await bothWays(cluster);
  assert.equal(whole.code, 1, whole.stderr);
  assert.equal(whole.findings.length, odd.length * 2 - 1); // The run '' is none: no row of it is judged.
  assertSame(whole, inOrder);
  assert.deepEqual([whole.summary.rows, whole.summary.runs], [odd.length * 6, odd.length * 3]);
});

test('a rewrite of the table while it is read', async (t) => {
  const cluster = await serverWithSchema(t, { settings: { log_statement: 'all', max_wal_size: '4GB' } });
  await fill(cluster, { healthy: 60_000, copies: 1, order: 'run' });
  const expected = await truth(cluster);
  let again = false;
  // Whether the rewrite falls into the reading is a matter of milliseconds: it is tried until it does.
  for (let attempt = 0; attempt < 20 && !again; attempt += 1) {
    const before = cluster.log().length;
    const since = () => cluster.log().slice(before);
    const running = audit(cluster);
    while (!since().includes('COPY (SELECT')) await new Promise((resolve) => { setTimeout(resolve, 1); });
    await cluster.query(`CLUSTER ${EVENTS} USING workflow_events_pkey`);
    const moved = await running;
    assert.deepEqual(lines(moved.findings), expected, moved.stderr);
    again = since().includes('OFFSET 10000');
  }
  assert.ok(again, 'not read again in order of runs');
});

/** Enough runs in question for two sessions, and a role that has what setup grants. */
async function manySuspects(t) {
  const cluster = await serverWithSchema(t, { settings: { log_statement: 'all', max_wal_size: '4GB' } });
  await fill(cluster, { healthy: 20_000, copies: 40, order: 'run' });
  await runSetup(cluster, await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: 'watcher' }) } }));
  return { cluster, expected: await truth(cluster) };
}

test('no second session is to be had', async (t) => {
  const { cluster, expected } = await manySuspects(t);
  const sessions = async () => {
    const before = cluster.log().length;
    const { code, findings, stderr } = await audit(cluster, ['--json'], { dsn: { user: 'watcher' } });
    assert.equal(code, 1, stderr);
    assert.equal(lines(findings).join('\n') === expected.join('\n'), true, 'not the findings of SQL');
    return new Set([...cluster.log().slice(before).matchAll(/\[(\d+)\] .*'dupwatch\.runs', /g)].map(([, session]) => session)).size;
  };
  assert.equal(await sessions(), 2);
  await cluster.query('ALTER ROLE watcher CONNECTION LIMIT 1');
  assert.equal(await sessions(), 1);
});

test('Ctrl-C in the second reading says where to go on, and the two parts are the whole', async (t) => {
  const { cluster, expected } = await manySuspects(t);
  // Rows come slowly in the second reading alone, which names its runs in a setting.
  await cluster.query(`
    CREATE FUNCTION workflow.slow() RETURNS boolean LANGUAGE plpgsql AS
      $$ BEGIN IF current_setting('dupwatch.runs', true) <> '' THEN PERFORM pg_sleep(0.001); END IF; RETURN true; END $$;
    ALTER TABLE ${EVENTS} ENABLE ROW LEVEL SECURITY;
    CREATE POLICY slow ON ${EVENTS} USING (workflow.slow())`);
  const running = audit(cluster, ['--json'], { dsn: { user: 'watcher' }, onOutput: (child) => child.kill('SIGINT') });
  const cut = await running;
  assert.deepEqual([cut.code, cut.summary.complete], [4, false], cut.stderr);
  assert.match(cut.stderr, /^interrupted; go on with: dupwatch audit --after wrun_\w+\n$/);
  assert.ok(cut.findings.length > 0 && cut.findings.length < expected.length, `${cut.findings.length} findings`);
  await cluster.query(`ALTER TABLE ${EVENTS} DISABLE ROW LEVEL SECURITY`);
  const rest = await audit(cluster, ['--json', '--after', cut.summary.next_after], { dsn: { user: 'watcher' } });
  assert.equal(lines([...cut.findings, ...rest.findings]).join('\n') === expected.join('\n'), true, 'not the findings of SQL');
});
