// The engine's own migrators run over a log that is being written, while the daemon streams: it notices, says what became of
// the log, opens no gap, stays ready, and in the end its findings are those of the table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { installSchema } from '../writers/install_schema.mjs';
import { compare, describe } from './ground_truth.mjs';
import { daemonFor, EVENTS, full, serverWithSchema, startRace } from './scene.mjs';
import { dirtyLog, writeLog } from './upgrade_world.mjs';

/** A log of open runs alone, with duplicates that the migration treats well and badly. */
function openLog(seed, options) {
  const log = dirtyLog(seed, options);
  const ended = new Set([...log.rows, ...log.late].filter(({ type }) => /^run_(completed|failed|cancelled)$/.test(type)).map(({ run }) => run));
  // The correlation ids of a run have one time, or they are of two seeds.
  const seeded = (row) => ({ ...row, correlation: row.correlation?.replace(/_.{10}/, `_${row.run.slice(5, 15)}`) });
  const of = (rows) => rows.filter(({ run }) => !ended.has(run)).map(seeded);
  return { rows: of(log.rows), late: of(log.late), states: log.states.filter(({ run }) => !ended.has(run)) };
}

/** Keeps what is deleted from the log, with the rows that were there: the truth of what a migration did. */
async function recordDeletions(cluster) {
  await cluster.query(`CREATE TABLE public.deleted_rows (run_id text, correlation_id text, type text, id text, was_first boolean);
    CREATE FUNCTION public.note_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO public.deleted_rows SELECT OLD.run_id, OLD.correlation_id, OLD.type, OLD.id, NULL; RETURN NULL; END $$;
    CREATE TRIGGER note_deleted AFTER DELETE ON ${EVENTS} FOR EACH ROW EXECUTE FUNCTION public.note_deleted()`);
}

/** {deleted, canonical, left_fatal} of the rows that are gone; one row of each identity stays. */
async function truth(cluster) {
  const [row] = await cluster.query(`WITH gone AS (SELECT run_id, correlation_id, type, min(id COLLATE "C") AS least, count(*) AS n FROM public.deleted_rows GROUP BY 1, 2, 3),
    kept AS (SELECT g.*, e.id AS stays, (SELECT min(c.id COLLATE "C") FROM ${EVENTS} c WHERE c.run_id = g.run_id AND c.correlation_id IS NOT DISTINCT FROM g.correlation_id
        AND c.type = ANY (CASE g.type WHEN 'step_created' THEN '{step_completed,step_failed}' WHEN 'wait_created' THEN '{wait_completed}' ELSE '{hook_disposed}' END::text[])) AS closing
      FROM gone g LEFT JOIN ${EVENTS} e ON e.run_id = g.run_id AND e.correlation_id IS NOT DISTINCT FROM g.correlation_id AND e.type = g.type)
    SELECT sum(n)::int AS deleted, count(*) FILTER (WHERE least < stays COLLATE "C")::int AS canonical,
      count(*) FILTER (WHERE least < stays COLLATE "C" AND closing < stays COLLATE "C")::int AS left_fatal FROM (SELECT DISTINCT ON (run_id, correlation_id, type) * FROM kept) k`);
  return row;
}

/** Looks at readiness all the time; `longest()` is the longest time, in ms, that it was not ready. */
function watchReadiness(daemon) {
  const spans = [];
  let since;
  let on = true;
  const done = (async () => {
    while (on) {
      const answer = await daemon.fetch('/readyz').catch(() => undefined);
      if (answer?.status === 200) since = undefined;
      else {
        if (since === undefined) spans.push({ from: Date.now() });
        since ??= Date.now();
        Object.assign(spans.at(-1), { ms: Date.now() - since, why: await answer?.text() });
      }
      await sleep(50);
    }
  })();
  return { spans, stop: async () => { on = false; await done; return spans; } };
}

/** The migrator, until it goes through: rows of writers that still run make it fail, and a failed one changes nothing. */
async function migrate(cluster, world) {
  for (let attempts = 1; ; attempts += 1) {
    const error = await installSchema(world, cluster.uri()).then(() => undefined, (failed) => failed);
    if (!error) return attempts;
    assert.match(error.message, /could not create unique index|23505|deadlock/);
    if (attempts > 60) throw error;
  }
}

/** Waits until the findings are those of the table. */
async function settled(daemon, options) {
  await daemon.caughtUp();
  const client = await daemon.cluster.client();
  try {
    let result;
    await daemon.until('findings that are those of the table', async () => {
      result = await compare(daemon.findingsFile, client, options);
      return result.ok;
    }, 40_000).catch((error) => { throw new Error(`${describe(result)}\n${error.message.slice(0, 200)}`); });
    return result;
  } finally {
    await client.end();
  }
}

const TARGETS = [
  { to: '4.1.4', after: '4.1.4 to 4.2', usual: 'wal2json', parts: ['unique index present'] },
  // The same migrations as 4.1.4.
  { to: '4.2.0', after: '4.1.4 to 4.2', parts: ['unique index present'] },
  { to: '4.3.7', after: '4.3', usual: 'pgoutput', parts: ['unique index present', 'enum types moved to the schema workflow'] },
  { to: '5.0.0-beta.27', after: '5.0.0-beta.27', engine: 'v5-before-class-skip', usual: 'wal2json', parts: ['unique index present', 'column workflow_runs.error_code present', 'unique index covers attr_set'] },
];

