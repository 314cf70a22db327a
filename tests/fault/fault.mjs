// One fault from beginning to end: a load runs, the fault strikes and passes, the daemon recovers, and what it found is
// set beside the table. Every fault prints one line, and DUPWATCH_FAULT_TABLE names a file that collects them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { daemonFor, eventId, full, insertEvents, EVENTS } from '../integration/scene.mjs';
import { compare, describe } from '../integration/ground_truth.mjs';
import { Gate } from './gate.mjs';
import { Load } from './load.mjs';

/** The gaps of the daemon in words, the first start's left out: it is no fault. */
export async function gapsOf(daemon) {
  return (await daemon.status()).coverage.gaps.map((gap) => gap.reason).filter((reason) => reason !== 'first_start');
}

/** Waits until no gap is open. */
export function covered(daemon, timeoutMs = 90_000) {
  return daemon.until('complete coverage', async () => {
    const { coverage } = await daemon.status().catch(() => ({ coverage: { complete_since: null } }));
    return coverage.complete_since !== null;
  }, timeoutMs);
}

/** Removes what an earlier fault on the same server left: its slot and its events. */
export async function clean(cluster) {
  await cluster.query(`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active`);
  for (let tries = 0; ; tries += 1) {
    try {
      await cluster.query(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = 'logical'`);
      break;
    } catch (error) {
      if (tries > 100) throw error;
      await sleep(50);
    }
  }
  await cluster.query(`TRUNCATE ${EVENTS}, workflow.workflow_runs`);
}

/** Prints one row of a table of results, and adds it to the file that collects them. */
export function tellRow(t, line) {
  t.diagnostic(line);
  if (process.env.DUPWATCH_FAULT_TABLE) fs.appendFileSync(process.env.DUPWATCH_FAULT_TABLE, `${line}\n`);
}

function tell(t, row) {
  tellRow(t, `| ${[row.name, row.injected, `${row.recoveredIn.toFixed(1)} s`, `${row.expected} / ${row.found} / ${row.false_}`, row.gaps].join(' | ')} |`);
}

const HANGS_MS = 30_000;

/** Milliseconds until the server is down; one that does not come down is a failure, and taken down hard. */
export async function timeToStop(cluster, mode, daemon) {
  const begun = performance.now();
  let down = false;
  const stopped = cluster.stop(mode).then(() => { down = true; });
  for (const deadline = begun + HANGS_MS; !down && performance.now() < deadline;) await sleep(5);
  const took = performance.now() - begun;
  if (!down) {
    const tail = daemon?.tail(10);
    cluster.child.kill('SIGQUIT');
    await stopped;
    assert.fail(`the server was not down after ${HANGS_MS} ms\n${tail}`);
  }
  return took;
}

/**
 * Runs a fault in test `t` over `cluster`.
 * inject({daemon, gate, load, cluster}) lets it strike and pass, and returns what it did in a few words.
 * gaps: the reasons that must have been declared; none unless told. atLeast: findings that the table must call for.
 * env: of the daemon. config, load: over the defaults of Daemon and Load; load false = none. after(scene): more to check, once recovered.
 */
export async function endure(t, cluster, { name, inject, gaps = [], atLeast = 10, config = {}, load: loadOptions = {}, env, after, before, recoverMs = 90_000 }) {
  const gate = await Gate.open(t, cluster.port);
  const { connection, ...others } = config;
  const daemon = await daemonFor(t, cluster, {
    connection: { dsn: cluster.dsn({ port: gate.port }), backoff_min: '20ms', backoff_max: '500ms', connect_timeout: '2s', ...connection },
    ...others,
  });
  const scene = { daemon, gate, cluster };
  await before?.(scene, t);
  await daemon.start({ env: env?.() });
  await covered(daemon);
  const load = loadOptions === false ? undefined : new Load(cluster, loadOptions);
  t.after(() => load?.abandon());
  await load?.more(15);
  scene.load = load;
  const injected = await inject(scene);
  const struck = Date.now();
  if (load?.running) await load.more(10);
  await load?.stop();
  await daemon.ready(recoverMs);
  await daemon.caughtUp(recoverMs);
  await covered(daemon, recoverMs);
  const recoveredIn = (Date.now() - struck) / 1000;
  const client = await cluster.client();
  try {
    const result = await compare(daemon.findingsFile, client, {});
    const declared = await gapsOf(daemon);
    tell(t, {
      name, injected, recoveredIn, expected: result.expected, found: result.found, false_: result.false_.length,
      gaps: declared.length ? [...new Set(declared)].join(', ') : 'none',
    });
    assert.ok(result.ok, `${describe(result)}\n${daemon.tail(20)}`);
    assert.ok(result.expected >= atLeast, `the table calls for only ${result.expected} findings, wanted ${atLeast}`);
    assert.deepEqual([...new Set(declared)].sort(), [...gaps].sort(), `gaps declared\n${daemon.tail(20)}`);
    assert.deepEqual(load?.failures ?? [], [], 'the application lost a statement');
    await after?.({ ...scene, result });
  } finally {
    await client.end();
  }
  await daemon.stop();
}

/** A run with two findings, written at once: what a fault of some seconds may or may not see. */
export async function twoFindings(cluster, number, table = EVENTS) {
  const run = `wrun_01KF000000000000${String(number).padStart(10, '0')}`;
  const step = `step_01KF000000000000${String(number).padStart(10, '0')}`;
  await cluster.query(`INSERT INTO workflow.workflow_runs (id, deployment_id, status, name) VALUES ($1, 'd', 'running', 'w')`, [run]);
  if (table === EVENTS) {
    await insertEvents(cluster, ['step_created', 'step_created', 'step_completed', 'step_created'].map((type) => ({ run, type, correlation: step, id: eventId(number) })));
    return run;
  }
  for (const type of ['step_created', 'step_created', 'step_completed', 'step_created']) {
    await cluster.query(`INSERT INTO ${table} (run_id, type, correlation_id, id) VALUES ($1, $2, $3, $4)`, [run, type, step, eventId(number)]);
  }
  return run;
}

/**
 * What declares faults with `plugin` on the server that `cluster()` gives: always = in every ./test, fault = there with
 * the plugin `briefly` alone, fullFault = in ./test --full alone.
 */
export function faultKinds(plugin, briefly, cluster) {
  const always = (name, options) => test(name, async (t) => {
    await clean(cluster());
    await endure(t, cluster(), { ...options, name: `${name}, ${plugin}`, config: { ...options.config, slot: { ...options.config?.slot, plugin } } });
  });
  const inFull = (name, options) => (full ? always(name, options) : undefined);
  return { always, fault: plugin === briefly ? always : inFull, fullFault: inFull };
}
