// The runbooks: one page for each alert, whose SQL runs on the engine's schema and whose commands the binary has.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { runCommand } from '../integration/daemon.mjs';
import { EVENTS, insertEvents, serverWithSchema } from '../integration/scene.mjs';
import { installQueue } from '../writers/install_queue.mjs';
import { build } from '../../alerts/generate.mjs';
import { alerts } from './promtool.mjs';

const folder = new URL('../../alerts/runbooks/', import.meta.url);
const pages = new Map(fs.readdirSync(folder).map((name) => [name, fs.readFileSync(new URL(name, folder), 'utf8')]));
const blocks = (text, language) => [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(([, name]) => name === language).map(([, , body]) => body);
const optionsOf = (text) => [...text.matchAll(/(?<![\w-])--[a-z][a-z-]+(?:\.[a-z]+)*/g)].map(([option]) => option);

/** Every command line of dupwatch in a text: in sh blocks, and in `code`. */
const commandsIn = (text) => [
  ...blocks(text, 'sh').flatMap((body) => body.split('\n').filter((line) => line.startsWith('dupwatch '))),
  ...[...text.matchAll(/`(dupwatch [^`\n]+)`/g)].map(([, command]) => command),
];

test('every alert has its page, with the four headings', () => {
  assert.deepEqual([...pages.keys()].sort(), alerts.map(({ rule }) => `${rule.name}.md`).sort());
  for (const [name, text] of pages) {
    assert.ok(text.startsWith(`# ${name.replace(/\.md$/, '')}\n`), name);
    assert.deepEqual([...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading), ['Meaning', 'Impact', 'Diagnosis', 'Mitigation'], name);
    assert.ok(/\n```\w+\n/.test(text), `${name} has no command to copy`);
    for (const section of text.split(/^## .+$/m).slice(1)) assert.ok(section.trim().length > 20, `${name}: an empty section`);
    for (const [, language] of text.matchAll(/^```(\w*)$/gm)) assert.ok(['', 'sql', 'sh'].includes(language), `${name}: ${language}`);
    for (const [, target] of text.matchAll(/\]\(([^)#]+)\)/g)) assert.ok(fs.existsSync(new URL(target, folder)), `${name}: ${target}`);
  }
});

test('every setting that a page names is a key of the configuration', () => {
  const keys = new Set();
  let section;
  for (const line of fs.readFileSync(new URL('../../config/dupwatch.yaml', import.meta.url), 'utf8').split('\n')) {
    const [, indent, key] = /^( {2})?(?:# )?(\w+):/.exec(line) ?? [];
    if (key && indent) keys.add(`${section}.${key}`);
    else if (key) section = key;
  }
  const sections = new Set([...keys].map((key) => key.split('.')[0]));
  for (const [name, text] of pages) {
    for (const [, key] of text.matchAll(/`(\w+\.\w+)(?::[^`]*)?`/g)) {
      if (sections.has(key.split('.')[0])) assert.ok(keys.has(key), `${name} names ${key}`);
    }
  }
  assert.ok(keys.has('index.memory_max') && keys.has('table.name'));
});

test('every dupwatch command line in pages and alerts exists', async () => {
  const root = (await runCommand(['--help'])).stdout;
  const offered = [...root.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name);
  const helps = new Map(await Promise.all(offered.map(async (name) => [name, (await runCommand([name, '--help'])).stdout])));
  const texts = [...pages, ...alerts.map(({ rule }) => [rule.name, build(rule).annotations.description.replaceAll(/dupwatch (audit --[a-z-]+|explain RUN_ID)/g, '`$&`')])];
  let count = 0;
  for (const [name, text] of texts) {
    for (const command of commandsIn(text)) {
      count += 1;
      const [, first, ...rest] = command.split(/\s+/);
      if (first.startsWith('--')) {
        assert.ok(optionsOf(root).includes(first), `${name}: ${command}`);
        continue;
      }
      assert.ok(offered.includes(first), `${name}: ${command}: no such command`);
      const action = /^[a-z]+$/.test(rest[0] ?? '') ? (await runCommand([first, rest[0], '--help'])).stdout : '';
      const known = optionsOf(helps.get(first) + action);
      for (const option of optionsOf(rest.join(' '))) assert.ok(known.includes(option), `${name}: ${command}: no ${option}`);
      if (first === 'explain') assert.equal(rest[0], 'RUN_ID', command);
      if (first === 'setup') assert.ok(rest.includes('--print-sql'), command);
    }
  }
  assert.ok(count > 40, `${count} commands`);
});

test('the SQL of every page runs on the schema of world-postgres 4.1.1', async (t) => {
  const cluster = await serverWithSchema(t);
  await installQueue(cluster.uri());
  const run = 'wrun_01K00000000000000000000001';
  await insertEvents(cluster, ['run_created', 'step_created', 'step_created'].map((type) => ({
    run, type, correlation: type === 'run_created' ? null : 'step_1',
  })));
  // The tables of findings.table and of the quarantine, with the role that their rights are for.
  await cluster.query('CREATE ROLE dupwatch');
  for (const name of ['findings', 'quarantine']) {
    await cluster.query(fs.readFileSync(new URL(`../../config/${name}.sql`, import.meta.url), 'utf8'));
  }
  const slot = "SELECT pg_create_logical_replication_slot('dupwatch', 'pgoutput') WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'dupwatch')";
  let statements = 0;
  for (const [name, text] of pages) {
    await cluster.query(slot);
    for (const statement of blocks(text, 'sql').flatMap((body) => body.split(/;$/m)).map((part) => part.trim()).filter(Boolean)) {
      statements += 1;
      const rows = await cluster.query(statement.replaceAll('RUN_ID', run)).catch((error) => assert.fail(`${name}: ${error.message}\n${statement}`));
      // What these ask for is there, so an empty answer would be a query that finds nothing ever.
      if (statement.includes(`FROM ${EVENTS} WHERE run_id = 'RUN_ID'`)) assert.equal(rows.length, 3, name);
      if (/surplus/.test(statement)) assert.deepEqual(rows.map(({ type, surplus }) => [type, Number(surplus)]), [['step_created', 1]]);
      if (/^SELECT slot_name, plugin/.test(statement)) assert.equal(rows.length, 1, name);
      if (/FROM pg_(class|settings|indexes|ls_waldir)/.test(statement)) assert.ok(rows.length > 0, `${name}: ${statement}`);
      if (/^SELECT pg_drop_replication_slot/.test(statement)) {
        assert.deepEqual(await cluster.query('SELECT FROM pg_replication_slots'), [], name);
        await cluster.query(slot);
      }
    }
  }
  assert.ok(statements > 50, `${statements} statements`);
  const [{ limit }] = await cluster.query("SELECT current_setting('max_slot_wal_keep_size') AS limit");
  assert.equal(limit, '20GB', 'the setting of the pages takes effect with a reload');
});
