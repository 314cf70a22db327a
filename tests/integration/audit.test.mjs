// dupwatch audit over a whole table: the rules, the three formats, the rights it needs, and what it costs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { insertShapes, runId } from './audit_shapes.mjs';
import { audit, lines, parseAudit, truth } from './audit_truth.mjs';
import { binary, runCommand } from './daemon.mjs';
import { daemonFor, EVENTS, full, insertEvents, race, runSetup, serverWithSchema } from './scene.mjs';

/** Configuration as a file of its own; JSON is YAML. */
function configFile(t, config) {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-audit-')), 'dupwatch.yaml');
  fs.writeFileSync(file, JSON.stringify(config));
  t.after(() => fs.rmSync(path.dirname(file), { recursive: true }));
  return file;
}

const equal = (findings, expected) => assert.deepEqual(lines(findings), expected);

test('the rules over a table of the real writers', async (t) => {
  const cluster = await serverWithSchema(t);
  const clean = await audit(cluster);
  assert.deepEqual([clean.code, clean.findings, clean.summary.rows], [0, [], 0]);

  await race(cluster, { runs: 150, steps: 4, late: 0.3 });
  const [{ count: written }] = await cluster.query(`SELECT count(*)::int FROM ${EVENTS}`);
  assert.ok(written > 2000, `${written} rows`);
  const runs = await insertShapes(cluster);
  const expected = await truth(cluster);
  const found = await audit(cluster);

  await t.test('every finding equals the SQL statement of the rules, and no other is there', async () => {
    assert.equal(found.code, 1);
    equal(found.findings, expected);
    const rules = new Set(found.findings.map(({ rule }) => rule));
    assert.equal(rules.size, 10, [...rules].join(' '));
    for (const name of ['conflict with another', 'cancelled twice', 'repeats that are legal', 'from slot 2', 'filled by noop']) {
      assert.deepEqual(found.findings.filter(({ run_id: run }) => run === runs[name]), [], name);
    }
  });

  await t.test('the summary counts what was written', async () => {
    const [{ rows, of }] = await cluster.query(`SELECT count(*)::int AS rows, count(DISTINCT run_id)::int AS of FROM ${EVENTS}`);
    assert.deepEqual([found.summary.complete, found.summary.rows, found.summary.runs, found.summary.next_after], [true, rows, of, null]);
    assert.equal(found.summary.findings, expected.length);
    for (const { rule, severity, findings } of found.summary.by_rule) {
      assert.equal(findings, expected.filter((text) => text.includes(` | ${rule} | ${severity} | `)).length, `${rule} ${severity}`);
    }
    assert.equal(found.summary.by_rule.reduce((sum, { findings }) => sum + findings, 0), expected.length);
  });

  await t.test('engine: v4, v5-before-class-skip and v5 judge the same rows differently', async () => {
    for (const engine of ['v4', 'v5-before-class-skip', 'v5']) {
      const { code, findings, stderr } = await audit(cluster, ['--json', '--config', configFile(t, { engine })]);
      assert.equal(code, 1, stderr);
      const want = await truth(cluster, { engine, forced: true });
      // A hole's severity is the one thing that the SQL statement has for engine v5 alone.
      const holes = (text) => (engine === 'v4' ? text.replace('| slot_gap | fatal |', '| slot_gap | unknown |') : text);
      equal(findings, want.map(holes).sort());
    }
  });

  await t.test('text and CSV tell the same findings', async () => {
    const text = await audit(cluster, []);
    assert.equal(text.code, 1);
    assert.equal(text.stdout.split('\n').filter((line) => /^(fatal|conflict|harmless|unknown) +[a-z_]+ {2}run /.test(line)).length, expected.length);
    assert.match(text.stdout, new RegExp(`\n${expected.length} findings in ${found.summary.rows} rows of ${found.summary.runs} runs\n`));
    assert.ok(!text.stdout.includes('\x1b'), 'colours in a pipe');
    const csv = await audit(cluster, ['--format', 'csv']);
    const [header, ...rows] = csv.stdout.trimEnd().split('\n');
    assert.equal(header, 'finding_id,severity,rule,state,engine,run_id,correlation_id,type,canonical_id,duplicate_id,closing_id,after_close,flagged_at,reason');
    const asLine = (row) => {
      const [id, severity, rule, state, , run, entity, type, canonical, duplicate, closing] = row.split(',');
      assert.match(id, /^[0-9a-f]{16}$/);
      return [run, rule, severity, state, duplicate, canonical, closing, entity === 'NULL' ? '' : entity, type].join(' | ');
    };
    assert.deepEqual(rows.map(asLine).sort(), expected);
  });

  await t.test('--severity leaves out the others, for the exit code too', async () => {
    const only = await audit(cluster, ['--json', '--severity', 'conflict,unknown']);
    equal(only.findings, expected.filter((text) => /\| (conflict|unknown) \|/.test(text)));
    await cluster.query(`CREATE TABLE kept AS SELECT * FROM ${EVENTS}`);
    await cluster.query(`DELETE FROM ${EVENTS} WHERE run_id <> $1`, [runs['run created twice']]);
    assert.equal((await audit(cluster, ['--json', '--severity', 'fatal'])).code, 0);
    assert.equal((await audit(cluster)).code, 1);
    await cluster.query(`TRUNCATE ${EVENTS}; INSERT INTO ${EVENTS} SELECT * FROM kept; DROP TABLE kept`);
  });

  await t.test('--after and --since leave out the runs before', async () => {
    const at = runs['completed twice'];
    equal((await audit(cluster, ['--json', '--after', at])).findings, expected.filter((text) => text.split(' | ')[0] > at));
    // The writers' runs were begun minutes ago, the shapes' ids say 2025.
    const young = expected.filter((text) => !text.startsWith('wrun_01KAAAAAAA'));
    assert.ok(young.length > 50 && young.length < expected.length);
    equal((await audit(cluster, ['--json', '--since', '2h'])).findings, young);
    const time = new Date(Date.now() - 7_200_000).toISOString().slice(0, 16);
    equal((await audit(cluster, ['--json', '--since', time])).findings, young);
    equal((await audit(cluster, ['--json', '--since', `${time}Z`])).findings, young);
    equal((await audit(cluster, ['--json', '--since', '1971-01-01'])).findings, expected);
    const none = await audit(cluster, ['--json', '--since', '2999-12-31']);
    assert.deepEqual([none.code, none.findings, none.summary.rows], [0, [], 0]);
  });

  await t.test('a role with the grants of setup, one without the right on xmin, one without any', async () => {
    const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ user: 'watcher' }) } });
    await runSetup(cluster, daemon);
    equal((await audit(cluster, ['--json'], { dsn: { user: 'watcher' } })).findings, expected);
    await cluster.query(`REVOKE SELECT (xmin) ON ${EVENTS} FROM watcher`);
    const blind = await audit(cluster, ['--json'], { dsn: { user: 'watcher' } });
    equal(blind.findings, expected);
    assert.ok(blind.findings.every(({ duplicate }) => duplicate.xid === null));
    await cluster.query('CREATE ROLE stranger LOGIN');
    const refused = await audit(cluster, ['--json'], { dsn: { user: 'stranger' } });
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /remedy: .*dupwatch setup --print-sql/);
  });

  await t.test('a session that may not write', async () => {
    await cluster.query('ALTER ROLE watcher SET default_transaction_read_only = on');
    equal((await audit(cluster, ['--json'], { dsn: { user: 'watcher' } })).findings, expected);
  });

  await t.test('no index that leads with run_id: refused with the statement that makes one', async () => {
    await cluster.query(`DROP INDEX workflow.workflow_events_run_id_index; ALTER TABLE ${EVENTS} DROP CONSTRAINT workflow_events_pkey`);
    const refused = await audit(cluster);
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /remedy: CREATE INDEX CONCURRENTLY ON workflow\.workflow_events \("run_id"\);/);
    await cluster.query(/remedy: CREATE INDEX CONCURRENTLY (ON [^;]+);/.exec(refused.stderr)[1].replace(/^/, 'CREATE INDEX '));
    equal((await audit(cluster)).findings, expected);
  });
});

