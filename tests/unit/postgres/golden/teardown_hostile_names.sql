-- dupwatch: undoes dupwatch setup. Stop dupwatch first; a slot that is in use is left alone.

SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = 'dupwatch' AND NOT active;
DROP PUBLICATION IF EXISTS "pub""$dupwatch$ it's";
DO $dupwatch_$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'we"ird $dupwatch$' AND pg_catalog.shobj_description(oid, 'pg_authid') = 'made by dupwatch setup') THEN
    RAISE NOTICE 'the role was not made by setup: it keeps its rights';
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'Sch"ema' AND c.relname = E'ta''ble\x0a-- DROP TABLE x') THEN
    REVOKE SELECT ("run", "id", "a b", xmin) ON "Sch""ema"."ta'ble
-- DROP TABLE x" FROM "we""ird $dupwatch$";
    REVOKE USAGE ON SCHEMA "Sch""ema" FROM "we""ird $dupwatch$";
  END IF;
  EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM %I', current_database(), 'we"ird $dupwatch$');
END
$dupwatch_$;
DO $dupwatch_$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'we"ird $dupwatch$' AND pg_catalog.shobj_description(oid, 'pg_authid') = 'made by dupwatch setup') THEN
    DROP ROLE "we""ird $dupwatch$";
  END IF;
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'the role is kept: other objects or databases still need it';
END
$dupwatch_$;
