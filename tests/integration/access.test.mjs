// Once it has streamed, dupwatch outlasts every refusal: it says why it is not ready, and goes on when all is right again.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { EVENTS, assertTruth, daemonFor, insertEvents, runSetup } from './scene.mjs';

const HBA = ['local all all trust', 'host all watcher 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 trust'];
const SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'watcher'";

const sql = (...statements) => async (cluster) => {
  for (const statement of statements) await cluster.query(statement);
};
const hba = (lines) => (cluster) => {
  cluster.configure({}, lines);
  cluster.reload();
};
/** As `postgres` in another database, for what is about the one that is watched. */
const fromOutside = (...statements) => async (cluster) => {
  const client = await cluster.client({ database: 'postgres' });
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
};

// refuse: takes effect at the next login. reason: what /readyz says. gap: of coverage, when rows may have gone unseen.
const REFUSALS = [
  { name: 'a password that is rotated', refuse: sql("ALTER ROLE watcher PASSWORD 'other'"), allow: sql("ALTER ROLE watcher PASSWORD 'secret'"), reason: /password authentication failed/ },
  { name: 'a role without LOGIN', refuse: sql('ALTER ROLE watcher NOLOGIN'), allow: sql('ALTER ROLE watcher LOGIN'), reason: /not permitted to log in/ },
  { name: 'a role that has expired', refuse: sql("ALTER ROLE watcher VALID UNTIL '2001-01-01'"), allow: sql("ALTER ROLE watcher VALID UNTIL 'infinity'"), reason: /password authentication failed/ },
  { name: 'pg_hba.conf', refuse: hba(['local all all trust', 'host all watcher 127.0.0.1/32 reject', 'host all all 127.0.0.1/32 trust']), allow: hba(HBA), reason: /pg_hba\.conf/ },
  { name: 'no REPLICATION', refuse: sql('ALTER ROLE watcher NOREPLICATION'), allow: sql('ALTER ROLE watcher REPLICATION'), reason: /replication|walsender|WAL sender/i },
  { name: 'no SELECT', refuse: sql(`REVOKE SELECT ON ${EVENTS} FROM watcher`), allow: sql(`GRANT SELECT ON ${EVENTS} TO watcher`), reason: /no right to SELECT/ },
  { name: 'no CONNECT', refuse: sql('REVOKE CONNECT ON DATABASE app FROM PUBLIC', 'REVOKE CONNECT ON DATABASE app FROM watcher'), allow: sql('GRANT CONNECT ON DATABASE app TO PUBLIC', 'GRANT CONNECT ON DATABASE app TO watcher'), reason: /permission denied for database/ },
  { name: 'a database that is renamed', refuse: fromOutside(SESSIONS, 'ALTER DATABASE app RENAME TO away'), allow: fromOutside('ALTER DATABASE away RENAME TO app'), reason: /does not exist/ },
  { name: 'a database that admits nobody', refuse: fromOutside('ALTER DATABASE app ALLOW_CONNECTIONS false'), allow: fromOutside('ALTER DATABASE app ALLOW_CONNECTIONS true'), reason: /not currently accepting connections/ },
  { name: 'a table that is renamed', refuse: sql(`ALTER TABLE ${EVENTS} RENAME TO away`), allow: sql('ALTER TABLE workflow.away RENAME TO workflow_events'), reason: /does not exist/ },
];

for (const plugin of ['wal2json', 'pgoutput']) {
  describe(`access that is refused for a while, ${plugin}`, () => {
    let cluster;
    before(async () => {
      cluster = await createCluster({ hba: HBA });
      await installSchema('4.1.1', cluster.uri());
      await cluster.query("CREATE ROLE watcher LOGIN REPLICATION PASSWORD 'secret'");
    });
    after(() => cluster?.destroy());

    let number = 0;
    /** A duplicate in a run that is open: what a gap may hide, a scan of the open runs finds. */
    async function pair(run) {
      await cluster.query("INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ($1, 'd', 'running', 'w')", [run]);
      await insertEvents(cluster, [0, 1].map(() => ({ run, type: 'step_created', correlation: `step_${number}` })));
    }

    async function started(t) {
      const daemon = await daemonFor(t, cluster, {
        connection: { dsn: cluster.dsn({ user: 'watcher', password: 'secret' }), backoff_min: '20ms', backoff_max: '200ms' }, slot: { plugin },
      });
      await runSetup(cluster, daemon);
      await daemon.start();
      return daemon;
    }

    test('what passes is waited for', async (t) => {
      const daemon = await started(t);
      for (const { name, refuse, allow, reason } of REFUSALS) {
        number += 1;
        await pair(`wrun_before_${number}`);
        await refuse(cluster);
        await fromOutside(SESSIONS)(cluster);
        await daemon.until(`the reason after: ${name}`, async () => {
          const answer = await daemon.fetch('/readyz');
          return answer.status === 503 && reason.test(await answer.text());
        });
        assert.ok(await daemon.metric('dupwatch_slot_retained_wal_bytes') >= 0, 'what is known of the slot stays');
        await allow(cluster);
        await pair(`wrun_after_${number}`);
        await daemon.ready();
        await assertTruth(daemon, { atLeast: 2 * number });
      }
      await daemon.stop();
    });

    test('a publication that is dropped and made again', { skip: plugin === 'pgoutput' ? false : 'has none' }, async (t) => {
      const daemon = await started(t);
      await cluster.query('DROP PUBLICATION dupwatch');
      await pair('wrun_unpublished');
      await daemon.until('the reason', async () => /publication/.test(await (await daemon.fetch('/readyz')).text()));
      // The rows in between are decoded by a catalogue without it, for ever.
      await runSetup(cluster, daemon);
      await pair('wrun_published');
      await daemon.line('the step over', (line) => line.gap === 'poison_row');
      await daemon.ready();
      await daemon.until('a scan', async () => (await daemon.status()).coverage.complete_since !== null);
      await pair('wrun_afterwards');
      await daemon.caughtUp();
      const known = new Set((await daemon.json('/api/findings?limit=1000')).findings.map((finding) => finding.run_id));
      assert.ok(known.has('wrun_published') && known.has('wrun_afterwards'), daemon.tail());
      await daemon.stop();
    });

    test('a database that is dropped by force and made anew', async (t) => {
      const daemon = await started(t);
      await pair('wrun_dropped');
      await daemon.caughtUp();
      await assert.rejects(fromOutside('DROP DATABASE app WITH (FORCE)')(cluster), /used by an active logical replication slot/);
      await daemon.until('the end of the database', () => (
        fromOutside("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active", 'DROP DATABASE app WITH (FORCE)')(cluster).then(() => true, () => false)));
      await daemon.until('the reason', async () => /does not exist/.test(await (await daemon.fetch('/readyz')).text()));
      await fromOutside('CREATE DATABASE app')(cluster);
      await installSchema('4.1.1', cluster.uri());
      number += 1;
      await pair('wrun_between');
      await runSetup(cluster, daemon);
      await daemon.ready();
      await daemon.until('a covered start', async () => (await daemon.status()).coverage.complete_since !== null);
      await pair('wrun_later');
      await daemon.caughtUp();
      const known = new Set((await daemon.json('/api/findings?limit=100')).findings.map((finding) => finding.run_id));
      assert.ok(known.has('wrun_later'), daemon.tail());
      await daemon.stop();
    });
  });
}
