// Managed services, as far as a Postgres with their roles can stand for them: `check` recognises each and words its
// remedies the way that service takes them; the SQL of `setup` runs for a role that is no superuser. No real service
// was at hand.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { runCommand } from './daemon.mjs';

const pages = fileURLToPath(new URL('../../config/providers/', import.meta.url));

async function check(cluster, over = {}) {
  const ended = await runCommand(['check', '--json', '--dsn', cluster.dsn(over)]);
  const report = JSON.parse(ended.stdout);
  return { ...report, code: ended.code, line: (name) => report.lines.find((line) => line.name === name) };
}

const setUp = async (cluster, over, more = []) => {
  const printed = await runCommand(['setup', '--print-sql', '--dsn', cluster.dsn(over), ...more]);
  assert.equal(printed.code, 0, printed.stderr);
  return printed.stdout;
};

// What each service is known by, and what has to be said on it.
const SERVICES = [
  { name: 'none recognised', page: 'plain.md', sql: '', wal: /ALTER SYSTEM SET wal_level = 'logical'/, keep: /ALTER SYSTEM SET max_slot_wal_keep_size/, right: /^ALTER ROLE "plain" REPLICATION;$/ },
  { name: 'Amazon RDS', page: 'rds.md', sql: 'CREATE ROLE rds_superuser; CREATE ROLE rds_replication', wal: /rds\.logical_replication = 1, then reboot the instance/, keep: /DB parameter group.*max_slot_wal_keep_size = 10240/, right: /^GRANT rds_replication TO "plain";$/ },
  { name: 'Amazon Aurora', page: 'rds.md', sql: "CREATE FUNCTION aurora_version() RETURNS text LANGUAGE sql AS $$ SELECT '17.4.0' $$; CREATE ROLE rds_superuser; CREATE ROLE rds_replication", wal: /DB cluster parameter group.*rds\.logical_replication = 1/, keep: /DB cluster parameter group/, right: /^GRANT rds_replication TO "plain";$/ },
  { name: 'Google Cloud SQL', page: 'cloud-sql.md', sql: 'CREATE ROLE cloudsqlsuperuser', wal: /cloudsql\.logical_decoding = on/, keep: /database flags.*max_slot_wal_keep_size = 10240/, right: /^ALTER ROLE "plain" REPLICATION;$/ },
  { name: 'Azure Database for PostgreSQL', page: 'azure.md', sql: 'CREATE ROLE azure_pg_admin', wal: /server parameters.*wal_level = logical/, keep: /slot\.max_retained_wal/, right: /^ALTER ROLE "plain" REPLICATION;$/ },
  { name: 'Neon', page: 'neon.md', sql: 'CREATE ROLE neon_superuser', wal: /settings of the Neon project/, keep: /support/, right: /console/ },
  { name: 'Supabase', page: 'supabase.md', sql: 'CREATE ROLE supabase_admin', wal: /support/, keep: /postgres-config update --config max_slot_wal_keep_size=10GB/, right: /^ALTER ROLE "plain" REPLICATION;$/ },
  { name: 'CloudNativePG', page: 'cloudnativepg.md', sql: 'CREATE ROLE streaming_replica', wal: /spec\.postgresql\.parameters/, keep: /spec\.postgresql\.parameters: max_slot_wal_keep_size: "10GB"/, right: /spec\.managed\.roles/ },
];

describe('check on a server with the roles of a managed service', () => {
  let cluster;
  before(async () => {
    cluster = await createCluster({ settings: { wal_level: 'replica', max_slot_wal_keep_size: -1, wal_sender_timeout: 0, max_replication_slots: 0, max_wal_senders: 1 } });
    await cluster.query('CREATE ROLE plain LOGIN');
  });
  after(() => cluster?.destroy());

  for (const service of SERVICES) {
    test(service.name, async (t) => {
      const roles = [...service.sql.matchAll(/CREATE ROLE (\w+)/g)].map((found) => found[1]);
      if (service.sql) await cluster.query(service.sql);
      t.after(async () => {
        for (const role of roles) await cluster.query(`DROP ROLE ${role}`);
        await cluster.query('DROP FUNCTION IF EXISTS aurora_version()');
      });
      const report = await check(cluster, { user: 'plain' });
      const line = report.line('provider');
      assert.equal(line.verdict, 'pass');
      assert.ok(line.found.startsWith(service.name), line.found);
      assert.ok(line.found.endsWith(`(config/providers/${service.page})`), line.found);
      assert.ok(fs.existsSync(`${pages}${service.page}`), service.page);
      assert.match(report.line('wal_level').fix, service.wal);
      assert.match(report.line('max_slot_wal_keep_size').fix, service.keep);
      assert.match(report.line('replication_right').fix, service.right);
      if (service.name === 'none recognised') return;
      // Nobody but a superuser of a server of one's own has ALTER SYSTEM.
      for (const other of ['wal_level', 'max_slot_wal_keep_size', 'wal_sender_timeout', 'wal_senders', 'replication_slots']) {
        assert.doesNotMatch(report.line(other).fix, /ALTER SYSTEM/, other);
        assert.notEqual(report.line(other).fix, '', other);
      }
    });
  }

  test('the right to replicate on RDS is membership, for which rolreplication stays false', async (t) => {
    await cluster.query('CREATE ROLE rds_superuser; CREATE ROLE rds_replication; CREATE ROLE member LOGIN IN ROLE rds_replication');
    t.after(() => cluster.query('DROP ROLE member, rds_replication, rds_superuser'));
    assert.equal((await check(cluster, { user: 'member' })).line('replication_right').verdict, 'pass');
  });
});