for (const plugin of ['wal2json', 'pgoutput']) {
  for (const { to, after, engine = 'v4', usual, parts } of TARGETS) {
    const skip = !full && plugin !== usual && 'each migration with one of the plugins: DUPWATCH_FULL=1';
    test(`4.1.1 to ${to} under load, ${plugin}`, { skip }, async (t) => {
      const cluster = await serverWithSchema(t);
      await writeLog(cluster, openLog(`live-${to}`, { runs: full ? 600 : 120 }));
      await recordDeletions(cluster);
      const daemon = await daemonFor(t, cluster, { slot: { plugin }, recheck: { interval: '1s' } });
      await daemon.start();
      const before = await daemon.status();
      const old = startRace(cluster, { runs: 0, rate: 15, seed: 3, late: 0.2, finish: 0, second: 0 });
      await sleep(4000);
      const readiness = watchReadiness(daemon);
      const attempts = await migrate(cluster, to);
      const migrated = Date.now();
      const said = await daemon.line('word of the migration', ({ event }) => event === 'schema_changed');
      const noticed = Date.now() - migrated;
      await sleep(1000);
      await old.stop();
      // The new version's processes take over.
      const fresh = startRace(cluster, { world: to, runs: 0, rate: 15, seed: 4, late: 0.2, finish: 0.5, epoch: Date.now() - 30_000 });
      await sleep(3000);
      await fresh.stop();
      // In a schema of 5.x each run is of the version that began it.
      const result = await settled(daemon, { engine, byRun: engine !== 'v4' });
      const spans = await readiness.stop();

      assert.deepEqual([said.before, said.after], ['4.1.1', after]);
      for (const part of parts) assert.ok(said.found.split('; ').includes(part), said.found);
      const lost = await truth(cluster);
      assert.deepEqual({ deleted: Number(said.deleted), canonical: Number(said.canonical_deleted), left_fatal: Number(said.left_fatal) }, lost);
      assert.ok(lost.canonical > 0 && lost.left_fatal > 0, JSON.stringify(lost));
      assert.ok(noticed < 4000, `${noticed} ms`);
      const lines = daemon.lines.filter(({ event }) => event === 'schema_changed');
      assert.equal(lines.length, 1, daemon.tail());
      // A migration that failed was never there, and nothing went unseen.
      const status = await daemon.status();
      assert.deepEqual(status.coverage.gaps, before.coverage.gaps);
      assert.ok(spans.every(({ ms }) => ms < 3000), JSON.stringify(spans));
      assert.equal(await daemon.metric('dupwatch_decode_errors_total'), 0);
      assert.equal(status.schema.releases, after);
      assert.deepEqual(status.schema.changes.map(({ seen_at: _, rows: __, ...change }) => change),
        [{ before: '4.1.1', after, found: said.found, deleted: lost.deleted, canonical_deleted: lost.canonical, left_fatal: lost.left_fatal }]);
      const metrics = await (await daemon.fetch('/metrics')).text();
      assert.match(metrics, new RegExp(`^dupwatch_schema_release\\{release="${after.split(' ').at(-1)}"\\} 1$`, 'm'));
      assert.match(metrics, new RegExp(`^dupwatch_migration_rows_deleted_total\\{row="canonical"\\} ${lost.canonical}$`, 'm'));
      if (engine !== 'v4') await daemon.line('the engine', (line) => line.event === 'engine' && line.ulids === engine);
      t.diagnostic(`${attempts} attempts, noticed after ${noticed} ms, ${JSON.stringify(lost)}, not ready ${JSON.stringify(spans)}, ${result.found} findings`);
    });
  }
}

// 0019 is in no package of the registry: the statements that matter, by what was read of them, with a lock that is held for a while.
for (const plugin of ['wal2json', 'pgoutput']) {
  test(`the key is swapped under load, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: '4.3.7' });
    const daemon = await daemonFor(t, cluster, { slot: { plugin }, recheck: { interval: '1s' } });
    await daemon.start();
    const before = await daemon.status();
    const writers = startRace(cluster, { world: '4.3.7', runs: 0, rate: 15, seed: 5, late: 0.2, finish: 0.5 });
    await sleep(2000);
    const readiness = watchReadiness(daemon);
    await cluster.query(`BEGIN; ALTER TABLE ${EVENTS} DROP CONSTRAINT workflow_events_pkey;
      ALTER TABLE ${EVENTS} ADD CONSTRAINT workflow_events_run_id_id_pk PRIMARY KEY (run_id, id);
      CREATE TABLE workflow.workflow_event_slots (run_id varchar PRIMARY KEY); SELECT pg_sleep(5); COMMIT`);
    const said = await daemon.line('word of the migration', ({ event }) => event === 'schema_changed');
    await sleep(2000);
    await writers.stop();
    // The workers are those of 4.3.7 still, and say so in their rows: the runs are none of an engine that refuses ULIDs.
    const engine = await daemon.line('the generation', ({ event, by_run }) => event === 'engine' && by_run === 'events');
    assert.equal(engine.ulids, 'v4');
    const result = await settled(daemon, { engine: 'v4', byRun: true });
    assert.equal(await daemon.metric('dupwatch_engine_runs_total{generation="v5",from="run"}'), 0);
    const spans = await readiness.stop();
    assert.deepEqual(said.found.split('; ').filter((part) => /slots|key/.test(part)), ['events are numbered by slots', 'key is PRIMARY KEY (run_id, id)']);
    assert.equal(said.deleted, undefined);
    assert.deepEqual((await daemon.status()).coverage.gaps, before.coverage.gaps);
    assert.ok(spans.every(({ ms }) => ms < 3000), JSON.stringify(spans));
    t.diagnostic(`not ready ${JSON.stringify(spans)}, ${result.found} findings, ${JSON.stringify(engine.why)}`);
  });
}
