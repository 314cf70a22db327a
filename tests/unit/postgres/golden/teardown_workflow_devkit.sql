-- dupwatch: undoes dupwatch setup. Stop dupwatch first; a slot that is in use is left alone.

SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = 'dupwatch' AND NOT active;
DROP PUBLICATION IF EXISTS "dupwatch";
DO $dupwatch$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dupwatch' AND pg_catalog.shobj_description(oid, 'pg_authid') = 'made by dupwatch setup') THEN
    RAISE NOTICE 'the role was not made by setup: it keeps its rights';
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'workflow' AND c.relname = 'workflow_events') THEN
    REVOKE SELECT ("run_id", "id", "type", "correlation_id", xmin) ON "workflow"."workflow_events" FROM "dupwatch";
    REVOKE USAGE ON SCHEMA "workflow" FROM "dupwatch";
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'workflow' AND c.relname = 'workflow_runs') THEN
    REVOKE SELECT ("id", "status") ON "workflow"."workflow_runs" FROM "dupwatch";
    REVOKE USAGE ON SCHEMA "workflow" FROM "dupwatch";
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'workflow' AND c.relname = 'workflow_steps') THEN
    REVOKE SELECT ("run_id", "step_id", "status") ON "workflow"."workflow_steps" FROM "dupwatch";
    REVOKE USAGE ON SCHEMA "workflow" FROM "dupwatch";
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'workflow' AND c.relname = 'workflow_waits') THEN
    REVOKE SELECT ("run_id", "wait_id", "status") ON "workflow"."workflow_waits" FROM "dupwatch";
    REVOKE USAGE ON SCHEMA "workflow" FROM "dupwatch";
  END IF;
  EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM %I', current_database(), 'dupwatch');
END
$dupwatch$;
DO $dupwatch$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dupwatch' AND pg_catalog.shobj_description(oid, 'pg_authid') = 'made by dupwatch setup') THEN
    DROP ROLE "dupwatch";
  END IF;
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'the role is kept: other objects or databases still need it';
END
$dupwatch$;
