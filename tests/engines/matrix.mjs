// node matrix.mjs --engine VERSION|all --seed N --count 1500 --out FILE
// The logs of courses.mjs with the damage of damage.mjs and the engine's verdict on each, one log per line as logs.mjs writes them.
import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { courses } from './courses.mjs';
import { damaged } from './damage.mjs';
import { loadEngine, VERSIONS } from './engine.mjs';
import { healthyLog } from './healthy.mjs';
import { Random } from './ids.mjs';
import { toLine } from './logs.mjs';
import { replayAll } from './replay.mjs';
import { payloadsOf } from './shapes.mjs';

/** Each course so often, with what runs at once in another order each time. */
const TIMES = 3;

export async function matrixLogs(version, { seed = 1, count = 1500 } = {}) {
  const random = new Random(`matrix/${seed}/${version}`);
  const payload = payloadsOf(await loadEngine(version));
  const healthy = [];
  for (const course of courses) {
    const logs = Array.from({ length: TIMES }, (_, time) => healthyLog(version, course, new Random(`${seed}/${version}/${course.name}/${time}`)));
    healthy.push(...await Promise.all(logs));
  }
  const cases = Array.from({ length: count }, (_, index) => damaged(healthy, index, random, payload));
  const verdicts = await replayAll(version, cases.map(({ log }) => log));
  return cases.map(({ log, kind }, index) => toLine(version, index, { log, mutation: kind }, verdicts[index], random));
}

async function main() {
  const { values } = parseArgs({ options: {
    engine: { type: 'string', default: 'all' }, seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1500' }, out: { type: 'string' },
  } });
  if (!values.out) throw new Error('--out FILE is missing');
  fs.writeFileSync(values.out, '');
  for (const version of values.engine === 'all' ? VERSIONS : values.engine.split(',')) {
    const begin = Date.now();
    const lines = await matrixLogs(version, { seed: values.seed, count: Number(values.count) });
    fs.appendFileSync(values.out, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    process.stderr.write(`${version}: ${lines.length} logs in ${Date.now() - begin} ms\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
