// What people and tools change on a live table and server, each with what puts it back. `apply` and `undo` get {sql, outside,
// setup, cluster}: SQL as the superuser in the watched database or in another one, and what `dupwatch setup` prints.
// plugin: only with that one. quiet: nothing can be inserted under the table's name meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENTS } from '../integration/scene.mjs';

const ROLE = 'dupwatch';
const COLUMNS = '(run_id, id, type, correlation_id)';
const SESSIONS = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE}'`;
const statements = (...list) => async ({ sql }) => {
  for (const statement of list) await sql(statement);
};
const change = (name, apply, undo = [], more = {}) => ({
  name, apply: Array.isArray(apply) ? statements(...apply) : apply, undo: Array.isArray(undo) ? statements(...undo) : undo, ...more,
});
/** A setting of the role, which counts for its next sessions. */
const roleSetting = (name, value) => change(`the role's ${name} is ${value}`, [`ALTER ROLE ${ROLE} SET ${name} = '${value}'`, SESSIONS], [`ALTER ROLE ${ROLE} RESET ${name}`, SESSIONS]);
const serverSetting = (name, value) => change(`the server's ${name} is ${value}`, [`ALTER SYSTEM SET ${name} = '${value}'`, 'SELECT pg_reload_conf()', SESSIONS], [`ALTER SYSTEM RESET ${name}`, 'SELECT pg_reload_conf()', SESSIONS]);
const pgoutput = { plugin: 'pgoutput' };
const wal2json = { plugin: 'wal2json' };