test('on a standby', async (t) => {
  const hba = ['local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'];
  const cluster = await serverWithSchema(t, { hba });
  await insertShapes(cluster);
  const expected = await truth(cluster);
  const standby = await createCluster({ start: false });
  t.after(() => standby.destroy());
  fs.rmSync(standby.dataDir, { recursive: true });
  const copied = spawnSync(path.join(cluster.bin, 'pg_basebackup'),
    ['-h', '127.0.0.1', '-p', String(cluster.port), '-U', 'postgres', '-D', standby.dataDir, '-R', '--checkpoint=fast', '--no-sync'],
    { ...standby.owner, cwd: standby.dir, encoding: 'utf8' });
  assert.equal(copied.status, 0, copied.stderr);
  standby.configure({});
  await standby.start();
  assert.deepEqual(await standby.query('SELECT pg_is_in_recovery() AS yes'), [{ yes: true }]);
  const found = await audit(standby);
  assert.equal(found.code, 1, found.stderr);
  equal(found.findings, expected);
});

test('wrong options, an absent server, a wrong database', async (t) => {
  const cluster = await serverWithSchema(t, { world: null });
  const wrong = [['--severity', 'fatal,deadly'], ['--severity', ''], ['--since', 'yesterday'], ['--since', '2026-13-01'], ['--since', '7'],
    ['--format', 'xml'], ['--max-rate', '-1'], ['--max-rate', 'x'], ['--nonsense'], ['--engine', 'v4'], ['stray']];
  for (const args of wrong) {
    const { code, stdout, stderr } = await audit(cluster, args);
    assert.deepEqual([code, stdout], [2, ''], `${args.join(' ')}: ${stderr}`);
    assert.ok(stderr, args.join(' '));
  }
  const generic = { profile: 'generic', table: { name: 'public.x', run_column: 'a', id_column: 'b', identity_columns: ['c'] } };
  const refused = await audit(cluster, ['--before-migration', '--config', configFile(t, generic)]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /profile is generic/);

  const missing = await audit(cluster);
  assert.equal(missing.code, 3);
  assert.match(missing.stderr, /workflow\.workflow_events does not exist.*remedy: check dbname/);
  await cluster.stop();
  const absent = await audit(cluster);
  assert.equal(absent.code, 4, absent.stderr);
  assert.match(absent.stderr, /^error: /);
});

