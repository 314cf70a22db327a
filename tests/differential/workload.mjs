// One workload for both plugins: every value that a plugin could write differently, and every statement that changes
// what a row looks like while the stream runs.
import { literal } from '../postgres/client.mjs';

/** The watched tables: schema, name, columns. Their order is the index in the decoders' output. */
export const TABLES = [
  ['workflow', 'workflow_events', 'run_id', 'id', 'correlation_id', 'type'],
  ['Od d.S,c*', 'T "q" \\é', 'B,1', 'a"b', 'new\nline'],
  ['workflow', 'typed', 'i', 'n', 'f', 'b', 'd', 'u', 'j', 'e', 'a', 'm', 't'],
  ['workflow', 'toasted', 'id', 'payload'],
  ['Od d.S,c*', 'differing', 'f', 'p'],
];

export const SETUP = [
  'CREATE SCHEMA workflow',
  'CREATE SCHEMA "Od d.S,c*"',
  "CREATE TYPE workflow.mood AS ENUM ('sad', 'h,a\"ppy')",
  'CREATE DOMAIN workflow.flag AS boolean',
  `CREATE TABLE workflow.workflow_events (
     id varchar PRIMARY KEY, run_id varchar NOT NULL, correlation_id varchar, type varchar, payload bytea)`,
  `CREATE TABLE "Od d.S,c*"."T ""q"" \\é" ("a""b" text, dropped int, "B,1" text, "new\nline" text)`,
  `CREATE TABLE workflow.typed (i bigint, n numeric, f float8, b boolean, d timestamptz, u uuid, j jsonb,
     e workflow.mood, a text[], m workflow.flag, t text)`,
  'CREATE TABLE workflow.toasted (id text PRIMARY KEY, payload text)',
  'ALTER TABLE workflow.toasted ALTER payload SET STORAGE EXTERNAL',
  'CREATE TABLE "Od d.S,c*".differing (f float8, p bytea)',
  'CREATE TABLE workflow.not_watched (id int PRIMARY KEY)',
  'CREATE TABLE workflow_events (run_id text, id text, correlation_id text, type text)',
];

let serial = 0;

function event(correlationId, type = 'step_created', run = 'r1', id = `e-${(serial += 1)}`) {
  const value = (text) => (text === null ? 'NULL' : literal(text));
  return `INSERT INTO workflow.workflow_events (run_id, id, correlation_id, type, payload)
    VALUES (${[run, id, correlationId, type].map(value).join(', ')}, '\\xdeadbeef')`;
}

const CONTROL = Array.from({ length: 31 }, (_, i) => String.fromCharCode(i + 1)).join('');

const NASTY_TEXTS = ['', ' ', 'null', 'true', '1e5', '"', '\\', '\\u0041', '\\"', '/', "'", '{"name":"id"}', '],}', CONTROL, '\x7f',
  'é ü 漢字', '😀', '\u2028\u2029\ufeff', '\u0300', 'ｆｕｌｌ'];

