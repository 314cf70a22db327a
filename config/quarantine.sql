-- The quarantine: dupwatch.quarantine, and what the role dupwatch needs to move rows there. `dupwatch setup --print-sql
-- --quarantine` prints the same for the names in your configuration, with everything else that dupwatch needs.
-- Where `dupwatch quarantine apply` keeps the rows it takes out of the log. SELECT on all columns,
-- payloads included, because a row is kept whole; DELETE, never INSERT or UPDATE: `quarantine restore` is for
-- a role that may write the table, such as its owner.
DO $dupwatch$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'dupwatch') THEN
    CREATE SCHEMA "dupwatch";
    COMMENT ON SCHEMA "dupwatch" IS 'made by dupwatch setup';
  END IF;
END
$dupwatch$;
CREATE TABLE IF NOT EXISTS dupwatch.quarantine (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  finding_id text NOT NULL,
  rule text NOT NULL,
  table_name text NOT NULL,
  run_id text NOT NULL,
  event_id text NOT NULL,
  action text NOT NULL, -- removed: the row is here only; recorded: it is in the log too; neutralised: it is a noop there
  requested_by text NOT NULL, -- operator, daemon
  finding jsonb NOT NULL,
  kept jsonb NOT NULL, -- column -> its text, SQL NULL as null
  removed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  removed_by text NOT NULL DEFAULT session_user,
  restored_at timestamptz,
  restored_by text
);
CREATE UNIQUE INDEX IF NOT EXISTS quarantine_kept ON dupwatch.quarantine (table_name, run_id, event_id, action)
  WHERE restored_at IS NULL;
CREATE INDEX IF NOT EXISTS quarantine_recent ON dupwatch.quarantine (table_name, removed_at)
  WHERE requested_by = 'daemon';
-- Opened by the daemon when it has taken out more than the configuration allows or finds something it can't
-- explain; `dupwatch quarantine resume`, as a role with UPDATE, closes it.
CREATE TABLE IF NOT EXISTS dupwatch.quarantine_circuit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  table_name text NOT NULL,
  reason text NOT NULL,
  detail text NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  opened_by text NOT NULL DEFAULT session_user,
  closed_at timestamptz,
  closed_by text
);
CREATE UNIQUE INDEX IF NOT EXISTS quarantine_circuit_open ON dupwatch.quarantine_circuit (table_name) WHERE closed_at IS NULL;
GRANT SELECT, INSERT (table_name, reason, detail) ON dupwatch.quarantine_circuit TO "dupwatch";
GRANT USAGE ON SCHEMA dupwatch TO "dupwatch";
GRANT SELECT, INSERT ON dupwatch.quarantine TO "dupwatch";
GRANT SELECT, DELETE ON "workflow"."workflow_events" TO "dupwatch";
