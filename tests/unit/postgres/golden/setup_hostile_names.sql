-- dupwatch: what it needs to watch Sch"ema.ta'ble; -- DROP TABLE x. May be run again. Run it in the table's database, as a superuser or
-- as the table's owner with the right to create roles and publications:
--   dupwatch setup --print-sql | psql -v ON_ERROR_STOP=1 -d ...

-- 1. The role. REPLICATION lets it read every row of every table of the cluster through a slot, whatever
-- else it is granted: guard its login like the superuser's. No password is set here, so that none ends up in
-- a file or log: set one in psql with \password, or let it log in by certificate or peer.
DO $dupwatch_$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'we"ird $dupwatch$') THEN
    CREATE ROLE "we""ird $dupwatch$" LOGIN;
    COMMENT ON ROLE "we""ird $dupwatch$" IS 'made by dupwatch setup';
  END IF;
  -- Amazon RDS and Aurora keep REPLICATION to themselves and give this role instead.
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication') THEN
    GRANT rds_replication TO "we""ird $dupwatch$";
  ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'we"ird $dupwatch$' AND (rolreplication OR rolsuper)) THEN
    ALTER ROLE "we""ird $dupwatch$" REPLICATION;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = SQLERRM, HINT = 'Making roles takes CREATEROLE. REPLICATION is given by a superuser alone before Postgres 16, and from 16 on also by a role that has REPLICATION itself. Managed services have ways of their own: config/providers in dupwatch''s documentation. A role that exists and may replicate is taken as it is.';
END
$dupwatch_$;
-- Row-level security that hides a row from this role would hide a duplicate. Who replicates reads every row
-- anyway, so nothing is given away.
DO $dupwatch_$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'we"ird $dupwatch$' AND (rolbypassrls OR rolsuper)) THEN
    ALTER ROLE "we""ird $dupwatch$" BYPASSRLS;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'BYPASSRLS was not given: dupwatch refuses a table whose row-level security applies to its role';
END
$dupwatch_$;

-- 2. Reading. After a restart dupwatch reads the keys of events back, never a payload; xmin, the transaction
-- that wrote a row, and ctid, its place, are named because a grant on columns leaves system columns out.
DO $dupwatch_$
BEGIN
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), 'we"ird $dupwatch$');
END
$dupwatch_$;
GRANT USAGE ON SCHEMA "Sch""ema" TO "we""ird $dupwatch$";
GRANT SELECT ("run", "id", "a b", ctid, xmin) ON "Sch""ema"."ta'ble
-- DROP TABLE x" TO "we""ird $dupwatch$";

-- 3. The publication, for the output plugin pgoutput. Inserts only: publishing updates or deletes would make the
-- application's own UPDATE and DELETE fail whenever the replica identity is not among the columns.
-- The price: while a column is listed it can't be dropped or change its type. A migration that does so has to
-- drop the publication before and run this again after; dupwatch says when it is gone.
DO $dupwatch_$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = 'pub"$dupwatch$ it''s') THEN
    RAISE NOTICE 'the publication exists and is left as it is; dupwatch check judges its shape';
    RETURN;
  ELSIF current_setting('server_version_num')::int >= 150000 THEN
    EXECUTE E'CREATE PUBLICATION "pub""$dupwatch$ it''s" FOR TABLE "Sch""ema"."ta''ble\x0a-- DROP TABLE x" ("run", "id", "a b") WITH (publish = ''insert, truncate'', publish_via_partition_root = true);';
  ELSE
    -- Postgres 14 knows no column lists: whole rows are sent.
    EXECUTE E'CREATE PUBLICATION "pub""$dupwatch$ it''s" FOR TABLE "Sch""ema"."ta''ble\x0a-- DROP TABLE x" WITH (publish = ''insert, truncate'', publish_via_partition_root = true);';
  END IF;
  COMMENT ON PUBLICATION "pub""$dupwatch$ it's" IS 'made by dupwatch setup';
END
$dupwatch_$;

-- 4. The server, for a superuser to decide (as comments, because they count for every database). Managed services
-- have switches of their own in the place of ALTER SYSTEM; dupwatch check names them.
-- Logical decoding, needs a restart:
--   ALTER SYSTEM SET wal_level = 'logical';
-- A bound on the WAL that a slot may hold back while its reader is down. Beyond it the slot is lost and dupwatch
-- says so, instead of the disk running full:
--   ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf();
-- The slot itself is created by dupwatch run, and dropped by dupwatch drop.
