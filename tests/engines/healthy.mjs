// Healthy logs, made by the real engine: this file plays the world. It replays the log, writes the events that the
// suspended workflow asks for, lets steps, waits and hooks go on in a seeded order, and replays again until the run ends.
import { loadEngine } from './engine.mjs';
import { Random, slotId, ulid, ulidEventId } from './ids.mjs';
import { replay } from './replay.mjs';
import { named, randomWorkflow } from './workflows.mjs';

const EPOCH = Date.UTC(2026, 0, 5);
const ROUNDS = 60;

/**
 * Runs `workflow` to its end and returns the log: {engine, scheme, source, run, events, status}.
 * `straight`: one thing after the other, no retries, no extra events. `cancelAfter`: cancelled, twice, after that many
 * rounds. Event ids leave room for a few more between any two of them.
 */
export async function healthyLog(version, workflow, random, { straight = false, cancelAfter = Infinity } = {}) {
  const world = new World(await loadEngine(version), workflow, random, straight);
  world.write('run_created', null, { deploymentId: world.log.run.deployment, workflowName: workflow.name, input: world.payloads.args });
  world.write('run_started', null);
  world.log.run.startedAt = world.clock;
  for (let round = 0; round < ROUNDS; round += 1) {
    const drained = world.collectDrained();
    const verdict = await replay(version, world.log);
    if (verdict.outcome !== 'ok' || verdict.stuck) throw new Error(`${version} rejects its own log of ${workflow.name}: ${verdict.message}`);
    if (verdict.ended) return world.finish(verdict.ended, drained);
    if (round >= cancelAfter) return world.cancel();
    world.answer(verdict.suspension);
  }
  throw new Error(`${workflow.name} does not end on ${version}`);
}

class World {
  constructor(engine, workflow, random, straight) {
    const createdAt = EPOCH + random.int(300 * 86_400_000);
    Object.assign(this, { engine, random, straight, payloads: engine.payloads, clock: createdAt });
    const run = { id: `wrun_${ulid(createdAt, random)}`, workflow: workflow.name, deployment: 'dpl_1', createdAt, startedAt: createdAt };
    this.log = { engine: engine.version, scheme: engine.scheme, source: workflow.source, run, events: [], status: 'running' };
    this.entities = new Map();
  }

  write(type, corr, data = {}) {
    // At least 8 ms apart: what is squeezed in between later finds a time of its own.
    this.clock += this.random.between(8, 400);
    const id = this.engine.scheme === 'slot' ? slotId(this.log.events.length + 1) : ulidEventId(this.clock, this.random);
    this.log.events.push({ id, type, corr, data, at: this.clock });
  }

  // The engine of 5.x ends a run by writing what nobody awaited; those writes come before the run's terminal event.
  collectDrained() {
    const writes = [];
    this.engine.drained.set(this.log.run.id, writes);
    return writes;
  }

  /** Answers one suspension: creates what is new, then lets some of the open entities go on. */
  answer(items) {
    const wanted = new Set(items.map((item) => item.correlationId));
    for (const item of items) this.create(item);
    const open = [...this.entities.values()].filter((entity) => wanted.has(entity.id) && !entity.closed);
    if (open.length === 0) return;
    // Straight: a hook only receives when nothing else can go on, or it would receive for ever.
    const first = this.straight ? Math.max(open.findIndex(({ type }) => type !== 'hook'), 0) : this.random.int(open.length);
    const chosen = open.filter((_, index) => index === first || (!this.straight && this.random.chance(0.6)));
    this.interleave(chosen.map((entity) => this.progress(entity)));
  }

  create(item) {
    const { correlationId: id, type } = item;
    if (type === 'attribute') {
      this.write('attr_set', id, { changes: item.changes, writer: { type: 'workflow' } });
      return;
    }
    if (!this.entities.has(id)) {
      const entity = { id, type, name: item.stepName, token: item.token, closed: false };
      this.entities.set(id, entity);
      if (type === 'step') this.write('step_created', id, { stepName: item.stepName, input: this.payloads.stepArgs });
      if (type === 'hook') this.write('hook_created', id, { token: item.token });
      if (type === 'wait') {
        entity.resumeAt = new Date(this.clock + 3_600_000);
        this.write('wait_created', id, { resumeAt: entity.resumeAt });
      }
    }
    if (type === 'hook' && item.disposed && !this.entities.get(id).closed) {
      this.entities.get(id).closed = true;
      this.write('hook_disposed', id, { token: item.token });
    }
  }

