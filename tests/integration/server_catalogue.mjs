// What a server says about everything that dupwatch could leave on it, as one list that two moments can be compared by.

import assert from 'node:assert/strict';

/**
 * An access list as what it grants. One that was never changed is NULL, and one that was changed and put back is written
 * out in full: only the catalogues' own table could be made NULL again, and both mean the same.
 */
const acl = (column, kind, owner) =>
  `(SELECT string_agg(concat_ws(' ', a.grantor::regrole, a.grantee::regrole, a.privilege_type, a.is_grantable), ', ' ORDER BY 1, 2, 3)
    FROM (SELECT * FROM aclexplode(coalesce(${column}, acldefault('${kind}', ${owner}))) ORDER BY 1, 2, 3) a)`;

const PARTS = {
  slot: 'SELECT slot_name, plugin, slot_type, database, temporary, active FROM pg_replication_slots',
  publication: 'SELECT * FROM pg_publication',
  'published table': 'SELECT p.* FROM pg_publication_tables p',
  'published relation': 'SELECT * FROM pg_publication_rel',
  'published schema': 'SELECT * FROM pg_publication_namespace',
  subscription: 'SELECT subname FROM pg_subscription',
  role: 'SELECT * FROM pg_roles',
  membership: 'SELECT * FROM pg_auth_members',
  'default privilege': 'SELECT * FROM pg_default_acl',
  'setting of a role or database': 'SELECT * FROM pg_db_role_setting',
  database: `SELECT datname, datdba::regrole, datconnlimit, ${acl('datacl', 'd', 'datdba')} AS rights FROM pg_database`,
  schema: `SELECT nspname, nspowner::regrole, ${acl('nspacl', 'n', 'nspowner')} AS rights FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'`,
  relation: `SELECT c.oid::regclass, c.relkind, c.relowner::regrole, c.relreplident, c.relrowsecurity, c.relforcerowsecurity, c.reloptions,
    ${acl('c.relacl', 'r', 'c.relowner')} AS rights FROM pg_class c WHERE c.oid >= 16384`,
  column: 'SELECT attrelid::regclass, attname, atttypid::regtype, attacl, attisdropped FROM pg_attribute WHERE attrelid >= 16384 AND attnum > -8',
  function: `SELECT p.oid::regprocedure, p.proowner::regrole, md5(p.prosrc), ${acl('p.proacl', 'f', 'p.proowner')} AS rights FROM pg_proc p WHERE p.oid >= 16384`,
  trigger: 'SELECT tgname, pg_get_triggerdef(oid), tgenabled FROM pg_trigger',
  'event trigger': 'SELECT evtname FROM pg_event_trigger',
  rule: 'SELECT rulename, ev_class::regclass FROM pg_rewrite WHERE oid >= 16384',
  policy: 'SELECT polname, polrelid::regclass FROM pg_policy',
  constraint: 'SELECT conname, conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint WHERE oid >= 16384',
  index: 'SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid >= 16384',
  type: 'SELECT typname, typnamespace::regnamespace, typowner::regrole FROM pg_type WHERE oid >= 16384',
  extension: 'SELECT extname, extversion FROM pg_extension',
  comment: 'SELECT classoid::regclass, objsubid, description FROM pg_description WHERE objoid >= 16384',
  'comment on a shared object': 'SELECT classoid::regclass, description FROM pg_shdescription',
  'security label': 'SELECT objtype, objname, label FROM pg_seclabels',
  'setting of the server': "SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf'",
  dependencies: 'SELECT count(*) FROM pg_depend',
  'shared dependencies': 'SELECT classid::regclass, refclassid::regclass, deptype, count(*) FROM pg_shdepend GROUP BY 1, 2, 3',
};

/** Fails with the lines that differ, and not with a thousand that do not. */
export function assertSame(actual, expected) {
  const [left, missing] = [[actual, expected], [expected, actual]].map(([a, b]) => a.filter((line) => !b.includes(line)));
  assert.deepEqual({ left, missing }, { left: [], missing: [] });
}

/** Every part of the server's catalogues, sorted: "kind: row as JSON". */
export async function catalogue(cluster) {
  const lines = [];
  for (const [kind, query] of Object.entries(PARTS)) {
    for (const { row } of await cluster.query(`SELECT to_jsonb(part)::text AS row FROM (${query}) part`)) lines.push(`${kind}: ${row}`);
  }
  return lines.sort();
}
