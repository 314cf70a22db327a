// The rules once more, as one SQL statement over the whole table: window functions in place of the daemon's index, so
// that the two have nothing in common but the documentation. Severities are those of tests/engines/README.md.

// type, kind of entity, class (events of one class exclude each other), rule for a second one, rule behind the close.
const TYPES = [
  ['step_created', 'step', 'created', 'duplicate_created', 'lifecycle_after_close'],
  ['step_started', 'step', 'started', null, 'lifecycle_after_close'],
  ['step_retrying', 'step', 'retrying', null, 'lifecycle_after_close'],
  ['step_completed', 'step', 'terminal', 'second_terminal', null],
  ['step_failed', 'step', 'terminal', 'second_terminal', null],
  ['wait_created', 'wait', 'created', 'duplicate_created', 'lifecycle_after_close'],
  ['wait_completed', 'wait', 'terminal', 'second_terminal', null],
  ['hook_created', 'hook', 'created', 'duplicate_created', 'lifecycle_after_close'],
  ['hook_received', 'hook', 'received', null, 'delivery_after_disposal'],
  ['hook_disposed', 'hook', 'terminal', 'second_terminal', null],
  ['hook_conflict', 'hook', 'conflict', null, 'delivery_after_disposal'],
  ['run_created', 'run', 'created', 'duplicate_run_event', null],
  ['run_started', 'run', 'started', 'duplicate_run_event', null],
  ['run_completed', 'run', 'end', 'duplicate_run_event', null],
  ['run_failed', 'run', 'end', 'duplicate_run_event', null],
  ['run_cancelled', 'run', 'cancelled', null, null],
  ['attr_set', 'attribute', 'set', 'duplicate_created', null],
  ['noop', 'filler', 'filler', null, null],
];

// rule, shape, severity on v4, on v5-before-class-skip, on v5.
const SEVERITIES = [
  ['duplicate_created', 'open', 'harmless', 'harmless', 'harmless'],
  ['duplicate_created', 'late', 'fatal', 'fatal', 'harmless'],
  ['duplicate_created', 'first late', 'fatal', 'fatal', 'fatal'],
  ['duplicate_created', 'attribute', 'unknown', 'fatal', 'harmless'],
  ['second_terminal', 'same type', 'fatal', 'fatal', 'harmless'],
  ['second_terminal', 'other type', 'fatal', 'fatal', 'conflict'],
  ['lifecycle_after_close', 'late', 'fatal', 'fatal', 'harmless'],
  ['lifecycle_after_close', 'first late', 'fatal', 'fatal', 'fatal'],
  ['delivery_after_disposal', '', 'fatal', 'fatal', 'fatal'],
  ['id_scheme', '', 'unknown', 'unknown', 'fatal'],
  ['id_scheme', 'no slot', 'harmless', 'harmless', 'fatal'],
  ['slot_gap', '', 'unknown', 'fatal', 'fatal'],
  ['duplicate_run_event', 'same type', 'harmless', 'harmless', 'harmless'],
  ['duplicate_run_event', 'started', 'unknown', 'harmless', 'harmless'],
  ['duplicate_run_event', 'other type', 'conflict', 'conflict', 'conflict'],
  ['hook_self_conflict', '', 'conflict', 'conflict', 'conflict'],
  ['run_lost', '', 'fatal', 'fatal', 'fatal'],
  ['after_run_end', '', 'harmless', 'harmless', 'harmless'],
];

const values = (rows) => rows.map((row) => `(${row.map((value) => (value === null ? 'NULL' : `'${value}'`)).join(', ')})`).join(', ');

