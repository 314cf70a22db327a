// What the tests of the guard share.
import { runCommand } from './daemon.mjs';
import { EVENTS } from './scene.mjs';

/** Runs `dupwatch guard ...`; `answer` is the JSON that it printed. */
export async function guard(cluster, args, user) {
  const ended = await runCommand(['guard', ...args, '--json', '--dsn', cluster.dsn(user ? { user } : {})]);
  return { ...ended, answer: ended.stdout.startsWith('{') ? JSON.parse(ended.stdout) : undefined };
}

/** Every object of the database that a person made, with owner, rights, comments and dependencies. */
export const catalogue = (cluster) => cluster.query(`
  SELECT 'class' AS kind, n.nspname || '.' || c.relname AS name, concat_ws(' ', c.relkind, c.relowner, c.relacl) AS what FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid >= 16384 AND n.nspname <> 'pg_toast'
  UNION ALL SELECT 'proc', p.proname, md5(p.prosrc) FROM pg_proc p WHERE p.oid >= 16384
  UNION ALL SELECT 'trigger', t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t
  UNION ALL SELECT 'namespace', n.nspname, n.nspacl::text FROM pg_namespace n WHERE n.nspname !~ '^pg_'
  UNION ALL SELECT 'depend', count(*)::text, NULL FROM pg_depend
  UNION ALL SELECT 'shdepend', count(*)::text, NULL FROM pg_shdepend
  UNION ALL SELECT 'description', count(*)::text, NULL FROM pg_description
  UNION ALL SELECT 'type', t.typname, NULL FROM pg_type t WHERE t.oid >= 16384 ORDER BY 1, 2, 3`);

/** The identities that the guard promises to be single, and are not. */
export const DUPLICATES = `SELECT run_id, correlation_id, type, count(*) FROM ${EVENTS} WHERE type IN ('step_created', 'wait_created', 'hook_created')
  GROUP BY run_id, correlation_id, type HAVING count(*) > 1`;
