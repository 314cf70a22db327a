// node logs.mjs --engine VERSION[,VERSION...]|all --seed N --count 300 --out FILE
// Writes the ground truth: one log per line with the verdict of the real engine. All shapes of shapes.mjs come first,
// then `count` logs damaged (or not) by mutate.mjs.
import fs from 'node:fs';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { loadEngine, VERSIONS } from './engine.mjs';
import { healthyLogs } from './healthy.mjs';
import { Random } from './ids.mjs';
import { mutated } from './mutate.mjs';
import { renameIn, renaming } from './rename.mjs';
import { replayAll } from './replay.mjs';
import { payloadsOf, shapeLogs } from './shapes.mjs';

const HEALTHY = 60;

/** The logs of one version with their verdicts, in the form of the file's lines. */
export async function groundTruth(version, { seed = 1, count = 300 } = {}) {
  const random = new Random(`truth/${seed}/${version}`);
  const payload = payloadsOf(await loadEngine(version));
  const cases = (await shapeLogs(version)).map(({ name, log }) => ({ log, mutation: `shape: ${name}` }));
  const healthy = await healthyLogs(version, Math.min(HEALTHY, count), seed);
  for (let index = 0; index < count; index += 1) cases.push(mutated(healthy, index, random, payload));
  const verdicts = await replayAll(version, cases.map(({ log }) => log));
  return cases.map((entry, index) => {
    // The check of the harness itself: what it did not touch must replay, or no verdict here is worth anything.
    // (A cancelled run is whole too, but 4.x never replays one: nothing there takes the run_cancelled.)
    const whole = /^(none|prefix)$/.test(entry.mutation) && entry.log.status !== 'cancelled';
    if (whole && (verdicts[index].outcome !== 'ok' || verdicts[index].stuck)) throw new Error(`${version} rejects a healthy log: ${verdicts[index].message}`);
    return toLine(version, index, entry, verdicts[index], random);
  });
}

/** A log and its verdict as a line of the file; the log gets a run of its own. */
export function toLine(version, index, { log, mutation }, { outcome, stuck = false, message }, random) {
  const rename = renaming(random);
  const events = log.events.map(({ id, type, corr, data }) => ({
    id: rename(id),
    type,
    correlation_id: rename(corr),
    ...(data?.stepName ? { payload: { stepName: data.stepName } } : {}),
  }));
  events.sort((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id)));
  return {
    log: `${version}/${String(index).padStart(4, '0')}/${log.run.workflow}`,
    engine: version,
    scheme: log.scheme,
    run: { id: rename(log.run.id), status: log.status },
    events,
    mutation,
    // The run's end is in the log: the runtime would not replay it, whatever the engine says about the log itself.
    ended: log.status !== 'running' && log.status !== 'pending',
    outcome,
    stuck,
    message: renameIn(message, rename),
  };
}

async function main() {
  const { values } = parseArgs({ options: {
    engine: { type: 'string', default: 'all' }, seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '300' }, out: { type: 'string' },
  } });
  if (!values.out) throw new Error('--out FILE is missing');
  const file = fs.createWriteStream(values.out);
  for (const version of values.engine === 'all' ? VERSIONS : values.engine.split(',')) {
    const begin = Date.now();
    const lines = await groundTruth(version, { seed: values.seed, count: Number(values.count) });
    for (const line of lines) if (!file.write(`${JSON.stringify(line)}\n`)) await once(file, 'drain');
    const share = (outcome) => `${lines.filter((line) => line.outcome === outcome).length} ${outcome}`;
    process.stderr.write(`${version}: ${lines.length} logs in ${Date.now() - begin} ms: ${['ok', 'fatal', 'conflict'].map(share).join(', ')}\n`);
  }
  file.end();
  await once(file, 'finish');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
