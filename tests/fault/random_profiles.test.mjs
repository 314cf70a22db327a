// Profiles, tables and loads drawn from a seed: what three daemons (one undisturbed, one with a small index, one ended in the middle), audit,
// explain and profile test find is what SQL finds by the words of the guide's page on profiles.
// DUPWATCH_SEEDS (how many), DUPWATCH_SEED (the first); ./test --full: more, longer.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../integration/daemon.mjs';
import { latestFindings } from '../integration/ground_truth.mjs';
import { daemonFor, full } from '../integration/scene.mjs';
import { identifier, literal } from '../postgres/client.mjs';
import { createCluster } from '../postgres/cluster.mjs';
import { covered } from './fault.mjs';
import { drawWorld, profileOf, qualified, tableSql } from './profile_draws.mjs';
import { ProfileLoad } from './profile_load.mjs';
import { keyOf, readCommits, truthOf } from './profile_truth.mjs';

const FIRST = Number(process.env.DUPWATCH_SEED ?? 1);
const SEEDS = Number(process.env.DUPWATCH_SEEDS ?? (full ? 100 : 10));
const AT_ONCE = Number(process.env.DUPWATCH_AT_ONCE ?? (full ? 5 : 10));
const LOAD_MS = full ? 6000 : 1500;
// What lacks something is reported after 5 s.
const SETTLE_MS = 5500;
const WAITING = new Set(['opener', 'dense']);
const COMMITS = 'commits';
// Of more rows that share something the canonical row is that of the last line.
const CROWD = 16;

/** One after the other: the slot has one reader, and what `setup` prints may not run twice at once. */
let turn = Promise.resolve();
function inTurn(act) {
  const mine = turn.then(act);
  turn = mine.catch(() => {});
  return mine;
}

const PLUGINS = ['wal2json', 'pgoutput'];

function daemonsOf({ seed, partitioned }) {
  const plugins = partitioned ? ['pgoutput', 'pgoutput'] : PLUGINS;
  return [
    { name: 'steady', plugin: plugins[seed % 2] },
    { name: 'small', plugin: plugins[(seed + 1) % 2], index: { memory_max: '64KiB' } },
    { name: 'ended', plugin: plugins[(seed >> 1) % 2], ended: seed % 3 ? 'SIGKILL' : 'SIGTERM' },
  ];
}

async function startDaemons(t, cluster, world) {
  const daemons = [];
  for (const { name, plugin, index = {}, ended } of daemonsOf(world)) {
    const slot = `r${world.seed}_${name}`;
    const daemon = await inTurn(() => daemonFor(t, cluster, {
      profile: 'generic', rules: { profile_rule: world.forced }, slot: { name: slot, publication: slot, plugin }, index, baseline: 'all', recheck: { interval: '1s' }, log: { level: 'info' }, table: profileOf(world),
    }));
    daemons.push(Object.assign(daemon, { label: `${name}, ${plugin}`, role: name, signal: ended }));
  }
  await Promise.all(daemons.map(async (daemon) => {
    await daemon.start();
    await covered(daemon);
  }));
  return daemons;
}

const open = (source) => latestFindings(source).filter(({ rule, state }) => rule === 'profile_rule' && state !== 'gone');

/**
 * What is wrong with findings: lines, none if they are the truth. may: what need not be found; fields: what is said of them is compared
 * too, but for the canonical row of more than crowdMax rows.
 */
function wrongs(found, truth, { may = () => false, fields = true, crowdMax = Infinity } = {}) {
  const seen = new Map();
  const lines = [];
  for (const finding of found) {
    const key = keyOf(finding.profile_rule, finding.run_id, finding.duplicate.id);
    const want = truth.get(key);
    if (!want) lines.push(`false ${key} ${finding.shape} ${finding.origin} canonical ${JSON.stringify(finding.canonical.id)}`);
    else if (seen.has(key)) lines.push(`twice ${key}`);
    else if (fields) {
      const got = { canonical: finding.canonical.id, severity: finding.severity, shape: finding.shape, type: finding.type, state: finding.state };
      for (const [name, value] of Object.entries({ severity: want.severity, shape: want.shape, type: want.type, state: 'open', ...(want.kind === 'increasing' || want.crowd > crowdMax ? {} : { canonical: want.canonical }) })) {
        if (got[name] !== value) lines.push(`wrong ${name} of ${key}: ${JSON.stringify(got[name])}, not ${JSON.stringify(value)}`);
      }
    }
    seen.set(key, finding);
  }
  for (const [key, want] of truth) {
    if (!seen.has(key) && !may(want)) lines.push(`missed ${key} ${want.kind} canonical ${JSON.stringify(want.canonical)}`);
  }
  return lines;
}