test('a generic table', async (t) => {
  const cluster = await serverWithSchema(t, { world: null });
  await cluster.query(`
    CREATE SCHEMA "Shop";
    CREATE TABLE "Shop"."order.events" (event_id bigint, "Kind" text, order_id int NOT NULL, line int, site text, PRIMARY KEY (order_id, event_id));
    INSERT INTO "Shop"."order.events" VALUES
      (1001, 'opened', 1, NULL, NULL), (1002, 'opened', 1, NULL, NULL), (1003, 'opened', 2, NULL, NULL),
      (1004, 'added', 1, 7, 'a'), (1005, 'shipped', 1, 7, 'a'), (1006, 'added', 1, 7, 'a'), (1007, 'added', 1, 7, 'b'),
      (1008, 'added', 1, 7, '=1+1'), (1009, 'added', 1, 7, '=1+1'), (1010, 'seen', 1, 7, 'a'), (1011, 'seen', 1, 7, 'a'),
      (1012, 'added', 10, 1, NULL), (1013, 'added', 10, 1, NULL), (1014, 'added', 2, 1, NULL), (1015, 'shipped', 1, 7, 'a')`);
  const config = configFile(t, {
    profile: 'generic',
    table: {
      name: 'Shop."order.events"', run_column: 'order_id', id_column: 'event_id', identity_columns: ['line', 'site'], type_column: 'Kind',
      types: ['opened', 'added', 'shipped'], closing: { shipped: ['added'] },
    },
  });
  const { code, findings, stderr } = await audit(cluster, ['--json', '--config', config]);
  assert.equal(code, 1, stderr);
  const told = findings.map((one) => [one.run_id, one.rule, one.severity, one.duplicate.id, one.canonical.id, one.correlation_id].map((x) => JSON.stringify(x)).join(' '));
  assert.deepEqual(told.sort(), [
    '"1" "duplicate" "fatal" "1006" "1004" ["7","a"]',
    '"1" "duplicate" "fatal" "1015" "1005" ["7","a"]',
    '"1" "duplicate" "harmless" "1009" "1008" ["7","=1+1"]',
    '"1" "duplicate" "unknown" "1002" "1001" [null,null]',
    '"10" "duplicate" "harmless" "1013" "1012" ["1",null]',
  ]);
  const last = await audit(cluster, ['--json', '--config', config, '--after', '2']);
  assert.deepEqual(last.findings.map((one) => one.duplicate.id), ['1013']); // 10 comes behind 2: a number, not text.
});

