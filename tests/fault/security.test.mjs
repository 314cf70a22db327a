// Text from events and from the operator's secrets: the first injects into nothing, the second shows up nowhere. The
// roles are exactly those that the printed SQL makes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { createCluster } from '../postgres/cluster.mjs';
import { installSchema } from '../writers/install_schema.mjs';
import { runCommand } from '../integration/daemon.mjs';
import { EVENTS, assertTruth, daemonFor, eventId, full, insertEvents, serverWithSchema } from '../integration/scene.mjs';

const SECRET = 's3cret-Pa55word';

const HOSTILE = [
  'two\nlines level=error msg="forged"', 'carriage\rreturn', '\u001b[31mred\u001b[0m\u001b]0;title\u0007', '<script>alert(1)</script>',
  `"><img src=x onerror='alert(1)'>`, '&lt;', `'; DROP TABLE workflow.workflow_events; --`, `a" b='c' \\ \\" d=`, '{"finding_id":"0"}', ']}\',"x":{',
  '\u202eright to left\u202c', '\u2028\u2029 separators', '${HOME} $(id) `id` %s %n {0}', '\u007f\u0001\u0008', 'NULL', '日本語 🦆', '}{', "\\'\\\\",
  '\u009b31mC1\u0085', '\u2066isolate\u2069 \u061c', '\ufeff mark\u200e\u200f', 'می\u200cخواهم',
];
// By Unicode's own properties.
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

/** Every log line must be one record whose text is what was meant, with no control character on the terminal. */
function checkLog(daemon, format) {
  for (const { text } of daemon.lines) {
    assert.doesNotMatch(text, HIDDEN, `a control character in a log line: ${JSON.stringify(text)}`);
    if (format === 'json') assert.doesNotThrow(() => JSON.parse(text), text);
    else assert.match(text, /^ts=\S+ level=(debug|info|warn|error) msg=/, text);
  }
  assert.ok(!daemon.lines.some((line) => line.msg === 'forged'), 'an event wrote a log record of its own');
}

