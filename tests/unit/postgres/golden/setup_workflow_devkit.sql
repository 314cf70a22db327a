-- dupwatch: what it needs to watch workflow.workflow_events. May be run again. Run it in the table's database, as a superuser or
-- as the table's owner with the right to create roles and publications:
--   dupwatch setup --print-sql | psql -v ON_ERROR_STOP=1 -d ...

-- 1. The role. REPLICATION lets it read every row of every table of the cluster through a slot, whatever
-- else it is granted: guard its login like the superuser's. No password is set here, so that none ends up in
-- a file or log: set one in psql with \password, or let it log in by certificate or peer.
DO $dupwatch$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dupwatch') THEN
    CREATE ROLE "dupwatch" LOGIN;
    COMMENT ON ROLE "dupwatch" IS 'made by dupwatch setup';
  END IF;
  -- Amazon RDS and Aurora keep REPLICATION to themselves and give this role instead.
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication') THEN
    GRANT rds_replication TO "dupwatch";
  ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dupwatch' AND (rolreplication OR rolsuper)) THEN
    ALTER ROLE "dupwatch" REPLICATION;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = SQLERRM, HINT = 'Making roles takes CREATEROLE. REPLICATION is given by a superuser alone before Postgres 16, and from 16 on also by a role that has REPLICATION itself. Managed services have ways of their own: config/providers in dupwatch''s documentation. A role that exists and may replicate is taken as it is.';
END
$dupwatch$;
-- Row-level security that hides a row from this role would hide a duplicate. Who replicates reads every row
-- anyway, so nothing is given away.
DO $dupwatch$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dupwatch' AND (rolbypassrls OR rolsuper)) THEN
    ALTER ROLE "dupwatch" BYPASSRLS;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'BYPASSRLS was not given: dupwatch refuses a table whose row-level security applies to its role';
END
$dupwatch$;

-- 2. Reading. After a restart dupwatch reads the keys of events back, never a payload; xmin, the transaction
-- that wrote a row, and ctid, its place, are named because a grant on columns leaves system columns out.
DO $dupwatch$
BEGIN
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), 'dupwatch');
END
$dupwatch$;
GRANT USAGE ON SCHEMA "workflow" TO "dupwatch";
GRANT SELECT ("run_id", "id", "type", "correlation_id", ctid, xmin) ON "workflow"."workflow_events" TO "dupwatch";
-- Which runs are open: two columns, so that the first start need not read the whole log.
DO $dupwatch$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'workflow' AND c.relname = 'workflow_runs') THEN
    GRANT USAGE ON SCHEMA "workflow" TO "dupwatch";
    GRANT SELECT ("id", "status") ON "workflow"."workflow_runs" TO "dupwatch";
  END IF;
END
$dupwatch$;
-- Which engine writes them, by the spec version of each run, and of the newest ones.
DO $dupwatch$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = to_regclass('"workflow"."workflow_events"') AND a.attname = 'spec_version') THEN
    GRANT SELECT ("spec_version") ON "workflow"."workflow_events" TO "dupwatch";
  END IF;
END
$dupwatch$;
DO $dupwatch$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = to_regclass('"workflow"."workflow_runs"') AND a.attname = 'spec_version') THEN
    GRANT SELECT ("spec_version") ON "workflow"."workflow_runs" TO "dupwatch";
  END IF;
END
$dupwatch$;
-- Steps and waits without their event, and steps that hang: keys and states, never a payload.
DO $dupwatch$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'workflow' AND c.relname = 'workflow_steps') THEN
    GRANT SELECT ("run_id", "step_id", "status") ON "workflow"."workflow_steps" TO "dupwatch";
  END IF;
END
$dupwatch$;
DO $dupwatch$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'workflow' AND c.relname = 'workflow_waits') THEN
    GRANT SELECT ("run_id", "wait_id", "status") ON "workflow"."workflow_waits" TO "dupwatch";
  END IF;
END
$dupwatch$;

-- 3. The publication, for the output plugin pgoutput. Inserts only: publishing updates or deletes would make the
-- application's own UPDATE and DELETE fail whenever the replica identity is not among the columns.
-- The price: while a column is listed it can't be dropped or change its type. A migration that does so has to
-- drop the publication before and run this again after; dupwatch says when it is gone.
DO $dupwatch$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = 'dupwatch') THEN
    RAISE NOTICE 'the publication exists and is left as it is; dupwatch check judges its shape';
    RETURN;
  ELSIF current_setting('server_version_num')::int >= 150000 THEN
    EXECUTE 'CREATE PUBLICATION "dupwatch" FOR TABLE "workflow"."workflow_events" ("run_id", "id", "type", "correlation_id") WITH (publish = ''insert, truncate'', publish_via_partition_root = true);';
  ELSE
    -- Postgres 14 knows no column lists: whole rows are sent.
    EXECUTE 'CREATE PUBLICATION "dupwatch" FOR TABLE "workflow"."workflow_events" WITH (publish = ''insert, truncate'', publish_via_partition_root = true);';
  END IF;
  COMMENT ON PUBLICATION "dupwatch" IS 'made by dupwatch setup';
END
$dupwatch$;
-- Optional, Postgres 15 and later: a row filter also leaves out the rows of types that no rule needs.
-- It saves stream and walsender time where there are many; the price is that column "type" can't change
-- its type while the filter is there.
-- ALTER PUBLICATION "dupwatch" SET TABLE "workflow"."workflow_events" ("run_id", "id", "type", "correlation_id") WHERE ("type"::text IN ('step_created', 'step_started', 'step_retrying', 'step_completed', 'step_failed', 'wait_created', 'wait_completed', 'hook_created', 'hook_received', 'hook_disposed', 'hook_conflict', 'run_created', 'run_started', 'run_completed', 'run_failed', 'run_cancelled', 'attr_set', 'noop'));

-- 4. The server, for a superuser to decide (as comments, because they count for every database). Managed services
-- have switches of their own in the place of ALTER SYSTEM; dupwatch check names them.
-- Logical decoding, needs a restart:
--   ALTER SYSTEM SET wal_level = 'logical';
-- A bound on the WAL that a slot may hold back while its reader is down. Beyond it the slot is lost and dupwatch
-- says so, instead of the disk running full:
--   ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf();
-- The slot itself is created by dupwatch run, and dropped by dupwatch drop.