export function smallWorkload() {
  return [
    event('s1'), event(null), event(null, null), ...NASTY_TEXTS.map((text) => event(text)),
    // Several rows and tables in one transaction; what was rolled back never happened.
    'BEGIN', event('s2'), 'SAVEPOINT a', event('rolled_back'), 'ROLLBACK TO a', 'SAVEPOINT b', event('s3'), 'RELEASE b',
    `INSERT INTO "Od d.S,c*"."T ""q"" \\é" VALUES ('A', 1, 'B', NULL)`, 'INSERT INTO workflow.not_watched VALUES (1)',
    "INSERT INTO public.workflow_events VALUES ('other', 'schema', NULL, 'x')", 'COMMIT',
    'BEGIN', event('rolled_back'), 'ROLLBACK',
    `INSERT INTO workflow.typed VALUES (-9223372036854775808, 12345678901234567890.12345678900, 1.5e300, true,
       '2020-01-01 00:00:00+00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"k": [1, "é\\n"]}', 'h,a"ppy', '{"a,b",NULL,"\\""}', false, '')`,
    'INSERT INTO workflow.typed DEFAULT VALUES',
    // A table whose columns change while it is written to, within and between transactions.
    'ALTER TABLE workflow.workflow_events ADD added int DEFAULT 7', event('after_add'),
    'BEGIN', 'ALTER TABLE workflow.workflow_events DROP added, ADD first text', event('in_ddl'), 'COMMIT',
    'ALTER TABLE workflow.workflow_events RENAME correlation_id TO corr',
    "INSERT INTO workflow.workflow_events (run_id, id, corr, type) VALUES ('r', 'unreadable', 's', 'x')",
    'ALTER TABLE workflow.workflow_events RENAME corr TO correlation_id', event('named_back'),
    'ALTER TABLE workflow.workflow_events ALTER type TYPE text', event('retyped'),
    `ALTER TABLE "Od d.S,c*"."T ""q"" \\é" DROP dropped`, `INSERT INTO "Od d.S,c*"."T ""q"" \\é" VALUES ('A', 'B', 'C')`,
    `ALTER TABLE "Od d.S,c*"."T ""q"" \\é" RENAME "B,1" TO gone`, `INSERT INTO "Od d.S,c*"."T ""q"" \\é" VALUES ('A', 'B', 'C')`,
    // Away and back with no row in between: the one case in which both plugins see every row.
    'ALTER TABLE workflow.workflow_events RENAME TO elsewhere', 'ALTER TABLE workflow.elsewhere RENAME TO workflow_events', event('back'),
    ...messages(),
    ...changedRows(),
    'TRUNCATE workflow.workflow_events, workflow.not_watched, workflow.typed', event('after_truncate'),
    'BEGIN', 'TRUNCATE workflow.typed', 'COMMIT', 'BEGIN', 'TRUNCATE workflow.toasted', 'ROLLBACK',
    'VACUUM FULL workflow.workflow_events', 'CREATE MATERIALIZED VIEW workflow.mv AS SELECT * FROM workflow.workflow_events',
  ];
}

function messages() {
  const say = (transactional, prefix, text) => `SELECT pg_logical_emit_message(${transactional}, '${prefix}', ${literal(text)})`;
  return [
    say(true, 'dupwatch', 'alone "é"\n'), say(false, 'dupwatch', 'outside'), say(false, 'other', 'not ours'), say(true, 'other', 'not ours'),
    'BEGIN', event('with_message'), say(true, 'dupwatch', ''), say(false, 'dupwatch', 'within'), 'COMMIT',
    'BEGIN', say(true, 'dupwatch', 'rolled_back'), 'ROLLBACK',
  ];
}

function changedRows() {
  return [
    event('s', 'x', 'r', 'e-deleted'), "UPDATE workflow.workflow_events SET type = 'y' WHERE id = 'e-deleted'",
    "DELETE FROM workflow.workflow_events WHERE id = 'e-deleted'",
    "INSERT INTO workflow.toasted VALUES ('t1', repeat('0123456789', 300))", "UPDATE workflow.toasted SET id = 't1-moved'",
    'ALTER TABLE workflow.workflow_events REPLICA IDENTITY FULL', event('s', 'x', 'r', 'e-full'),
    "UPDATE workflow.workflow_events SET correlation_id = NULL WHERE id = 'e-full'", "DELETE FROM workflow.workflow_events WHERE id = 'e-full'",
    'ALTER TABLE workflow.workflow_events REPLICA IDENTITY DEFAULT',
  ];
}

export function bigRows() {
  const row = (text) => `INSERT INTO workflow.workflow_events (run_id, id, correlation_id, type, payload)
    VALUES ('big', 'e-${(serial += 1)}', repeat(${literal(text)}, 1000000), 'big', decode(repeat('00ff', 100000), 'hex'))`;
  return [row('x'), row('é'), row('"')];
}