for (const format of ['logfmt', 'json']) {
  test(`hostile text in events injects into nothing, ${format}`, async (t) => {
    const cluster = await serverWithSchema(t);
    const plugin = format === 'json' ? 'wal2json' : 'pgoutput';
    const daemon = await daemonFor(t, cluster, { slot: { plugin }, log: { format } });
    await daemon.start();
    for (const [index, text] of HOSTILE.entries()) {
      const events = ['step_created', 'step_created', 'step_completed', 'step_created'].map((type) => ({ run: `wrun ${text}`, type, correlation: text, id: `${eventId(index)} ${text}` }));
      await insertEvents(cluster, events);
    }
    const result = await assertTruth(daemon, { atLeast: HOSTILE.length * 2 });
    assert.equal(result.found, HOSTILE.length * 2);
    await daemon.line('the last finding', (line) => line.event === 'finding' && line.run_id === `wrun ${HOSTILE.at(-1)}`);
    checkLog(daemon, format);
    // What the log says is the value itself.
    const told = new Set(daemon.lines.filter((line) => line.event === 'finding').map((line) => (format === 'json' ? line.run_id : undefined)));
    if (format === 'json') for (const text of HOSTILE) assert.ok(told.has(`wrun ${text}`), `the log changed ${JSON.stringify(text)}`);

    const { findings } = await daemon.json('/api/findings?limit=100');
    for (const text of HOSTILE) assert.ok(findings.some((finding) => finding.run_id === `wrun ${text}` && finding.correlation_id === text), JSON.stringify(text));
    const response = await daemon.fetch('/');
    const page = await response.text();
    assert.doesNotMatch(page, /<script>alert|<img[^>]*onerror/i, 'an event is markup in the page');
    assert.match(page, /&lt;script&gt;alert\(1\)/, 'the page shows the text');
    assert.match(response.headers.get('content-security-policy'), /default-src 'none'/);
    const metrics = await (await daemon.fetch('/metrics')).text();
    assert.doesNotMatch(metrics, /alert\(1\)|DROP TABLE|forged/, 'text of events is no label');
    for (const line of metrics.split('\n')) assert.match(line, /^(#.*|[a-z_]+(\{[^\n]*\})? [-+.eE0-9NaInf]+|)$/, line);
    const [{ n }] = await cluster.query(`SELECT count(*) AS n FROM ${EVENTS}`);
    assert.equal(Number(n), HOSTILE.length * 4);

    for (const text of HOSTILE.filter((each) => HIDDEN.test(each))) {
      const explained = await runCommand(['explain', `wrun ${text}`, '--config', daemon.configFile]);
      assert.equal(explained.code, 1, explained.stderr);
      for (const line of explained.stdout.split('\n')) assert.doesNotMatch(line, HIDDEN, 'explain prints a control character of an event');
    }
    const audit = await runCommand(['audit', '--config', daemon.configFile]);
    assert.equal(audit.code, 1, audit.stderr);
    for (const line of audit.stdout.split('\n')) assert.doesNotMatch(line, HIDDEN, 'audit prints a control character of an event');
    await daemon.stop();
    checkLog(daemon, format);
  });
}

test('the secrets show up nowhere, and the roles are enough', async (t) => {
  const cluster = await createCluster({ hba: ['local all all trust', 'host all dupwatch 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 trust'] });
  t.after(() => cluster.destroy());
  await installSchema('4.1.1', cluster.uri());
  for (const plugin of full ? ['pgoutput', 'wal2json'] : ['pgoutput']) {
    const dsn = `postgresql://dupwatch:\${DUPWATCH_PASSWORD}@127.0.0.1:${cluster.port}/${cluster.database}`;
    const env = { DUPWATCH_PASSWORD: SECRET };
    const daemon = await daemonFor(t, bare(cluster), { slot: { plugin: 'wal2json', name: `dupwatch_${plugin}` }, connection: { dsn } });
    daemon.cluster = cluster;
    daemon.configure({ ...daemon.config, slot: { ...daemon.config.slot, plugin } });
    const setup = await runCommand(['setup', '--print-sql', '--config', daemon.configFile], { env });
    assert.equal(setup.code, 0, setup.stderr);
    await cluster.query(setup.stdout);
    await cluster.query(`ALTER ROLE dupwatch PASSWORD '${SECRET}'`);
    const [rights] = await cluster.query("SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication FROM pg_roles WHERE rolname = 'dupwatch'");
    assert.deepEqual(rights, { rolsuper: false, rolcreaterole: false, rolcreatedb: false, rolbypassrls: true, rolreplication: true });

    await cluster.query(`TRUNCATE ${EVENTS}`);
    await daemon.start({ env });
    const cmdline = fs.readFileSync(`/proc/${daemon.child.pid}/cmdline`, 'utf8');
    assert.ok(!cmdline.includes(SECRET));
    const run = `wrun_role_${plugin}`;
    await insertEvents(cluster, ['step_created', 'step_created'].map((type) => ({ run, type, correlation: 'step_x' })));
    await assertTruth(daemon);
    // What a crash would leave behind would hold the password: there must be no dump.
    const limits = fs.readFileSync(`/proc/${daemon.child.pid}/limits`, 'utf8');
    assert.match(limits, /Max core file size\s+0\s+0\s/, 'a crash could write the password to disk');
    let seen = '';
    for (const where of ['/', '/metrics', '/api/status', '/api/findings', '/readyz', '/app.js']) seen += await (await daemon.fetch(where)).text();
    for (const command of [['check'], ['audit'], ['explain', run]]) {
      const said = await runCommand([...command, '--config', daemon.configFile], { env });
      assert.ok([0, 1].includes(said.code), `${command}: ${said.code} ${said.stdout}${said.stderr}`);
      assert.doesNotMatch(said.stderr, /permission denied/i);
      seen += said.stdout + said.stderr;
    }
    // A login that fails is the usual leak.
    const wrong = await runCommand(['check', '--config', daemon.configFile, '--dsn', `${dsn.replace('${DUPWATCH_PASSWORD}', `${SECRET}x`)}`], { env });
    seen += wrong.stdout + wrong.stderr;
    await daemon.stop();
    seen += daemon.lines.map((line) => line.text).join('\n');
    assert.ok(!seen.includes(SECRET), 'the password shows up');
    // The role can't do what it was not given.
    const client = await cluster.client({ user: 'dupwatch', password: SECRET });
    for (const sql of [`DELETE FROM ${EVENTS}`, `UPDATE ${EVENTS} SET type = 'x'`, `INSERT INTO ${EVENTS} (id, type, run_id) VALUES ('a', 'b', 'c')`, `SELECT payload FROM ${EVENTS}`]) {
      await assert.rejects(client.query(sql), /permission denied/, sql);
    }
    await client.end();
  }
});

/** A stand-in for daemonFor's view of the cluster, so that it runs no SQL as the superuser. */
function bare(cluster) {
  return { dsn: () => cluster.dsn({ user: 'dupwatch' }), client: (config) => cluster.client(config), query: (...args) => cluster.query(...args) };
}

test('identifiers with quotes, blanks, capitals and foreign letters', async (t) => {
  const cluster = await createCluster();
  t.after(() => cluster.destroy());
  const quoted = (name) => `"${name.replaceAll('"', '""')}"`;
  const names = { schema: `Sch"ema '1`, table: 'Die Ereignisse; DROP', run: 'Run "Id"', id: `i'd`, key: 'Schlüssel 鍵', type: 'TYPE $' };
  const table = `${quoted(names.schema)}.${quoted(names.table)}`;
  await cluster.query(`CREATE SCHEMA ${quoted(names.schema)}; CREATE TABLE ${table} (${quoted(names.run)} text NOT NULL, ${quoted(names.id)} text PRIMARY KEY,
    ${quoted(names.key)} text, ${quoted(names.type)} text, payload jsonb); CREATE INDEX ON ${table} (${quoted(names.run)})`);
  for (const plugin of full ? ['wal2json', 'pgoutput'] : ['pgoutput']) {
    const daemon = await daemonFor(t, cluster, {
      profile: 'generic', slot: { plugin, name: `dupwatch_${plugin}`, publication: `Pub "${plugin}" 'x'` },
      table: { name: table, run_column: names.run, id_column: names.id, identity_columns: [names.key], type_column: names.type.replaceAll('$', '$$$$'), types: ['opened'] },
    });
    await daemon.start();
    for (const [index, key] of HOSTILE.entries()) {
      for (const copy of [1, 2]) await cluster.query(`INSERT INTO ${table} VALUES ($1, $2, $3, 'opened')`, [`run ${plugin} ${index}`, `${plugin} ${index} ${copy}`, key]);
    }
    await daemon.caughtUp();
    const { findings } = await daemon.json('/api/findings?limit=1000');
    assert.equal(findings.filter((finding) => finding.run_id.startsWith(`run ${plugin}`)).length, HOSTILE.length, daemon.tail());
    const checked = await runCommand(['check', '--config', daemon.configFile]);
    assert.ok([0, 1].includes(checked.code), checked.stdout + checked.stderr);
    await daemon.stop();
  }
});
