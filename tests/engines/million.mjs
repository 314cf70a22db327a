// node million.mjs --out FILE --events 1000000 [--seed N] [--scheme ulid|slot|both] [--open 200]
// Healthy logs only, multiplied: rows of workflow_events as CSV for COPY (run_id,id,type,correlation_id). Every copy is
// a run of its own with new ids; `open` runs are written at a time, so their rows lie mixed in the table as in use.
import fs from 'node:fs';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { healthyLogs } from './healthy.mjs';
import { encodeRandomness, Random, slotId, ulid, ulidEventId, ulidRandomness } from './ids.mjs';

// One engine for each scheme is enough: what is healthy does not differ between the versions of a scheme.
const ENGINES = { ulid: '4.8.9', slot: '5.0.0-beta.55' };
const TEMPLATES = 50;

// What of a log stays the same in every copy: types, and correlation ids as ordinals of the run's one sequence.
function template(log) {
  const drawn = log.events.flatMap(({ corr }) => (corr ? [ulidRandomness(corr.split('_')[1])] : []));
  const first = drawn.reduce((least, value) => (value < least ? value : least), drawn[0] ?? 0n);
  const events = log.events.map(({ type, corr }) => {
    if (!corr) return { type };
    const [kind, body] = corr.split('_');
    return { type, kind, ordinal: ulidRandomness(body) - first };
  });
  return { scheme: log.scheme, events };
}

/** One copy of a template, which gives its rows one by one. */
class Copy {
  constructor({ scheme, events }, clock, random) {
    Object.assign(this, { scheme, events, random, next: 0, run: `wrun_${ulid(clock, random)}` });
    this.time = ulid(clock, random).slice(0, 10);
    // Half the range is room enough for the ordinals above.
    this.first = ulidRandomness(ulid(0, random)) >> 1n;
  }

  get done() {
    return this.next === this.events.length;
  }

  row(clock) {
    const { type, kind, ordinal } = this.events[this.next];
    this.next += 1;
    const id = this.scheme === 'slot' ? slotId(this.next) : ulidEventId(clock, this.random);
    const corr = kind ? `${kind}_${this.time}${encodeRandomness(this.first + ordinal)}` : '';
    return `${this.run},${id},${type},${corr}\n`;
  }
}

/** CSV rows, in the order of their writing; whole runs, so slightly more than `events`. */
export function* rows(templates, { events, seed = 1, open = 200 }) {
  const random = new Random(`million/${seed}`);
  let clock = Date.UTC(2026, 0, 5);
  let planned = 0;
  const running = [];
  for (;;) {
    while (running.length < open && planned < events) {
      const copy = new Copy(random.pick(templates), clock, random);
      planned += copy.events.length;
      running.push(copy);
    }
    if (running.length === 0) return;
    const index = random.int(running.length);
    clock += 1;
    yield running[index].row(clock);
    if (running[index].done) {
      running[index] = running.at(-1);
      running.pop();
    }
  }
}

export async function healthyTemplates({ seed = 1, scheme = 'both' } = {}) {
  const schemes = scheme === 'both' ? Object.keys(ENGINES) : [scheme];
  const templates = [];
  for (const name of schemes) {
    if (!ENGINES[name]) throw new Error(`--scheme ${name}: ulid, slot or both`);
    templates.push(...(await healthyLogs(ENGINES[name], TEMPLATES, `million/${seed}`)).map(template));
  }
  return templates;
}

async function main() {
  const { values } = parseArgs({ options: {
    out: { type: 'string' }, events: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' },
    scheme: { type: 'string', default: 'both' }, open: { type: 'string', default: '200' },
  } });
  if (!values.out) throw new Error('--out FILE is missing');
  const templates = await healthyTemplates(values);
  const file = fs.createWriteStream(values.out);
  let chunk = '';
  let count = 0;
  for (const row of rows(templates, { events: Number(values.events), seed: values.seed, open: Number(values.open) })) {
    chunk += row;
    count += 1;
    if (chunk.length < 1 << 18) continue;
    if (!file.write(chunk)) await once(file, 'drain');
    chunk = '';
  }
  file.end(chunk);
  await once(file, 'finish');
  process.stderr.write(`${count} events of healthy runs in ${values.out}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