/** Findings of what is missing that were told before it had been missing for 5 s. */
function hasty(findings, truth) {
  return findings.flatMap(({ profile_rule: rule, run_id: run, duplicate, flagged_at: at, origin }) => {
    const key = keyOf(rule, run, duplicate.id);
    const want = truth.get(key);
    return want && WAITING.has(want.kind) && Date.parse(at) - want.committed < 4900 ? [`hasty ${key} ${origin}: committed ${want.committed.toISOString()}, told ${at}`] : [];
  });
}

/** Asks until nothing is wrong, for what a recheck has yet to set right. */
async function settled(ask, tries = 20) {
  for (;;) {
    const lines = ask();
    tries -= 1;
    if (lines.length === 0 || tries === 0) return lines;
    await sleep(1000);
  }
}

/** What is wrong with what audit, profile test and explain say: all but the order of commits. */
async function commands(daemon, truth, load) {
  const lasting = new Map([...truth].filter(([, { kind }]) => kind !== 'increasing'));
  const lines = [];
  const add = (what, wrong) => lines.push(...wrong.map((line) => `${what}: ${line}`));
  const audit = await runCommand(['audit', '--json', '--config', daemon.configFile]);
  const records = audit.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const found = records.filter(({ event }) => event === 'finding');
  add('audit', wrongs(found, lasting));
  if (audit.code !== (lasting.size ? 1 : 0)) add('audit', [`exit code ${audit.code} ${audit.stderr}`]);
  const tested = await runCommand(['profile', 'test', daemon.configFile, '--json']);
  const { rules } = JSON.parse(tested.stdout);
  for (const { name, findings, examples } of rules) {
    const want = [...lasting.values()].filter(({ rule }) => rule === name).length;
    if (findings !== want || examples.length !== Math.min(3, want)) add('profile test', [`${name}: ${findings} findings, ${examples.length} examples, not ${want}`]);
    add('profile test', wrongs(examples, lasting, { may: () => true }));
  }
  for (const run of load.dice.some([...new Set([...truth.values()].map((each) => each.run))], 2)) {
    const explain = await runCommand(['explain', '--json', '--config', daemon.configFile, '--', run]);
    const ofRun = new Map([...lasting].filter(([, each]) => each.run === run));
    if (!explain.stdout.startsWith('{')) add('explain', [`${JSON.stringify(run)}: exit code ${explain.code} ${explain.stderr}`]);
    else add('explain', wrongs(JSON.parse(explain.stdout).findings.filter(({ shape }) => shape !== 'out_of_order'), ofRun));
  }
  return lines;
}

/** The part of the truth that a daemon may leave out. */
function mayMiss(daemon, scene) {
  const steady = daemon.role === 'steady';
  return ({ kind, run, seq, sure }) => (kind === 'increasing' && !(steady && sure && scene.warm.has(run)))
    || (WAITING.has(kind) && daemon.signal && (seq === null || seq <= scene.endedAt));
}

/** Asks with the commits known that came after `since`. */
async function asked(cluster, since, ask) {
  const client = await cluster.client();
  try {
    await inTurn(() => readCommits(client, COMMITS, since));
    return await ask(client);
  } finally {
    await client.end();
  }
}

const lastCommit = (cluster) => asked(cluster, 0, async (client) => Number((await client.query('SELECT coalesce(max(seq), 0) AS seq FROM commits')).rows[0].seq));

