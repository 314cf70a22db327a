// A primary and its standby change their places under load, again and again. The primary is shut down, the
// standby promoted, and the old primary comes back as the standby of the new one. Each time the shutdown takes no longer
// than without dupwatch, and the findings are those of the new primary's table. DUPWATCH_FULL=1: thirty times each, or
// DUPWATCH_ROUNDS.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutOff, replayed } from '../postgres/standby.mjs';
import { daemonFor, full } from '../integration/scene.mjs';
import { describe } from '../integration/ground_truth.mjs';
import { covered, tellRow, twoFindings } from './fault.mjs';
import { Pair, gone, receives, truth } from './pair.mjs';

const ROUNDS = Number(process.env.DUPWATCH_ROUNDS ?? 0) || (full ? 30 : 2);
// As in shutdown.test.mjs.
const LONGER_MS = full ? 1000 : 4000;

/** Milliseconds of the slowest shutdown without dupwatch. */
async function slowestAlone(pair, rounds) {
  const took = [];
  for (let i = 0; i < rounds; i += 1) {
    const load = pair.load();
    await load.more(15);
    took.push(await pair.switchOver());
    await load.more(5);
    await load.stop();
    await pair.comeBack();
    await receives(pair.standby);
  }
  return Math.max(...took);
}

// ahead: the standby lacks the end of what the primary has, and dupwatch has told of it. keepsSlot: see Pair.comeBack.
// waits: synchronized_standby_slots names the standby. killed: dupwatch is, before the shutdown, and begins again after it.
const KINDS = {
  synchronized: [{ waits: true }, { ahead: true, copied: true }, { killed: true }, { waits: true, killed: true }, {}],
  alone: [{ keepsSlot: true }, { ahead: true, copied: true }, { keepsSlot: true }, { killed: true }, {}],
};

async function round(pair, daemon, number, kind) {
  await pair.arrange(kind);
  const load = pair.load({ ends: pair.synchronized });
  await load.more(15);
  await twoFindings(pair.primary, 800_000 + number);
  if (kind.ahead) {
    await replayed(pair.standby, pair.primary);
    await cutOff(pair.standby);
    await twoFindings(pair.primary, 900_000 + number);
    await load.more(10);
    await daemon.caughtUp();
  }
  const goneBefore = gone(daemon);
  const since = Date.now();
  const struck = performance.now();
  if (kind.killed) await daemon.kill();
  const stoppedIn = await pair.switchOver(daemon);
  if (kind.killed) await daemon.start({ ready: false });
  await pair.followed(daemon);
  const streams = performance.now() - struck;
  await load.more(5);
  await pair.comeBack(kind);
  await load.more(5);
  await load.stop();
  await twoFindings(pair.primary, 700_000 + number);
  await daemon.ready();
  await covered(daemon);
  const closed = performance.now() - struck;
  const result = await truth(pair, daemon);
  const gaps = (await daemon.status()).coverage.gaps.filter(({ opened_at: at }) => Date.parse(at) >= since).map(({ reason }) => reason);
  assert.deepEqual(load.failures, []);
  assert.ok(result.expected >= 10 * (number + 1), `${result.expected}`);
  assert.ok(gaps.includes('other_history'), `${gaps}`);
  const left = gone(daemon) - goneBefore;
  if (kind.ahead) assert.ok(left >= 2, 'what was lost with the old primary is gone');
  else assert.equal(left, 0, 'nothing was lost, and nothing is said to be');
  return { stoppedIn, streams, closed, gaps, result };
}

async function switchOverOften(t, { major, synchronized, words }) {
  const pair = await Pair.open(t, { major, synchronized });
  const alone = await slowestAlone(pair, full ? 5 : 1);
  const daemon = await daemonFor(t, pair.primary, { ...pair.config(), index: { memory_max: '64KiB' } });
  await daemon.start();
  await covered(daemon);
  const kinds = KINDS[synchronized ? 'synchronized' : 'alone'];
  const rounds = [];
  for (let number = 0; number < ROUNDS; number += 1) {
    rounds.push(await round(pair, daemon, number, kinds[number % kinds.length]));
    t.diagnostic(`${number + 1}: down in ${Math.round(rounds.at(-1).stoppedIn)} ms, ${describe(rounds.at(-1).result)}; ${rounds.at(-1).gaps}`);
  }
  const most = (of) => Math.max(...rounds.map((one) => one[of]));
  const { result } = rounds.at(-1);
  tellRow(t, `| switchover, pgoutput, Postgres ${major} | ${words} | not run | ${rounds.length} times, down in at most ${Math.round(most('stoppedIn'))} ms (without dupwatch ${Math.round(alone)} ms), `
    + `streams from the other at most ${(most('streams') / 1000).toFixed(1)} s after the stop began, covered after at most ${(most('closed') / 1000).toFixed(1)} s; `
    + `${result.expected} / ${result.found} / ${result.false_.length}, ${gone(daemon)} gone with their rows; ${[...new Set(rounds.flatMap(({ gaps }) => gaps))].join(', ')} |`);
  assert.ok(most('stoppedIn') < alone + LONGER_MS, `${Math.round(most('stoppedIn'))} ms, without dupwatch ${Math.round(alone)} ms`);
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
}

for (const major of full ? [17, 18] : [17]) {
  test(`${ROUNDS} switchovers with a synchronized slot, Postgres ${major}`,
    (t) => switchOverOften(t, { major, synchronized: true, words: 'to and fro, the slot synchronized' }));

  test(`${ROUNDS} switchovers without a synchronized slot, Postgres ${major}`,
    (t) => switchOverOften(t, { major, synchronized: false, words: 'to and fro, no copy of the slot' }));
}