export const CHANGES = [
  // The publication.
  change('the publication publishes deletes alone', ["ALTER PUBLICATION dupwatch SET (publish = 'delete')"], ["ALTER PUBLICATION dupwatch SET (publish = 'insert')"], pgoutput),
  change('a row filter lets one type through', [`ALTER PUBLICATION dupwatch SET TABLE ${EVENTS} ${COLUMNS} WHERE (type::text = 'run_created')`], [`ALTER PUBLICATION dupwatch SET TABLE ${EVENTS} ${COLUMNS}`], pgoutput),
  change('a row filter lets nobody through', [`ALTER PUBLICATION dupwatch SET TABLE ${EVENTS} ${COLUMNS} WHERE (run_id::text = 'nobody')`], [`ALTER PUBLICATION dupwatch SET TABLE ${EVENTS} ${COLUMNS}`], pgoutput),
  change('the publication loses the table', [`ALTER PUBLICATION dupwatch DROP TABLE ${EVENTS}`], [`ALTER PUBLICATION dupwatch ADD TABLE ${EVENTS} ${COLUMNS}`], pgoutput),
  change('the publication has all columns', [`ALTER PUBLICATION dupwatch SET TABLE ${EVENTS}`], [`ALTER PUBLICATION dupwatch SET TABLE ${EVENTS} ${COLUMNS}`], pgoutput),
  change('the publication lacks a column', [`ALTER PUBLICATION dupwatch SET TABLE ${EVENTS} (run_id, id, type)`], [`ALTER PUBLICATION dupwatch SET TABLE ${EVENTS} ${COLUMNS}`], pgoutput),
  change('the publication is renamed', ['ALTER PUBLICATION dupwatch RENAME TO away'], ['ALTER PUBLICATION away RENAME TO dupwatch'], pgoutput),
  change('the publication is dropped', ['DROP PUBLICATION dupwatch'], ({ setup }) => setup(), pgoutput),
  change('the publication is recreated', async ({ sql, setup }) => { await sql('DROP PUBLICATION dupwatch'); await setup(); }, [], pgoutput),
  // Row-level security.
  change('row-level security that the role bypasses', [`ALTER TABLE ${EVENTS} ENABLE ROW LEVEL SECURITY`], [`ALTER TABLE ${EVENTS} DISABLE ROW LEVEL SECURITY`]),
  change('row-level security that the role is under', [`ALTER ROLE ${ROLE} NOBYPASSRLS`, `ALTER TABLE ${EVENTS} ENABLE ROW LEVEL SECURITY`], [`ALTER TABLE ${EVENTS} DISABLE ROW LEVEL SECURITY`, `ALTER ROLE ${ROLE} BYPASSRLS`]),
  change('a policy that hides a part', [`ALTER ROLE ${ROLE} NOBYPASSRLS`, `CREATE POLICY half ON ${EVENTS} FOR SELECT TO ${ROLE} USING (run_id LIKE '%1')`, `ALTER TABLE ${EVENTS} ENABLE ROW LEVEL SECURITY`],
    [`ALTER TABLE ${EVENTS} DISABLE ROW LEVEL SECURITY`, `DROP POLICY half ON ${EVENTS}`, `ALTER ROLE ${ROLE} BYPASSRLS`]),
  change('row-level security on the runs', ['ALTER TABLE workflow.workflow_runs ENABLE ROW LEVEL SECURITY'], ['ALTER TABLE workflow.workflow_runs DISABLE ROW LEVEL SECURITY']),
  change('NOBYPASSRLS', [`ALTER ROLE ${ROLE} NOBYPASSRLS`], [`ALTER ROLE ${ROLE} BYPASSRLS`]),
  // Rights.
  change('no right to SELECT', [`REVOKE ALL ON ${EVENTS} FROM ${ROLE}`], ({ setup }) => setup()),
  change('no right to one column', [`REVOKE SELECT (correlation_id) ON ${EVENTS} FROM ${ROLE}`], ({ setup }) => setup()),
  change('no right to xmin', [`REVOKE SELECT (xmin) ON ${EVENTS} FROM ${ROLE}`], ({ setup }) => setup()),
  change('no right to the schema', [`REVOKE USAGE ON SCHEMA workflow FROM ${ROLE}`], [`GRANT USAGE ON SCHEMA workflow TO ${ROLE}`]),
  change('no right to the runs', [`REVOKE ALL ON workflow.workflow_runs FROM ${ROLE}`], ({ setup }) => setup()),
  change('no REPLICATION, and all sessions ended', [`ALTER ROLE ${ROLE} NOREPLICATION`, SESSIONS], [`ALTER ROLE ${ROLE} REPLICATION`]),
  change('NOLOGIN, and all sessions ended', [`ALTER ROLE ${ROLE} NOLOGIN`, SESSIONS], [`ALTER ROLE ${ROLE} LOGIN`]),
  change('a connection limit of one', [`ALTER ROLE ${ROLE} CONNECTION LIMIT 1`, SESSIONS], [`ALTER ROLE ${ROLE} CONNECTION LIMIT -1`]),
  // The table.
  change('the table is renamed', [`ALTER TABLE ${EVENTS} RENAME TO away`], [`ALTER TABLE workflow.away RENAME TO workflow_events`], { quiet: true }),
  change('the table moves to another schema', ['CREATE SCHEMA IF NOT EXISTS elsewhere', `ALTER TABLE ${EVENTS} SET SCHEMA elsewhere`], ['ALTER TABLE elsewhere.workflow_events SET SCHEMA workflow'], { quiet: true }),
  change('a column is renamed', [`ALTER TABLE ${EVENTS} RENAME COLUMN correlation_id TO away`], [`ALTER TABLE ${EVENTS} RENAME COLUMN away TO correlation_id`], { quiet: true }),
  change('a column is added and dropped', [`ALTER TABLE ${EVENTS} ADD COLUMN extra text`], [`ALTER TABLE ${EVENTS} DROP COLUMN extra`]),
  change('a column with a volatile default rewrites the table', [`ALTER TABLE ${EVENTS} ADD COLUMN extra float DEFAULT random()`], [`ALTER TABLE ${EVENTS} DROP COLUMN extra`]),
  change('a watched column has another type', [`ALTER TABLE ${EVENTS} ALTER COLUMN correlation_id TYPE text`], [`ALTER TABLE ${EVENTS} ALTER COLUMN correlation_id TYPE varchar`], wal2json),
  change('replica identity full', [`ALTER TABLE ${EVENTS} REPLICA IDENTITY FULL`], [`ALTER TABLE ${EVENTS} REPLICA IDENTITY DEFAULT`]),
  change('replica identity nothing', [`ALTER TABLE ${EVENTS} REPLICA IDENTITY NOTHING`], [`ALTER TABLE ${EVENTS} REPLICA IDENTITY DEFAULT`]),
  change('the table is unlogged', [`ALTER TABLE ${EVENTS} SET UNLOGGED`], [`ALTER TABLE ${EVENTS} SET LOGGED`], wal2json),
  change('a table inherits from it', [`CREATE TABLE workflow.child () INHERITS (${EVENTS})`], ['DROP TABLE workflow.child']),
  change('VACUUM FULL', [`VACUUM FULL ${EVENTS}`]),
  change('CLUSTER by the primary key', [`CLUSTER ${EVENTS} USING workflow_events_pkey`]),
  change('the primary key goes and comes', [`ALTER TABLE ${EVENTS} DROP CONSTRAINT workflow_events_pkey`], [`ALTER TABLE ${EVENTS} ADD PRIMARY KEY (id)`]),
  change('another owner', ['DO $$ BEGIN CREATE ROLE keeper; EXCEPTION WHEN duplicate_object THEN END $$', `ALTER TABLE ${EVENTS} OWNER TO keeper`], [`ALTER TABLE ${EVENTS} OWNER TO postgres`]),
  // The server and its sessions.
  change('all sessions are ended', [SESSIONS]),
  change('the walsender is ended', ['SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active']),
  change('the sessions with queries are ended', [`${SESSIONS} AND backend_type = 'client backend'`]),
  change('a fast restart', ({ cluster }) => cluster.restart('fast')),
  change('a crash', ({ cluster }) => cluster.restart('immediate')),
  change('the table is locked for two seconds', async ({ sql }) => {
    const held = sql(`BEGIN; LOCK TABLE ${EVENTS} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2); COMMIT`);
    await sleep(100);
    await held;
  }),
  change('the slot is dropped', async ({ sql }) => {
    for (let tries = 0; tries < 200; tries += 1) {
      await sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'dupwatch'");
      if (await sql("SELECT pg_drop_replication_slot('dupwatch')").then(() => true, () => false)) return;
    }
    throw new Error('the slot was never free');
  }),
  change('the slot is advanced by another hand', async ({ sql }) => {
    for (let tries = 0; tries < 200; tries += 1) {
      await sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'dupwatch'");
      if (await sql("SELECT pg_replication_slot_advance('dupwatch', pg_current_wal_flush_lsn())").then(() => true, () => false)) return;
    }
    throw new Error('the slot was never free');
  }),
  change('a new segment and a checkpoint', ['SELECT pg_switch_wal()', 'CHECKPOINT']),
  // Settings.
  roleSetting('statement_timeout', '1ms'), roleSetting('bytea_output', 'escape'), roleSetting('default_transaction_isolation', 'serializable'),
  roleSetting('search_path', 'nowhere'), roleSetting('datestyle', 'German'), roleSetting('timezone', 'Asia/Kolkata'), roleSetting('lock_timeout', '1ms'),
  roleSetting('row_security', 'on'), roleSetting('client_encoding', 'LATIN1'), roleSetting('default_transaction_read_only', 'off'), roleSetting('idle_session_timeout', '300ms'),
  serverSetting('idle_session_timeout', '300ms'), serverSetting('wal_sender_timeout', '1s'), serverSetting('default_transaction_isolation', 'serializable'),
  serverSetting('idle_in_transaction_session_timeout', '100ms'), serverSetting('extra_float_digits', '-15'), serverSetting('intervalstyle', 'iso_8601'),
  // Rows that are changed, hidden or gone.
  change('every row is updated', [`UPDATE ${EVENTS} SET payload = NULL`]),
  change('a row comes and goes in one transaction', [`BEGIN; INSERT INTO ${EVENTS} (run_id, type, correlation_id, id) SELECT run_id, type, correlation_id, id || 'x' FROM ${EVENTS} WHERE type = 'step_created' LIMIT 1; DELETE FROM ${EVENTS} WHERE id LIKE '%x'; COMMIT`]),
  change('the runs are many more', ["INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) SELECT 'wrun_more_' || g || random(), 'd', 'completed', 'w' FROM generate_series(1, 5000) g"]),
];

/** Draws from a seed, the same each time (mulberry32). */
export function draws(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6D2B79F5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

