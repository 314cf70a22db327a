// Quarantine under everything at once: writers, two daemons that are killed again and again, and a person who puts rows
// back. A trigger keeps a copy of every row ever inserted and looks at every row that is deleted; the product knows nothing
// of it. 10,000 acts with --full.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { runCommand } from '../integration/daemon.mjs';
import { compare, describe } from '../integration/ground_truth.mjs';
import { daemonFor, EVENTS, eventId, full, insertEvents, serverWithSchema } from '../integration/scene.mjs';

const ROLE = 'keeper';
const ACTS = full ? 10_000 : 60;
const LIMITS = { max_per_minute: 10_000, max_per_hour: 100_000, max_per_run: 10_000 };

const WITNESS = `
  CREATE SCHEMA witness;
  CREATE TABLE witness.twin (LIKE ${EVENTS}, PRIMARY KEY (id));
  CREATE TABLE witness.deleted (id text, had_canonical boolean);
  CREATE FUNCTION witness.saw() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN
      INSERT INTO witness.twin SELECT NEW.* ON CONFLICT DO NOTHING;
      RETURN NULL;
    END IF;
    INSERT INTO witness.deleted VALUES (OLD.id, EXISTS (SELECT FROM ${EVENTS} c WHERE c.run_id = OLD.run_id AND c.type = OLD.type
      AND c.correlation_id = OLD.correlation_id AND c.id COLLATE "C" < OLD.id));
    RETURN OLD;
  END $$;
  CREATE TRIGGER saw_insert AFTER INSERT ON ${EVENTS} FOR EACH ROW EXECUTE FUNCTION witness.saw();
  CREATE TRIGGER saw_delete BEFORE DELETE ON ${EVENTS} FOR EACH ROW EXECUTE FUNCTION witness.saw();`;

const count = async (cluster, sql) => Number((await cluster.query(sql))[0].count);
const acts = (cluster) => count(cluster, 'SELECT count(*) FROM dupwatch.quarantine');

/** Rows of one side that the other lacks, every column as its type writes it. */
const differences = (cluster) => cluster.query(`
  SELECT 'log' AS side, id FROM (SELECT id, md5(record_send(e)) FROM ${EVENTS} e EXCEPT SELECT id, md5(record_send(w)) FROM witness.twin w) only_log
  UNION ALL
  SELECT 'twin', id FROM (SELECT id, md5(record_send(w)) FROM witness.twin w EXCEPT SELECT id, md5(record_send(e)) FROM ${EVENTS} e) only_twin`);

/** Inserts runs with one or two fatal rows until `over()`; some runs end at once. */
async function write(cluster, name, over) {
  for (let i = 0; !over(); i += 1) {
    const run = `wrun_${name}_${i}`;
    const step = `step_${name}_${i}`;
    const rows = (types) => insertEvents(cluster, types.map(([type, order, correlation = step]) => ({ run, type, correlation, id: eventId(order) })));
    await rows([['run_created', 0, null], ['step_created', 1], ['step_started', 2], ['step_completed', 3]]);
    await rows([['step_created', 4], ...(i % 3 ? [] : [['step_started', 5]])]);
    if (i % 7 === 0) await rows([['run_completed', 6, null]]);
    await sleep(full ? 2 : 10);
  }
}

async function restore(cluster, id) {
  const { code, stdout, stderr } = await runCommand(['quarantine', 'restore', id, '--yes', '--json', '--dsn', cluster.dsn()]);
  assert.equal(code, 0, `${stdout}${stderr}`);
}

async function restoreNowAndThen(cluster, over) {
  while (!over()) {
    const entries = await cluster.query('SELECT id FROM dupwatch.quarantine WHERE restored_at IS NULL ORDER BY random() LIMIT 2');
    await Promise.all(entries.map(({ id }) => restore(cluster, id)));
    await sleep(full ? 20 : 100);
  }
}

async function killNowAndThen(daemons, struck, over) {
  while (!over()) {
    await sleep(300 + Math.random() * 1200);
    const daemon = daemons[struck.kills % 2];
    await daemon.kill();
    struck.kills += 1;
    await daemon.start({ ready: false });
  }
}

test(`${ACTS} acts under writers, kills and restores: what was deleted comes back, and no canonical row ever left`, async (t) => {
  const cluster = await serverWithSchema(t);
  await cluster.query(WITNESS);
  const daemons = [];
  for (const name of ['one', 'two']) {
    daemons.push(await daemonFor(t, cluster, {
      connection: { dsn: cluster.dsn({ user: ROLE }), backoff_min: '20ms', backoff_max: '200ms' },
      slot: { name }, recheck: { interval: '1s' }, quarantine: { mode: 'remove', ...LIMITS },
    }));
  }
  const setup = await runCommand(['setup', '--print-sql', '--quarantine', '--config', daemons[0].configFile]);
  await cluster.query(setup.stdout);
  for (const daemon of daemons) await daemon.start();

  let done = false;
  const over = () => done;
  const struck = { kills: 0 };
  const work = [...['a', 'b', 'c'].map((name) => write(cluster, name, over)), restoreNowAndThen(cluster, over), killNowAndThen(daemons, struck, over)];
  const ended = Promise.all(work);
  ended.catch(() => { done = true; });
  // A fast machine has done its acts before the second kill.
  while (!done && (await acts(cluster) < ACTS || struck.kills < 2)) await sleep(200);
  done = true;
  await ended;

  for (const daemon of daemons) await daemon.ready();
  const client = await cluster.client();
  t.after(() => client.end());
  for (const daemon of daemons) {
    let result;
    await daemon.until('findings that are the table\'s', async () => {
      await daemon.caughtUp();
      result = await compare(daemon.findingsFile, client);
      // A run that has ended is not looked at again; of a row that had gone before it was flagged nobody hears.
      result.false_ = result.false_.filter(({ state }) => state !== 'run_ended');
      result.ok = !result.missed.length && !result.false_.length && !result.wrong.length;
      return result.ok;
    }, 60_000).catch(() => assert.fail(`${daemon.findingsFile}: ${describe(result)}`));
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  }
  const [total, restored] = [await acts(cluster), await count(cluster, 'SELECT count(*) FROM dupwatch.quarantine WHERE restored_at IS NOT NULL')];
  assert.ok(restored > 0 && struck.kills > 1, `${restored} restored, ${struck.kills} kills: a proof needs both`);
  assert.deepEqual(await cluster.query('SELECT id FROM witness.deleted WHERE NOT had_canonical'), []);
  assert.equal(await count(cluster, 'SELECT count(*) FROM witness.deleted'), total);
  assert.deepEqual(await cluster.query('SELECT * FROM dupwatch.quarantine_circuit'), []);
  for (const { id } of await cluster.query('SELECT id FROM dupwatch.quarantine WHERE restored_at IS NULL')) await restore(cluster, id);
  assert.deepEqual(await differences(cluster), []);
  t.diagnostic(`${total} acts, ${restored} put back while they went on, ${struck.kills} kills -9, ${await count(cluster, `SELECT count(*) FROM ${EVENTS}`)} rows equal to the twin`);
});
