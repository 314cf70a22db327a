// What every process of a race does with one run, computed from the seed alone, so that all processes agree on it
// without talking and a failing race can be repeated.

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A small seeded generator (mulberry32) of numbers in [0, 1). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A ULID with the given time (ms since the epoch) whose random part comes from the generator. */
export function ulid(timeMs, random) {
  let text = '';
  for (let left = timeMs, i = 0; i < 10; i += 1) {
    text = CROCKFORD[left % 32] + text;
    left = Math.floor(left / 32);
  }
  for (let i = 0; i < 16; i += 1) text += CROCKFORD[Math.floor(random() * 32)];
  return text;
}

/**
 * The plan of run number `index`. Shares are probabilities:
 * options.late: a step (or hook) of the run is created again after it was closed.
 * options.finish: the run is completed at its end.
 * options.second: another process creates the run too.
 */
export function planRun(index, options) {
  const random = generator(options.seed * 1_000_003 + index * 7919 + 1);
  const chance = (share) => random() < share;
  const process = () => Math.floor(random() * options.processes);
  const id = (kind) => `${kind}_${ulid(options.epoch + index, random)}`;
  const plan = {
    index,
    runId: id('wrun'),
    owner: process(),
    secondCreator: chance(options.second) ? process() : null,
    barrier: chance(0.5),
    late: chance(options.late) ? process() : null,
    finish: chance(options.finish),
    steps: [],
    hook: null,
    wait: null,
  };
  for (let number = 0; number < options.steps; number += 1) {
    plan.steps.push({
      id: id('step'),
      executor: process(),
      secondStarter: chance(0.2) ? process() : null,
      retries: chance(0.15) ? 1 : 0,
      fails: chance(0.1),
      jitterMs: Array.from({ length: options.processes }, () => random() * 4),
    });
  }
  if (chance(0.25)) plan.hook = { id: id('hook'), received: 1 + Math.floor(random() * 4), disposed: chance(0.6) };
  if (chance(0.2)) plan.wait = { id: id('wait'), completed: chance(0.7) };
  return plan;
}
