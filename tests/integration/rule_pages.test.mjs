// config/rules and the binary say the same: every rule has its page, its severities are those of daemon/core/rule.cpp, and
// the example on it is what dupwatch explain prints.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { runCommand } from './daemon.mjs';
import { LABELS, ruleCases, ruleInfos } from './rule_source.mjs';
import { EVENTS, serverWithSchema } from './scene.mjs';

const folder = new URL('../../config/rules/', import.meta.url);
const read = (name) => fs.readFileSync(new URL(name, folder), 'utf8');
const infos = ruleInfos();
const rules = Object.keys(infos);

/** A string as one line, as it is before a page is wrapped. */
const flat = (text) => text.replaceAll(/\s+/g, ' ');

test('every rule of the configuration has a page, and every page a rule', () => {
  const config = fs.readFileSync(new URL('../dupwatch.yaml', folder), 'utf8');
  const configured = [.../^rules:\n((?: {2}.*\n)+)/m.exec(config)[1].matchAll(/^ {2}(\w+): default$/gm)].map(([, name]) => name);
  assert.equal(configured.length, 14);
  assert.deepEqual([...rules].sort(), [...configured].sort());
  const pages = fs.readdirSync(folder).filter((name) => name !== 'README.md').map((name) => name.replace(/\.md$/, ''));
  assert.deepEqual(pages.sort(), [...configured].sort());
});

test('a page has the rule\'s sentence, versions, confidence and a severity for each case and generation', () => {
  assert.ok(ruleCases().length >= rules.length);
  for (const rule of rules) {
    const page = read(`${rule}.md`);
    const { sentence, versions, confidence } = infos[rule];
    assert.ok(page.startsWith(`# ${rule}\n`), rule);
    assert.ok(page.includes(sentence.slice(1)) && page.includes(`Seen in: ${versions}.`), `${rule}: sentence or versions`);
    assert.match(page, { measured: /\nMeasured: /, read: /\nRead[ :]/, hint: /\nA hint: / }[confidence], rule);
    const rows = [...page.matchAll(/^\| (.+) \| (\w+) \| (\w+) \| (\w+) \|$/gm)].map(([, label, ...severities]) => [label, ...severities]);
    const cases = ruleCases().filter((entry) => entry.rule === rule);
    assert.ok(cases.length > 0, rule);
    assert.deepEqual(rows, cases.map(({ shape, severities }) => [LABELS[shape], ...severities]), rule);
    assert.ok(page.includes('\n## What to do\n\n'), rule);
  }
});

test('the index lists them all', () => {
  const index = read('README.md');
  const rows = [...index.matchAll(/^\| \[(\w+)\]\((\w+)\.md\) \| (.+) \| (\w+) \|$/gm)].map(([, name, file, sentence, sure]) => [name, file, sentence, sure]);
  assert.deepEqual(rows.map(([name]) => name).sort(), [...rules].sort());
  for (const [name, file, sentence, sure] of rows) {
    assert.equal(file, name);
    assert.ok(sentence.startsWith(infos[name].sentence), name);
    assert.equal(sure, infos[name].confidence, name);
  }
});

test('no page links to what is not there', () => {
  for (const name of fs.readdirSync(folder)) {
    for (const [, target] of read(name).matchAll(/\]\(([^)#]+)\)/g)) assert.ok(fs.existsSync(new URL(target, folder)), `${name}: ${target}`);
  }
});

/** The example of a page: its text, the run and its events. */
function exampleOf(rule) {
  const text = /\n```\n([^]*?)\n```\n/.exec(read(`${rule}.md`))[1];
  const events = [...text.matchAll(/^ {0,3}\d+ {2}(.{23}) {2}.{9} {2}(\w+) +(?:(\w+) …(\w{6})|([\w-]+))? +(\w+)$/gm)]
    .map(([, time, type, kind, tail, entity, id]) => ({ time: time.trim() || null, type, id, entity: kind ? `${kind}_01KQ3V6T0BYD5Q8WEHZ3${tail}` : entity ?? null }));
  return { text, run: /^(?:run|order) (\S+): (\d+) events/.exec(text).slice(1), events };
}

test('the example on each page is what explain prints', async (t) => {
  const cluster = await serverWithSchema(t);
  // As on 5.0.0-beta.33 and later, and the table that config/generic.yaml speaks of.
  await cluster.query(`ALTER TABLE ${EVENTS} DROP CONSTRAINT workflow_events_pkey; ALTER TABLE ${EVENTS} ADD PRIMARY KEY (run_id, id);
    CREATE SCHEMA shop; CREATE TABLE shop.order_events (order_id text NOT NULL, event_id text NOT NULL, line_id text, kind text NOT NULL, payload jsonb, PRIMARY KEY (order_id, event_id))`);
  for (const rule of rules) {
    const { text, run: [run, count], events } = exampleOf(rule);
    assert.equal(events.length, Number(count), rule);
    const example = { duplicate: 'generic.yaml', profile_rule: 'profile.yaml' }[rule];
    const generic = Boolean(example);
    await cluster.query(`INSERT INTO ${generic ? 'shop.order_events (order_id, event_id, kind, line_id)' : `${EVENTS} (run_id, id, type, correlation_id, created_at)`}
      SELECT $1::text, id, type, entity ${generic ? '' : ', time::timestamp'} FROM jsonb_to_recordset($2::jsonb) AS rows(id text, type text, entity text, time text)`,
    [run, JSON.stringify(events)]);
    const file = fileURLToPath(new URL(`../${example}`, folder));
    const { stdout, stderr } = await runCommand(['explain', '--dsn', cluster.dsn(), ...(generic ? ['--config', file] : []), run]);
    assert.equal(stdout.trimEnd().replaceAll(file, example), text, `${rule}: ${stderr}`);
    const ofTables = rule === 'orphan' || rule === 'stuck_step';
    assert.equal(flat(text).includes(` ${rule === 'profile_rule' ? 'line_added_twice' : rule}: `), !ofTables, rule);
  }
});