/** Two lines of each sort: same daemon, same difference, same rule. */
function sample(lines) {
  const seen = new Map();
  return lines.filter((line) => {
    const sort = line.replace(/(\["\w+").*/, '$1');
    seen.set(sort, (seen.get(sort) ?? 0) + 1);
    return seen.get(sort) <= 2;
  });
}

const nameOf = (values) => values.map((value, at) => (at < values.length - 1 ? value.replaceAll('%', '%25').replaceAll('/', '%2F') : value)).join('/');

/** Rows before the daemons, under them and while one is away; what is known of it afterwards. */
async function write(t, { cluster, world, load }) {
  const client = await cluster.client();
  t.after(() => client.end());
  await load.copy(client, load.rows(500, load.runs));
  const since = await lastCommit(cluster);
  const daemons = await startDaemons(t, cluster, world);
  // Rows of the stream in every run that is written to, so that its order is known from here on.
  for (const run of load.hot) await load.insert(client, load.ofEveryType(run));
  await Promise.all(daemons.map((daemon) => daemon.caughtUp()));
  await load.run(LOAD_MS);
  const ended = daemons.find(({ signal }) => signal);
  const writing = load.run(LOAD_MS);
  await sleep(LOAD_MS / 3);
  await ended.stop(ended.signal);
  const endedAt = await lastCommit(cluster);
  await ended.start({ ready: false });
  await writing;
  await Promise.all(daemons.map((daemon) => daemon.ready().then(() => daemon.caughtUp())));
  await sleep(SETTLE_MS);
  return { since, daemons, endedAt, warm: new Set(load.hot.map(nameOf)) };
}

/** What is wrong after rows have left, single ones and a whole run: who finds something new in what is left need not say it. */
async function afterDeletes({ cluster, world, load }, scene, truth, truthNow) {
  const { scope, run } = world.columns;
  const first = [...scope, run].map(({ name }, at) => `${identifier(name)} = ${literal(load.hot[0][at])}`);
  await cluster.query(`DELETE FROM ${qualified(world)} WHERE wtx % 5 = 0; DELETE FROM ${qualified(world)} WHERE ${first.join(' AND ')}`);
  // What the stream alone tells is not looked at again.
  const left = new Map([...await truthNow()].filter(([, { kind }]) => kind !== 'increasing'));
  const lines = [];
  for (const daemon of scene.daemons) {
    const mayMissNow = mayMiss(daemon, scene);
    const may = (want) => mayMissNow(want) || !truth.has(keyOf(want.rule, want.run, want.duplicate));
    const wrong = await settled(() => wrongs(open(daemon.findingsFile).filter(({ shape }) => shape !== 'out_of_order'), left, { fields: false, may }));
    lines.push(...wrong.map((line) => `${daemon.label}, after deletes: ${line}`));
  }
  return lines;
}

async function round(t, cluster, seed) {
  const world = drawWorld(seed);
  const load = new ProfileLoad(cluster, world, { slow: full });
  const own = { cluster, world, load };
  await cluster.query(tableSql(world));
  const scene = await write(t, own);
  const truthNow = () => asked(cluster, scene.since, (client) => truthOf(client, world));
  const truth = await truthNow();
  const lines = [];
  for (const daemon of scene.daemons) {
    const wrong = await settled(() => wrongs(open(daemon.findingsFile), truth, { may: mayMiss(daemon, scene), crowdMax: CROWD }));
    lines.push(...[...wrong, ...hasty(open(daemon.findingsFile), truth)].map((line) => `${daemon.label}: ${line}`));
  }
  lines.push(...await commands(scene.daemons[0], truth, load));
  const evicted = await scene.daemons[1].metric('dupwatch_index_evictions_total');
  t.diagnostic(`seed ${seed}: ${Object.keys(world.rules).length} rules, ${truth.size} findings, ${evicted} evictions`);
  lines.push(...await afterDeletes(own, scene, truth, truthNow));
  for (const daemon of scene.daemons) await daemon.stop();
  await cluster.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE $1', [`r${seed}\\_%`]);
  assert.deepEqual(sample(lines).slice(0, 40), [], `seed ${seed}, ${lines.length} differences, ${JSON.stringify(profileOf(world))}\n${tableSql(world)}`);
  await cluster.query(`DROP SCHEMA ${identifier(world.schema)} CASCADE`);
}

describe('random profiles', { concurrency: AT_ONCE }, () => {
  let cluster;
  const prepared = createCluster({
    settings: { track_commit_timestamp: 'on', max_prepared_transactions: 20, max_connections: 200, max_wal_senders: 40, max_replication_slots: 10 + 3 * SEEDS },
  }).then(async (made) => {
    cluster = made;
    await cluster.query(`SELECT pg_create_logical_replication_slot('${COMMITS}', 'test_decoding')`);
    return cluster;
  });
  after(() => cluster?.destroy());
  for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
    it(`seed ${seed}`, { timeout: 300_000 }, async (t) => round(t, await prepared, seed));
  }
});