  /** The events that an entity goes through next, in order. */
  progress(entity) {
    if (entity.type === 'hook') {
      const count = this.straight ? 1 : this.random.between(1, 3);
      return Array.from({ length: count }, () => ['hook_received', entity.id, { token: entity.token, payload: this.payloads.value }]);
    }
    entity.closed = true;
    // 4.2.4 writes no resumeAt here; later versions do, and compare it with that of the wait.
    if (entity.type === 'wait') return [['wait_completed', entity.id, this.engine.version === '4.2.4' ? {} : { resumeAt: entity.resumeAt }]];
    const stepName = entity.name;
    const started = ['step_started', entity.id, { stepName, attempt: 1 }];
    const events = [started];
    const retries = this.straight || this.random.chance(0.7) ? 0 : this.random.between(1, 3);
    for (let retry = 0; retry < retries; retry += 1) {
      // A worker that died in the attempt leaves no step_retrying behind.
      if (this.random.chance(0.8)) events.push(['step_retrying', entity.id, { stepName, error: this.payloads.error, retryAfter: new Date(this.clock) }]);
      events.push(started);
    }
    if (this.engine.scheme === 'slot' && !this.straight && this.random.chance(0.2)) {
      const writer = { type: 'step', stepId: entity.id, attempt: 1 };
      for (let count = this.random.between(1, 2); count > 0; count -= 1) events.push(['attr_set', null, { changes: [{ key: 'k', value: 'v' }], writer }]);
    }
    if (stepName.startsWith('fail')) events.push(['step_failed', entity.id, { stepName, error: this.payloads.error }]);
    else events.push(['step_completed', entity.id, { stepName, result: this.payloads.value }]);
    return events;
  }

  // Each entity keeps its order, the order between them is up to the seed.
  interleave(sequences) {
    const rest = sequences.filter((sequence) => sequence.length > 0);
    while (rest.length > 0) {
      const index = this.random.int(rest.length);
      this.write(...rest[index].shift());
      if (rest[index].length === 0) rest.splice(index, 1);
    }
  }

  finish(status, drained) {
    for (const { eventType, correlationId, eventData } of drained) this.write(eventType, correlationId ?? null, eventData);
    const data = status === 'completed' ? { output: this.payloads.output } : { error: this.payloads.error };
    this.write(`run_${status}`, null, data);
    return this.end(status);
  }

  // Cancelling a cancelled run writes a second event; that is no damage.
  cancel() {
    this.write('run_cancelled', null);
    this.write('run_cancelled', null);
    return this.end('cancelled');
  }

  end(status) {
    this.engine.drained.delete(this.log.run.id);
    this.log.status = status;
    return this.log;
  }
}

/** `count` healthy logs of that version: the named workflows in turn with random ones, each from its own seed. */
export async function healthyLogs(version, count, seed) {
  const attributes = version.startsWith('5.');
  const fixed = Object.values(named).filter(({ name }) => attributes || name !== 'attributes');
  const make = (index) => {
    const random = new Random(`${seed}/${version}/${index}`);
    const workflow = index < fixed.length ? fixed[index] : randomWorkflow(`mix${index}`, random, { attributes });
    return healthyLog(version, workflow, random, { cancelAfter: random.chance(0.1) ? random.between(1, 3) : Infinity });
  };
  // Replays of one run wait for each other, runs do not.
  const logs = [];
  for (let start = 0; start < count; start += 15) {
    const batch = Array.from({ length: Math.min(15, count - start) }, (_, offset) => make(start + offset));
    logs.push(...await Promise.all(batch));
  }
  return logs;
}