const SQL = `
  WITH types(type, kind, class, again, late) AS (VALUES ${values(TYPES)}),
  severities(rule, shape, v4, "v5-before-class-skip", v5) AS (VALUES ${values(SEVERITIES)}),
  stored AS MATERIALIZED (
    SELECT run_id::text COLLATE "C" AS run, id::text COLLATE "C" AS id, type::text AS type, correlation_id::text COLLATE "C" AS entity,
           CASE WHEN $3 THEN (to_jsonb(e) ->> 'spec_version')::int END AS spec
    FROM workflow.workflow_events e
  ), events AS (
    SELECT stored.*, kind, class, CASE WHEN type <> 'attr_set' OR entity IS NOT NULL THEN again END AS again, late,
           id ~ '^evnt_0{10}[0-9]{16}$' AS slot
    FROM stored JOIN types USING (type)
  ), seen AS MATERIALIZED (
    SELECT *,
      min(id) FILTER (WHERE class = 'terminal') OVER entity AS closing,
      min(id) FILTER (WHERE class = 'created' AND kind <> 'run') OVER entity AS opening,
      first_value(id) OVER class AS first_id, first_value(type) OVER class AS first_type,
      min(id) FILTER (WHERE type IN ('run_completed', 'run_failed', 'run_cancelled')) OVER run AS run_end,
      min(id) FILTER (WHERE type = 'run_failed') OVER run AS failed,
      min(id) FILTER (WHERE slot) OVER run AS first_slot, min(id) FILTER (WHERE NOT slot) OVER run AS first_other,
      CASE WHEN first_value(spec) OVER born BETWEEN 1 AND 3 THEN 'v4' WHEN first_value(spec) OVER born BETWEEN 4 AND 5 THEN 'v5-before-class-skip'
           WHEN first_value(spec) OVER born BETWEEN 7 AND 8 THEN 'v5' WHEN bool_or(slot) OVER run AND NOT $2 THEN 'v5' ELSE $1 END AS engine
    FROM events
    WINDOW run AS (PARTITION BY run), born AS (PARTITION BY run ORDER BY spec IS NULL, id), entity AS (PARTITION BY run, kind, entity),
           class AS (PARTITION BY run, kind, entity, class ORDER BY id)
  ), judged AS (
    SELECT seen.*, again AS rule, first_id AS canonical, CASE
        WHEN type = 'attr_set' THEN 'attribute' WHEN type = 'run_started' THEN 'started'
        WHEN class IN ('terminal', 'end') OR kind = 'run' THEN CASE WHEN type = first_type THEN 'same type' ELSE 'other type' END
        WHEN closing IS NULL OR closing > id THEN 'open' WHEN first_id < closing THEN 'late' ELSE 'first late' END AS shape
    FROM seen WHERE again IS NOT NULL AND id <> first_id
    UNION ALL
    SELECT seen.*, late, closing, CASE WHEN late = 'delivery_after_disposal' THEN '' WHEN first_id < closing THEN 'late' ELSE 'first late' END
    FROM seen WHERE late IS NOT NULL AND closing < id AND NOT (again IS NOT NULL AND id <> first_id)
    UNION ALL
    SELECT seen.*, 'hook_self_conflict', opening, '' FROM seen WHERE type = 'hook_conflict' AND opening IS NOT NULL
    UNION ALL
    SELECT seen.*, 'after_run_end', run_end, '' FROM seen WHERE class = 'created' AND kind <> 'run' AND run_end < id
    UNION ALL
    SELECT seen.*, 'id_scheme', coalesce(first_slot, first_other), CASE WHEN first_slot IS NULL THEN 'no slot' ELSE '' END
    FROM seen WHERE id = first_other AND (first_slot IS NOT NULL OR engine = 'v5')
  ), graded AS MATERIALIZED (
    SELECT judged.run, rule, id AS duplicate, canonical, entity, type,
           CASE WHEN rule IN ('after_run_end', 'id_scheme') OR kind = 'run' THEN NULL ELSE closing END AS closing,
           CASE engine WHEN 'v4' THEN v4 WHEN 'v5' THEN v5 ELSE "v5-before-class-skip" END AS severity, run_end, failed
    FROM judged JOIN severities USING (rule, shape)
  ), slots AS (
    SELECT run, id, lag(id) OVER runs AS before, right(id, 18)::bigint AS slot, lag(right(id, 18)::bigint) OVER runs AS slot_before
    FROM stored WHERE id ~ '^evnt_0{10}[0-9]{16}$' WINDOW runs AS (PARTITION BY run ORDER BY id)
  ), holes AS (
    SELECT DISTINCT ON (run) run, id, before FROM slots
    WHERE slot > coalesce(slot_before, 0) + 1 AND NOT (slot = 2 AND slot_before IS NULL) ORDER BY run, id
  )
  SELECT run, rule, severity, duplicate, canonical, closing, entity, type, run_end IS NOT NULL AS ended FROM graded
  UNION ALL
  SELECT DISTINCT ON (run) run, 'run_lost', 'fatal', failed, duplicate, NULL, NULL, 'run_failed', true
  FROM (SELECT * FROM graded WHERE severity = 'fatal' AND duplicate < failed ORDER BY run, duplicate) causes
  UNION ALL
  SELECT run, 'slot_gap', 'fatal', id, coalesce(before, ''), NULL, NULL, '',
         EXISTS (SELECT FROM events e WHERE e.run = holes.run AND e.type IN ('run_completed', 'run_failed', 'run_cancelled'))
  FROM holes WHERE NOT EXISTS (SELECT FROM stored WHERE stored.run = holes.run AND stored.id !~ '^evnt_0{10}[0-9]{16}$')`;

/**
 * Every finding that the table's events call for: {run, rule, severity, duplicate, canonical, closing, entity, type, ended}.
 * engine: the generation of ULID runs; forced: of every run, as when the configuration names it; byRun: a run's own spec version comes before it.
 */
export async function ruleFindings(client, { engine = 'v4', forced = false, byRun = false } = {}) {
  return (await client.query(SQL, [engine, forced, byRun])).rows;
}