describe('setup without a superuser', () => {
  // The owner of the tables, who may make roles and replicate, as the administrator of most managed services may.
  const ADMIN = 'CREATE ROLE admin LOGIN CREATEROLE REPLICATION';

  async function managed(t, major, admin = ADMIN) {
    const cluster = await createCluster({ major });
    t.after(() => cluster.destroy());
    await cluster.query(`${admin}; GRANT CREATE ON DATABASE app TO admin; GRANT CREATE ON SCHEMA public TO admin`);
    await installSchema('4.1.1', cluster.uri().replace('//postgres', '//admin'));
    const client = await cluster.client({ user: 'admin' });
    t.after(() => client.end());
    return { cluster, client };
  }

  for (const major of [16, 17, 18]) {
    test(`Postgres ${major}: a role with CREATEROLE and REPLICATION runs setup twice, check passes, uninstall leaves nothing`, async (t) => {
      const { cluster, client } = await managed(t, major);
      const watcher = { user: 'watcher' };
      const sql = await setUp(cluster, watcher);
      await client.query(sql);
      await client.query(sql);
      const report = await check(cluster, watcher);
      assert.equal(report.code, 0, JSON.stringify(report.lines));
      for (const name of ['replication_right', 'replication_connection', 'plugin', 'publication', 'select_right', 'xmin_right', 'runs_right']) {
        assert.equal(report.line(name).verdict, 'pass', JSON.stringify(report.line(name)));
      }
      await cluster.query("SELECT pg_create_logical_replication_slot('dupwatch', 'pgoutput')");
      await client.query(await setUp(cluster, watcher, ['--uninstall']));
      const [left] = await cluster.query("SELECT (SELECT count(*) FROM pg_replication_slots)::int AS slots, (SELECT count(*) FROM pg_publication)::int AS publications, (SELECT count(*) FROM pg_roles WHERE rolname = 'watcher')::int AS roles");
      assert.deepEqual({ ...left }, { slots: 0, publications: 0, roles: 0 });
    });
  }

  test('Postgres 15: REPLICATION is a superuser\'s to give; the error says so, and a role that has it is taken as it is', async (t) => {
    const { cluster, client } = await managed(t, 15);
    const watcher = { user: 'watcher' };
    const sql = await setUp(cluster, watcher);
    await assert.rejects(client.query(sql), (error) => {
      assert.equal(error.code, '42501');
      assert.match(error.hint, /superuser alone before Postgres 16/);
      assert.match(error.hint, /config\/providers/);
      return true;
    });
    assert.deepEqual(await cluster.query("SELECT rolname FROM pg_roles WHERE rolname = 'watcher'"), []);
    await cluster.query('CREATE ROLE watcher LOGIN REPLICATION');
    await client.query(sql);
    assert.equal((await check(cluster, watcher)).code, 0);
  });

  test('a role that may not make roles is told what it lacks', async (t) => {
    const { cluster, client } = await managed(t, 17, 'CREATE ROLE admin LOGIN');
    await assert.rejects(client.query(await setUp(cluster, { user: 'watcher' })), (error) => {
      assert.equal(error.code, '42501');
      assert.match(error.hint, /CREATEROLE/);
      return true;
    });
  });

  test('RDS: the administrator gives rds_replication, and REPLICATION is never asked for', async (t) => {
    // CREATEROLE of Postgres 15 may give membership of any role that is no superuser, as rds_superuser may.
    const { cluster, client } = await managed(t, 15, `CREATE ROLE rds_superuser; CREATE ROLE rds_replication; ${ADMIN}`);
    await client.query(await setUp(cluster, { user: 'watcher' }));
    const [role] = await cluster.query("SELECT rolreplication, pg_has_role('watcher', 'rds_replication', 'MEMBER') AS member FROM pg_roles WHERE rolname = 'watcher'");
    assert.deepEqual({ ...role }, { rolreplication: false, member: true });
    assert.equal((await check(cluster, { user: 'watcher' })).line('replication_right').verdict, 'pass');
  });
});

describe('the pages of config/providers', () => {
  const names = fs.readdirSync(pages).filter((name) => name !== 'README.md');
  const read = (name) => fs.readFileSync(path.join(pages, name), 'utf8');

  test('each provider has its page, and each page a row in the table', () => {
    assert.deepEqual(names.sort(), [...new Set(SERVICES.map(({ page }) => page))].sort());
    for (const name of names) assert.match(read('README.md'), new RegExp(`^\\| \\[[^\\]]+\\]\\(${name}\\) \\|`, 'm'));
  });

  test('their configurations are ones that dupwatch takes', async (t) => {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-providers-'));
    t.after(() => fs.rmSync(dir, { recursive: true }));
    const file = path.join(dir, 'dupwatch.yaml');
    const blocks = names.flatMap((name) => [...read(name).matchAll(/^```yaml\n(.*?)^```/gms)].map(([, block]) => [name, block]));
    assert.ok(blocks.length >= 5);
    for (const [name, block] of blocks) {
      fs.writeFileSync(file, block);
      const { code, stderr } = await runCommand(['setup', '--print-sql', '--config', file]);
      assert.equal(code, 0, `${name}: ${stderr}`);
    }
  });

  test('every number in brackets has its source', () => {
    for (const name of names) {
      const text = read(name);
      const sources = [...text.matchAll(/^\[(\d)\] https:/gm)].map(([, number]) => number);
      const used = [...text.replace(/^\[\d\] https:.*$/gm, '').matchAll(/\[(\d)\]/g)].map(([, number]) => number);
      assert.deepEqual([...new Set(used)].sort(), sources, name);
    }
  });
});
