-- dupwatch: undoes dupwatch setup, in one transaction: all of it or, with the reason, nothing. Stop dupwatch first.
--   dupwatch setup --print-sql --uninstall | psql -v ON_ERROR_STOP=1 -d ...
BEGIN;
SET LOCAL lock_timeout = '5s';
DO $dupwatch$
DECLARE
  kept bigint;
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = 'dupwatch' AND active AND database = current_database()) THEN
    RAISE EXCEPTION 'the replication slot % is in use, so nothing is removed', 'dupwatch'
      USING HINT = 'Stop dupwatch, and a second instance that stands by.';
  END IF;
END
$dupwatch$;
DO $dupwatch_$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = 'pub"$dupwatch$ it''s' AND pg_catalog.obj_description(oid, 'pg_publication') = 'made by dupwatch setup') THEN
    DROP PUBLICATION "pub""$dupwatch$ it's";
  ELSIF EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = 'pub"$dupwatch$ it''s') THEN
    RAISE NOTICE 'the publication % was not made by setup: it stays', 'pub"$dupwatch$ it''s';
  END IF;
END
$dupwatch_$;
DO $dupwatch_$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'we"ird $dupwatch$' AND pg_catalog.shobj_description(oid, 'pg_authid') = 'made by dupwatch setup') THEN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'we"ird $dupwatch$') THEN
      RAISE NOTICE 'the role % was not made by setup: it keeps its rights', 'we"ird $dupwatch$';
    END IF;
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'Sch"ema' AND c.relname = E'ta''ble\x0a-- DROP TABLE x') THEN
    REVOKE ALL ON "Sch""ema"."ta'ble
-- DROP TABLE x" FROM "we""ird $dupwatch$";
    REVOKE USAGE ON SCHEMA "Sch""ema" FROM "we""ird $dupwatch$";
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'dupwatch' AND c.relname = 'quarantine') THEN
    REVOKE ALL ON "dupwatch"."quarantine" FROM "we""ird $dupwatch$";
    REVOKE USAGE ON SCHEMA "dupwatch" FROM "we""ird $dupwatch$";
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'dupwatch' AND c.relname = 'quarantine_circuit') THEN
    REVOKE ALL ON "dupwatch"."quarantine_circuit" FROM "we""ird $dupwatch$";
    REVOKE USAGE ON SCHEMA "dupwatch" FROM "we""ird $dupwatch$";
  END IF;
  EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM %I', current_database(), 'we"ird $dupwatch$');
END
$dupwatch_$;
DO $dupwatch_$
DECLARE
  why text;
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'we"ird $dupwatch$' AND pg_catalog.shobj_description(oid, 'pg_authid') = 'made by dupwatch setup') THEN
    DROP ROLE "we""ird $dupwatch$";
  END IF;
EXCEPTION WHEN dependent_objects_still_exist THEN
  GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
  RAISE NOTICE 'the role is kept, other objects or databases still need it: %', why;
END
$dupwatch_$;
-- A role that was there before setup keeps what setup gave it. By hand, where nothing else needs it:
--   REVOKE ALL ON "Sch""ema"."ta'ble; -- DROP TABLE x" FROM "we""ird $dupwatch$";
--   REVOKE ALL ON "dupwatch"."quarantine" FROM "we""ird $dupwatch$";
--   REVOKE ALL ON "dupwatch"."quarantine_circuit" FROM "we""ird $dupwatch$";
--   ALTER ROLE "we""ird $dupwatch$" NOREPLICATION NOBYPASSRLS;
DO $dupwatch$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE t.tgname = 'dupwatch_guard' AND n.nspname = 'Sch"ema' AND c.relname = E'ta''ble\x0a-- DROP TABLE x') THEN
    RAISE NOTICE 'the guard stays on the table; dupwatch guard remove takes it off';
  END IF;
END
$dupwatch$;
-- dupwatch.quarantine and the table of findings.table are evidence and stay; --drop-tables drops them.
SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = 'dupwatch' AND database = current_database();
COMMIT;
