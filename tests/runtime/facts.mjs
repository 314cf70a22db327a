// What SQL over the log and dupwatch.quarantine says of runs, and how it is reported.

const EVENTS = 'workflow.workflow_events';

// Fatal is a row of a step behind the step's closing event by id; the rows in quarantine were in the log as well.
const FACTS = `
  WITH log AS (
    SELECT run_id, correlation_id, type::text AS type, id, false AS removed FROM ${EVENTS} WHERE run_id = ANY ($1)
    UNION ALL
    SELECT run_id, kept ->> 'correlation_id', kept ->> 'type', event_id, true FROM dupwatch.quarantine WHERE run_id = ANY ($1)
  ), closed AS (
    SELECT run_id, correlation_id, min(id COLLATE "C") AS id FROM log WHERE type IN ('step_completed', 'step_failed') GROUP BY 1, 2
  ), fatal AS (
    SELECT l.* FROM log l JOIN closed c USING (run_id, correlation_id) WHERE l.id COLLATE "C" > c.id
  )
  SELECT r.id, r.status::text AS status, (SELECT count(*) FROM fatal f WHERE f.run_id = r.id)::int AS fatal,
         (SELECT count(*) FROM fatal f WHERE f.run_id = r.id AND f.type = 'step_created')::int AS created,
         (SELECT count(*) FROM fatal f WHERE f.run_id = r.id AND f.type = 'step_started')::int AS started,
         (SELECT count(*) FROM log l WHERE l.run_id = r.id AND l.removed)::int AS removed,
         (SELECT count(*) FROM log l WHERE l.run_id = r.id AND l.removed
            AND NOT EXISTS (SELECT FROM fatal f WHERE f.run_id = l.run_id AND f.id = l.id))::int AS wrong,
         (SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM log l WHERE l.run_id = r.id AND l.type = 'step_created'
            GROUP BY l.correlation_id) groups)::int AS duplicates
  FROM workflow.workflow_runs r WHERE r.id = ANY ($1)`;

/** Commit of a row -> commit of its removal. */
const LATENCY = `
  SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - (finding #>> '{duplicate,commit_time}')::timestamptz) * 1000 AS ms
  FROM dupwatch.quarantine WHERE finding #>> '{duplicate,commit_time}' IS NOT NULL ORDER BY 1`;

const sum = (rows, pick) => rows.reduce((total, row) => total + Number(pick(row)), 0);

/** Sums up the facts of runs. */
export function report(name, rows) {
  const hit = rows.filter(({ fatal }) => fatal > 0);
  return {
    name,
    runs: rows.length,
    duplicates: sum(rows, (row) => row.duplicates),
    fatal_created: sum(rows, (row) => row.created),
    fatal_started: sum(rows, (row) => row.started),
    runs_hit: hit.length,
    completed: rows.filter(({ status }) => status === 'completed').length,
    failed: rows.filter(({ status }) => status === 'failed').length,
    unfinished: rows.filter(({ status }) => !['completed', 'failed'].includes(status)).length,
    hit_and_completed: hit.filter(({ status }) => status === 'completed').length,
    failed_without_fatal_row: rows.filter(({ status, fatal }) => status === 'failed' && fatal === 0).length,
    removed: sum(rows, (row) => row.removed),
    wrongly_removed: sum(rows, (row) => row.wrong),
  };
}

const quantile = (sorted, q) => (sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : undefined);

/** Of rows {ms} in order. */
export function spread(rows) {
  const values = rows.map(({ ms }) => Number(ms));
  return { count: values.length, min: values[0], p10: quantile(values, 0.1), p50: quantile(values, 0.5), p90: quantile(values, 0.9), p99: quantile(values, 0.99), max: values.at(-1) };
}

export const factsOf = (cluster, runs) => cluster.query(FACTS, [runs]);
export const removalLatency = async (cluster) => spread(await cluster.query(LATENCY));
