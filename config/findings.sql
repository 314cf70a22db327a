-- The table of findings.table: dupwatch.findings, and what the role dupwatch needs to write it: the newest state of every
-- finding. It may never delete from it nor change which run a finding is of. `dupwatch setup --print-sql` prints the same
-- for the names in your configuration, with everything else that dupwatch needs.
DO $dupwatch$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'dupwatch') THEN
    CREATE SCHEMA "dupwatch";
    COMMENT ON SCHEMA "dupwatch" IS 'made by dupwatch setup';
  END IF;
END
$dupwatch$;
CREATE TABLE IF NOT EXISTS "dupwatch"."findings" (
  finding_id text PRIMARY KEY,
  rule text NOT NULL,
  severity text NOT NULL,
  state text NOT NULL,
  run_id text NOT NULL,
  first_flagged_at timestamptz NOT NULL,
  flagged_at timestamptz NOT NULL,
  record json NOT NULL
);
GRANT USAGE ON SCHEMA "dupwatch" TO "dupwatch";
GRANT SELECT, INSERT ON "dupwatch"."findings" TO "dupwatch";
GRANT UPDATE (severity, state, flagged_at, record) ON "dupwatch"."findings" TO "dupwatch";
