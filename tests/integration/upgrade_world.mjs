// Databases for upgrades: logs with damage of every kind that a migration of the engine trips over, written without looking
// at what dupwatch knows, and the engine's own migrator to run over them.
import fs from 'node:fs';
import { Random, ulid } from '../engines/ids.mjs';
import { EVENTS } from './scene.mjs';

const TYPES = { step: ['step_created', 'step_started', 'step_completed'], wait: ['wait_created', 'wait_completed'], hook: ['hook_created', 'hook_received', 'hook_disposed'] };

/**
 * The rows of a log: `runs` runs of a few entities each, of which a third has a second creation event somewhere, some a third,
 * some one that sorts first but is written last, some after the closing event, and some without a correlation id. `attributes` of them
 * have one that was set twice. Rows come in the order in which they are to be written.
 */
export function dirtyLog(seed, { runs = 60, attributes = 0, duplicates = 0.35, now = Date.now() } = {}) {
  const random = new Random(`upgrade/${seed}`);
  const rows = [];
  const late = [];
  const states = [];
  for (let number = 0; number < runs; number += 1) {
    const begun = now - random.between(1, 20 * 86_400) * 1000;
    const run = `wrun_${ulid(begun, random)}`;
    let time = begun;
    const add = (type, correlation, at, list = rows) => list.push({ run, type, correlation, id: `wevt_${ulid(at, random)}` });
    add('run_created', null, time += 1);
    const fresh = random.chance(0.1);
    if (!fresh || random.chance(0.5)) add('run_started', null, time += 1);
    for (let entity = fresh ? 0 : random.between(1, 4); entity > 0; entity -= 1) {
      const kind = random.pick(Object.keys(TYPES));
      const correlation = random.chance(0.05) ? null : `${kind}_${ulid(time, random)}`;
      const created = time += random.between(5, 50);
      add(TYPES[kind][0], correlation, created);
      for (const type of TYPES[kind].slice(1)) if (random.chance(0.8)) add(type, correlation, time += random.between(1, 50));
      while (random.chance(duplicates)) {
        // Before the first, between, or after the close; written at once, or into space that a VACUUM freed.
        const at = random.pick([created - 2, created + 1, (time += 5)]);
        add(TYPES[kind][0], correlation, at, random.chance(0.5) ? late : rows);
      }
    }
    if (number < attributes) {
      const correlation = `attr_${ulid(time, random)}`;
      for (let twice = 0; twice < 2; twice += 1) add('attr_set', correlation, time += 1);
      for (let twice = 0; twice < 2; twice += 1) add('attr_set', null, time += 1);
    }
    const status = random.pick(fresh ? ['pending', 'running'] : ['running', 'completed', 'failed', 'cancelled']);
    if (['completed', 'failed', 'cancelled'].includes(status)) add(`run_${status}`, null, time += 5);
    states.push({ run, status });
  }
  return { rows, late, states };
}

const INSERT = `INSERT INTO ${EVENTS} (run_id, type, correlation_id, id)
  SELECT run, type, correlation, id FROM jsonb_to_recordset($1::jsonb) AS rows(run text, type text, correlation text, id text)`;

/** Writes the log: the late rows come into the space of rows that are gone, so that places and ids disagree. */
export async function writeLog(cluster, { rows, late, states }) {
  await cluster.query(`ALTER TABLE ${EVENTS} SET (autovacuum_enabled = off)`);
  await cluster.query(`INSERT INTO ${EVENTS} (run_id, type, id) SELECT 'wrun_gone', 'step_started', 'gone_' || i FROM generate_series(1, $1::int) i`, [late.length + 50]);
  await cluster.query(INSERT, [JSON.stringify(rows)]);
  await cluster.query(`DELETE FROM ${EVENTS} WHERE run_id = 'wrun_gone'`);
  await cluster.query(`VACUUM ${EVENTS}`);
  await cluster.query(INSERT, [JSON.stringify(late)]);
  const [{ schema }] = await cluster.query(`SELECT n.nspname AS schema FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typname = 'status' AND n.nspname IN ('public', 'workflow')`);
  await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name, input)
    SELECT run, 'd', status::${schema}.status, 'w', '[]' FROM jsonb_to_recordset($1::jsonb) AS rows(run text, status text)`, [JSON.stringify(states)]);
  await cluster.query(`ANALYZE ${EVENTS}`);
}

/** What the log is, in two words each: the rows, and the identities of which one row must be first. */
export const rowsOf = async (cluster) => (await cluster.query(`SELECT run_id, correlation_id, type, id FROM ${EVENTS} ORDER BY run_id, id COLLATE "C"`))
  .map(({ run_id: run, correlation_id: correlation, type, id }) => `${run} ${correlation} ${type} ${id}`);

/**
 * What a migration made of the log, counted from its rows before and after: {deleted, otherKept, leftFatal}. An identity lost its
 * first row when the smallest id of it is gone, and is left fatal when a closing event of its entity sorts before what stays.
 */
export function losses(before, after) {
  const parse = (line) => line.split(' ');
  const stays = new Set(after);
  const groups = new Map();
  const closings = new Map();
  for (const line of before) {
    const [run, correlation, type, id] = parse(line);
    if (/_(completed|disposed)$|^step_failed$/.test(type) && !type.startsWith('run_')) {
      const key = `${run} ${correlation} ${type.split('_')[0]}`;
      if (!closings.has(key) || id < closings.get(key)) closings.set(key, id);
    }
    if (!/^(step|wait|hook)_created$/.test(type)) continue;
    const key = `${run} ${correlation} ${type}`;
    groups.set(key, [...(groups.get(key) ?? []), line]);
  }
  const found = { identities: 0, deleted: 0, otherKept: 0, leftFatal: 0 };
  for (const lines of groups.values()) {
    if (lines.length < 2) continue;
    found.identities += 1;
    found.deleted += lines.filter((line) => !stays.has(line)).length;
    const ids = lines.map((line) => parse(line)[3]).sort();
    const [run, correlation, type, kept] = parse(lines.find((line) => stays.has(line)));
    found.otherKept += kept === ids[0] ? 0 : 1;
    // NULL is one entity per kind here: what has no correlation id shares its closing events with its like.
    const closing = closings.get(`${run} ${correlation} ${type.split('_')[0]}`);
    found.leftFatal += closing !== undefined && kept > closing ? 1 : 0;
  }
  return found;
}

/** The migrations that a package brings, by its own journal. */
export const migrationsOf = (world) => JSON.parse(fs.readFileSync(new URL(
  `../writers/${world}/node_modules/@workflow/world-postgres/src/drizzle/migrations/meta/_journal.json`, import.meta.url), 'utf8'))
  .entries.map(({ tag }) => tag);
/** How many of them the database's journal has. */
export const applied = async (cluster) => Number((await cluster.query('SELECT count(*) AS n FROM workflow_drizzle.workflow_migrations'))[0].n);
