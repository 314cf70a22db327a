// A table with rules of its own: every kind of rule over both plugins, rows in and out of order, NULLs, a restart; what the
// daemon finds, and what audit and explain say, is what SQL says.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { runCommand } from './daemon.mjs';
import { latestFindings } from './ground_truth.mjs';
import { compareRules } from './rules_sql.mjs';
import { daemonFor, serverWithSchema } from './scene.mjs';

const TABLE = `
  CREATE SCHEMA shop;
  CREATE TABLE shop.events (id bigserial PRIMARY KEY, order_id text NOT NULL, kind text NOT NULL, line text, n integer, payload jsonb);
  CREATE INDEX ON shop.events (order_id, id);
  ALTER SEQUENCE shop.events_id_seq RESTART 1000`;

const PROFILE = {
  name: 'shop.events', run_column: 'order_id', id_column: 'id', type_column: 'kind',
  run_label: 'order', event_label: 'item',
  rules: {
    line_added_twice: { unique: ['line'], types: ['added'], severity: 'fatal', reason: 'the line is shipped twice' },
    same_again: { unique: ['kind', 'line', 'n'], nulls: 'equal', severity: 'harmless' },
    ends_once: { one_ending: ['closed', 'cancelled'], severity: 'conflict' },
    over: { nothing_after: ['closed', 'cancelled'], types: ['added', 'shipped'], severity: 'fatal' },
    note_after_shipping: { after_closing: ['shipped'], types: ['note'], columns: ['line'] },
    added_and_refused: { conflict: ['added', 'refused'], columns: ['line'], severity: 'conflict' },
    shipped_unseen: { opener: ['added'], types: ['shipped'], columns: ['line'], severity: 'fatal' },
    no_hole: { dense: 'n', from: 1, severity: 'fatal' },
    in_order: { increasing: true, severity: 'harmless' },
  },
};

const settle = (daemon) => daemon.caughtUp().then(() => sleep(7000));

async function assertRules(daemon, profile, options = {}) {
  const client = await daemon.cluster.client();
  try {
    let result = await compareRules(options.source ?? daemon.findingsFile, client, profile, options);
    // What later rows have set right is closed by a recheck, ten seconds after it was reported.
    for (let i = 0; i < 40 && (result.missed.length || result.false_.length) && !options.source; i += 1) {
      await sleep(1000);
      result = await compareRules(daemon.findingsFile, client, profile, options);
    }
    assert.deepEqual({ missed: result.missed, false_: result.false_ }, { missed: [], false_: [] }, daemon.tail(5));
    return result.expected;
  } finally {
    await client.end();
  }
}

/** Orders with every kind of fault among many without one. */
async function faultyOrders(cluster, first) {
  await cluster.query(`
    INSERT INTO shop.events (order_id, kind, line, n)
    SELECT 'o' || ((random() * 12)::int + ${first}),
           (ARRAY['added', 'shipped', 'note', 'refused', 'closed', 'cancelled', 'other'])[1 + floor(random() * random() * 7)::int],
           CASE WHEN random() < 0.8 THEN 'l' || (random() * 5)::int END, CASE WHEN random() < 0.7 THEN (random() * 9)::int END
    FROM generate_series(1, 150)`);
}

for (const plugin of ['wal2json', 'pgoutput']) {
  test(`every kind of rule, ${plugin}`, async (t) => {
    const cluster = await serverWithSchema(t, { world: null, settings: { track_commit_timestamp: 'on' } });
    await cluster.query(TABLE);
    await cluster.query('SELECT setseed(0.5)');
    await faultyOrders(cluster, 100);
    const daemon = await daemonFor(t, cluster, { profile: 'generic', slot: { plugin }, baseline: 'all', recheck: { interval: '1s' }, table: PROFILE });
    await daemon.start();
    // What was there before the stream, all but the order of commits.
    await settle(daemon);
    const before = await assertRules(daemon, PROFILE, { without: ['in_order'] });
    assert.ok(before > 40, `${before}`);
    for (const first of [0, 5, 100]) await faultyOrders(cluster, first);
    await settle(daemon);
    assert.ok(await assertRules(daemon, PROFILE, { without: ['in_order'] }) > before + 100);

    // Ids that are drawn in one order and commit in another; a hole and a missing opener that last a moment alone.
    const [slow, quick] = [await cluster.client(), await cluster.client()];
    await slow.query('BEGIN');
    await slow.query(`INSERT INTO shop.events (order_id, kind, line, n) VALUES ('late', 'added', 'x', 1)`);
    await quick.query(`INSERT INTO shop.events (order_id, kind, line, n) VALUES ('late', 'shipped', 'x', 2)`);
    await quick.query(`INSERT INTO shop.events (order_id, kind, line, n) VALUES ('lost', 'shipped', 'x', 3)`);
    await sleep(2000);
    await slow.query('COMMIT');
    await Promise.all([slow.end(), quick.end()]);
    await settle(daemon);
    await assertRules(daemon, { ...PROFILE, rules: { in_order: PROFILE.rules.in_order }, from: `(SELECT xmin, * FROM shop.events WHERE order_id IN ('late', 'lost'))` },
      { without: Object.keys(PROFILE.rules).filter((name) => name !== 'in_order') });
    const late = latestFindings(daemon.findingsFile).filter(({ run_id: run }) => run === 'late');
    assert.deepEqual(late.map(({ profile_rule: rule }) => rule), ['in_order']);
    assert.deepEqual(latestFindings(daemon.findingsFile).filter(({ run_id: run }) => run === 'lost').map(({ profile_rule: rule }) => rule).sort(), ['no_hole', 'shipped_unseen']);

    // A restart reads back what it needs and says nothing twice.
    await daemon.stop();
    await faultyOrders(cluster, 0);
    await daemon.start();
    await settle(daemon);
    await assertRules(daemon, PROFILE, { without: ['in_order'] });

    // What is set right is closed.
    await cluster.query(`INSERT INTO shop.events (id, order_id, kind, line, n) VALUES (1, 'lost', 'added', 'x', 1), (2, 'lost', 'added', 'y', 2)`);
    await daemon.until('the findings of the lost order to be gone', () => latestFindings(daemon.findingsFile)
      .filter(({ run_id: run, profile_rule: rule }) => run === 'lost' && rule !== 'in_order').every(({ state }) => state === 'gone'));

    const audit = await runCommand(['audit', '--json', '--config', daemon.configFile]);
    assert.equal(audit.code, 1, audit.stderr);
    const findings = audit.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter(({ event }) => event === 'finding');
    await assertRules(daemon, PROFILE, { source: findings, without: ['in_order'] });
    const explain = await runCommand(['explain', 'late', '--config', daemon.configFile]);
    assert.match(explain.stdout, /^order late: 2 items, judged by profile generic$/m);
  });
}