test('run ids whose collation is not that of bytes', async (t) => {
  const cluster = await serverWithSchema(t, { world: null });
  await cluster.query(`CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'`);
  await installSchema('4.1.1', cluster.uri('icu'));
  const client = await cluster.client({ database: 'icu' });
  // Customers' own ids: case and punctuation sort otherwise than by bytes. Enough rows for several pieces.
  await client.query(`
    INSERT INTO ${EVENTS} (run_id, id, type, correlation_id)
    SELECT run, 'wevt_01KAAAAAAA' || lpad((n * 4 + k)::text, 16, '0'), type, 'step_01KAAAAAAA' || lpad(n::text, 16, '0')
    FROM (SELECT n, (ARRAY['Run-', 'run_', 'run-', 'RUN ', 'ruñ', '_run'])[n % 6 + 1] || n % 977 || '/' || n AS run FROM generate_series(1, 15000) n) runs,
      (VALUES (1, 'step_created'), (2, 'step_completed'), (3, 'step_created')) shape(k, type)
    WHERE k < 3 OR n % 100 = 0`);
  await client.end();
  const expected = await truth(cluster, { database: 'icu' });
  assert.equal(expected.length, 150);
  const dsn = { dbname: 'icu' };
  const whole = await audit(cluster, ['--json'], { dsn });
  equal(whole.findings, expected);
  assert.equal(whole.summary.runs, 15_000);
  const middle = whole.findings[75].run_id;
  const rest = await audit(cluster, ['--json', '--after', middle], { dsn });
  equal(rest.findings, lines(whole.findings.slice(76)));
});

/** `runs` runs of 10 events each by SQL; every 1000th is damaged in one of five ways. */
async function insertMany(cluster, runs) {
  await cluster.query(`
    ALTER TABLE ${EVENTS} SET (autovacuum_enabled = off);
    INSERT INTO ${EVENTS} (run_id, id, type, correlation_id)
    SELECT 'wrun_01KAAAAAAA' || lpad(n::text, 16, '0'), 'wevt_01KAAAAAAA' || lpad((n * 16 + k)::text, 16, '0'), type,
           CASE WHEN kind <> '' THEN kind || '_01KAAAAAAA' || lpad((n * 8 + e)::text, 16, '0') END
    FROM generate_series(1, ${runs}) n, (VALUES
      (1, 'run_created', '', 0), (2, 'run_started', '', 0), (3, 'step_created', 'step', 1), (4, 'step_started', 'step', 1),
      (5, 'step_completed', 'step', 1), (6, 'step_created', 'step', 2), (7, 'step_started', 'step', 2), (8, 'step_completed', 'step', 2),
      (9, 'wait_created', 'wait', 3), (10, 'wait_completed', 'wait', 3)) shape(k, type, kind, e);
    INSERT INTO ${EVENTS} (run_id, id, type, correlation_id)
    SELECT 'wrun_01KAAAAAAA' || lpad(n::text, 16, '0'), 'wevt_01KAAAAAAA' || lpad((n * 16 + 11)::text, 16, '0'),
           (ARRAY['step_created', 'step_failed', 'step_started', 'step_retrying', 'step_completed'])[n / 1000 % 5 + 1],
           'step_01KAAAAAAA' || lpad((n * 8 + 1)::text, 16, '0')
    FROM generate_series(1000, ${runs}, 1000) n;
    ANALYZE ${EVENTS}`);
}

