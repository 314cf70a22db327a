// One row with a payload of many megabytes under wal2json, which sends it whole, in a control group that may kill: the row is judged, or
// it is stepped over, declared and scanned for; the process lives either way, and gives the memory back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { entering, groupWith } from '../integration/control_group.mjs';
import { assertTruth, daemonFor, EVENTS, eventId, full, insertEvents, serverWithSchema } from '../integration/scene.mjs';

const MiB = 2 ** 20;

function residentMiB(daemon, name) {
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(fs.readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8'))[1]) / 1024;
}

/** One payload of `megabytes` of bytes in a group of `group` MiB; `fits` says whether it can be judged from the stream. */
async function payload(t, megabytes, group, fits) {
  const cluster = await serverWithSchema(t);
  const daemon = await daemonFor(t, cluster, { slot: { plugin: 'wal2json' }, index: { memory_max: '1MiB' } });
  // Removed after the daemon is.
  const folder = groupWith(t, group * MiB);
  if (!folder) {
    t.skip('no control group can be made here');
    return;
  }
  const program = process.env.DUPWATCH_BIN;
  process.env.DUPWATCH_BIN = entering(t, folder);
  try {
    await daemon.start();
  } finally {
    if (program === undefined) delete process.env.DUPWATCH_BIN;
    else process.env.DUPWATCH_BIN = program;
  }
  const { pid } = daemon.child;
  await daemon.line('the limit', ({ event, bytes }) => event === 'memory_limit' && Number(bytes) === group * MiB);
  const duplicate = (step) => insertEvents(cluster, [0, 1].map(() => ({ run: 'wrun_1', type: 'step_created', correlation: step })));
  await duplicate('step_0');
  await cluster.query(`INSERT INTO ${EVENTS} (id, type, correlation_id, run_id, payload_cbor)
    VALUES ($1, 'step_created', 'step_1', 'wrun_1', decode(repeat('ab', $2), 'hex'))`, [eventId(), megabytes * MiB]);
  await insertEvents(cluster, [{ run: 'wrun_1', type: 'step_created', correlation: 'step_1' }]);
  await duplicate('step_2');
  if (!fits) {
    await daemon.line('the step over', (entry) => entry.gap === 'poison_row', { timeoutMs: 240_000 });
    const closed = ({ coverage }) => coverage.gaps.some(({ reason, closed_at: at }) => reason === 'poison_row' && at !== null);
    await daemon.until('the end of the scan', async () => closed(await daemon.status()), 120_000);
  }
  await assertTruth(daemon, { atLeast: 3, timeoutMs: 240_000 });
  assert.equal(daemon.lines.some((entry) => entry.gap === 'poison_row'), !fits);
  const peak = residentMiB(daemon, 'VmHWM');
  const given = await daemon.until('the memory back', () => residentMiB(daemon, 'VmRSS') < 80 && residentMiB(daemon, 'VmRSS'), 60_000);
  await daemon.ready();
  assert.equal(daemon.child.pid, pid);
  t.diagnostic(`| ${megabytes} MB | ${group} MiB | ${fits ? 'judged' : 'stepped over, found by the scan'} | ${peak.toFixed(0)} MiB | ${given.toFixed(0)} MiB |`);
}

test('20 MB in a group of 256 MiB are judged, and the memory comes back', { timeout: 300_000 }, (t) => payload(t, 20, 256, true));

// What the guide's table says.
for (const [megabytes, group, fits] of [[1, 256, true], [50, 256, true], [100, 256, false], [200, 256, false], [500, 256, false], [1, 1024, true], [50, 1024, true], [200, 1024, true], [500, 1024, false]]) {
  test(`${megabytes} MB in a group of ${group} MiB`, { skip: !full && 'a long proof', timeout: 900_000 }, (t) => payload(t, megabytes, group, fits));
}
