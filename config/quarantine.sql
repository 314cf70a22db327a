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
-- An entry is made of a row that is in the log at that moment, word for word: nothing else can be brought back.
CREATE OR REPLACE FUNCTION dupwatch.quarantine_check() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $dupwatch$
DECLARE
  log regclass := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname || '.' || c.relname = NEW.table_name AND c.relkind IN ('r', 'p') LIMIT 1);
  key text;
  texts text;
  there boolean := false;
BEGIN
  SELECT string_agg(format('e.%I = ($1 ->> %L)::%s', a.attname, a.attname, format_type(a.atttypid, a.atttypmod)), ' AND ')
    INTO key FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = log AND i.indisprimary;
  SELECT format('jsonb_object(ARRAY[%s]::text[], ARRAY[%s]::text[])', string_agg(quote_literal(a.attname), ', ' ORDER BY a.attnum),
      string_agg(format('CASE num_nulls(e.%1$I) WHEN 0 THEN format(''%%s'', e.%1$I) END', a.attname), ', ' ORDER BY a.attnum))
    INTO texts FROM pg_attribute a WHERE a.attrelid = log AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
  IF log IS NOT NULL THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s e WHERE %s AND %s = $1)', log, coalesce(key, 'true'), texts)
      INTO there USING NEW.kept;
  END IF;
  -- Gone meanwhile, perhaps by the hand of another act: nothing is kept.
  IF NOT there THEN
    RETURN NULL;
  END IF;
  IF NEW.restored_at IS NOT NULL OR NEW.restored_by IS NOT NULL
    OR NOT EXISTS (SELECT FROM jsonb_each_text(NEW.kept) k WHERE rtrim(k.value) = rtrim(NEW.run_id))
    OR NOT EXISTS (SELECT FROM jsonb_each_text(NEW.kept) k WHERE rtrim(k.value) = rtrim(NEW.event_id)) THEN
    RAISE EXCEPTION 'an entry of dupwatch.quarantine must be a row that is in %', NEW.table_name USING ERRCODE = 'check_violation';
  END IF;
  NEW.removed_at := clock_timestamp();
  NEW.removed_by := session_user;
  RETURN NEW;
END
$dupwatch$;
CREATE OR REPLACE TRIGGER quarantine_check BEFORE INSERT ON dupwatch.quarantine FOR EACH ROW
  EXECUTE FUNCTION dupwatch.quarantine_check();
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