const PLANTED = ['duplicate_created', 'second_terminal', 'lifecycle_after_close', 'lifecycle_after_close', 'second_terminal'];

/** Starts an audit in JSON and polls its peak memory; resolves {code, stdout, stderr, peak, seconds, ...} */
function start(cluster, args) {
  const child = spawn(binary(), ['audit', '--dsn', cluster.dsn(), '--json', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const out = { stdout: '', stderr: '', peak: 0 };
  const began = Date.now();
  child.stdout.on('data', (data) => { out.stdout += data; });
  child.stderr.on('data', (data) => { out.stderr += data; });
  const poll = setInterval(() => {
    try {
      out.peak = Math.max(out.peak, Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0));
    } catch {
      // It has ended.
    }
  }, 20);
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearInterval(poll);
      resolve({ ...out, code, signal, seconds: (Date.now() - began) / 1000, ...parseAudit(out.stdout) });
    });
  });
  return { child, out, ended };
}

test('a big table', { timeout: full ? 3_600_000 : 300_000 }, async (t) => {
  const runs = full ? 1_000_000 : 30_000;
  const cluster = await serverWithSchema(t, { settings: { max_wal_size: '4GB', wal_level: 'minimal', max_wal_senders: 0 } });
  await insertMany(cluster, runs);

  await t.test(`${runs * 10} rows: exactly the planted findings, in bounded memory`, async () => {
    const { code, findings, summary, stderr, peak, seconds } = await start(cluster, []).ended;
    assert.equal(code, 1, stderr);
    assert.deepEqual([summary.rows, summary.runs, summary.findings], [runs * 10 + runs / 1000, runs, runs / 1000]);
    const want = Array.from({ length: runs / 1000 }, (_, i) => `${runId((i + 1) * 1000)} ${PLANTED[(i + 1) % 5]} fatal`);
    assert.deepEqual(findings.map((one) => `${one.run_id} ${one.rule} ${one.severity}`).sort(), want);
    assert.ok(peak > 1000 && peak < 128 * 1024, `VmHWM ${peak} kB`);
    t.diagnostic(`${summary.rows} rows in ${seconds.toFixed(1)} s, VmHWM ${Math.round(peak / 1024)} MiB`);
  });

  await t.test('--max-rate holds', async () => {
    const from = runId(runs - 6000); // 60,000 rows and a few.
    const { code, seconds, summary } = await start(cluster, ['--after', from, '--max-rate', '20000']).ended;
    assert.equal(code, 1);
    assert.deepEqual([summary.complete, summary.runs], [true, 6000]);
    assert.ok(seconds > 1.8 && seconds < 15, `${seconds} s`); // The last piece is not waited for.
  });

  await t.test('Ctrl-C says where to go on, and the two parts are the whole', async () => {
    const from = runId(runs - 10_000);
    const whole = await start(cluster, ['--after', from]).ended;
    const cut = start(cluster, ['--after', from, '--max-rate', '20000']);
    for (let waited = 0; !cut.out.stdout && waited < 10_000; waited += 20) await sleep(20);
    cut.child.kill('SIGINT');
    const first = await cut.ended;
    assert.deepEqual([first.code, first.summary.complete], [4, false], first.stderr);
    const next = /^interrupted; go on with: dupwatch audit --after (\S+)\n$/.exec(first.stderr)?.[1];
    assert.equal(first.summary.next_after, next);
    assert.ok(first.summary.runs > 0 && first.summary.runs < 10_000);
    const rest = await start(cluster, ['--after', next]).ended;
    assert.deepEqual([...first.findings, ...rest.findings].map((one) => one.duplicate.id), whole.findings.map((one) => one.duplicate.id));
    assert.equal(first.summary.runs + rest.summary.runs, whole.summary.runs);
  });

  await t.test('Ctrl-C in the middle of a query', async () => {
    const cut = start(cluster, ['--after', 'wrun_']);
    for (let waited = 0; !cut.out.stdout && waited < 10_000; waited += 5) await sleep(5);
    cut.child.kill('SIGINT');
    const first = await cut.ended;
    assert.equal(first.code, 4, `${first.stderr} after ${first.summary?.rows} rows`);
    const rest = await start(cluster, ['--after', first.summary.next_after]).ended;
    assert.equal(first.summary.rows + rest.summary.rows, runs * 10 + runs / 1000);
    assert.equal(first.findings.length + rest.findings.length, runs / 1000);
    const locker = await cluster.client();
    await locker.query(`BEGIN; LOCK TABLE ${EVENTS} IN ACCESS EXCLUSIVE MODE`);
    const held = start(cluster, []);
    await sleep(700);
    held.child.kill('SIGINT');
    const nothing = await held.ended;
    await locker.end();
    assert.deepEqual([nothing.code, nothing.stderr], [4, 'interrupted\n']);
    assert.deepEqual([nothing.summary.complete, nothing.summary.rows, nothing.summary.next_after], [false, 0, null]);
    const migration = start(cluster, ['--before-migration', '--max-rate', '20000']);
    await sleep(700);
    migration.child.kill('SIGINT');
    const { code, stderr } = await migration.ended;
    assert.equal(code, 4);
    assert.match(stderr, /^interrupted; go on with: dupwatch audit --before-migration --after wrun_01KAAAAAAA\d{16}\n$/);
  });

  await t.test('one run of 25,000 events, more than a piece', async () => {
    await cluster.query(`
      INSERT INTO ${EVENTS} (run_id, id, type, correlation_id)
      SELECT $1, 'wevt_01KAAAAAAB' || lpad(n::text, 16, '0'), (ARRAY['step_created', 'step_started', 'step_completed'])[n % 3 + 1],
             'step_01KAAAAAAB' || lpad((n / 3)::text, 16, '0') FROM generate_series(3, 25002) n`, ['wrun_01KAAAAAAB0000000000000000']);
    const run = 'wrun_01KAAAAAAB0000000000000000';
    await insertEvents(cluster, [
      { run, type: 'step_created', correlation: `step_01KAAAAAAB${'1'.padStart(16, '0')}`, id: `wevt_01KAAAAAAB${'9'.repeat(16)}` },
      { run, type: 'step_created', correlation: `step_01KAAAAAAB${'8000'.padStart(16, '0')}`, id: `wevt_01KAAAAAAB${'9'.repeat(15)}A` },
    ]);
    const { findings, summary } = await start(cluster, ['--after', runId(runs - 10)]).ended;
    assert.equal(summary.rows, 25_002 + 101);
    assert.deepEqual(findings.filter((one) => one.run_id === run).map((one) => one.duplicate.id.slice(-2)).sort(), ['99', '9A']);
  });
});

test('--help names what audit can do', async () => {
  const { code, stdout } = await runCommand(['audit', '--help']);
  assert.equal(code, 0);
  for (const option of ['--format', '--severity', '--since', '--after', '--max-rate', '--before-migration']) assert.ok(stdout.includes(option), option);
});
