// Edits of a log that keep it a log: events are handled in id order, and what an edit adds or moves gets an id of its
// own at its new place, so that the id alone carries the order, as in the table.
import { Random, slotId, ulid, ulidEventId } from './ids.mjs';

const RUN_ENDS = { run_completed: 'completed', run_failed: 'failed', run_cancelled: 'cancelled' };

export const stepEnds = ['step_completed', 'step_failed'];

/** A log under edit. Positions are indexes into `events`. */
export class Edit {
  constructor(log, random = new Random('edit')) {
    Object.assign(this, { log, random, scheme: log.scheme, hole: undefined });
    this.events = log.events.map((event) => ({ ...event }));
  }

  /** Position of the `nth` event of that type (and correlation id), negative from the end; -1 if there is none. */
  find(type, nth = 0, corr = undefined) {
    const found = this.all((event) => event.type === type && (corr === undefined || event.corr === corr));
    return found.at(nth) ?? -1;
  }

  /** Positions of the events that `test` accepts. */
  all(test) {
    return this.events.flatMap((event, index) => (test(event) ? [index] : []));
  }

  /** Keeps the first `length` events: the log as it was at some moment of the run. */
  cut(length) {
    this.events.length = Math.min(length, this.events.length);
    return this;
  }

  /** Puts an event at `index`, which pushes what is there to the right. */
  insert(index, event) {
    this.events.splice(index, 0, { ...event, id: null });
    return this;
  }

  /** A second row like that at `from`, at position `to`. */
  copy(from, to, change = {}) {
    return this.insert(to, { ...this.events[from], ...change });
  }

  remove(index, count = 1) {
    this.events.splice(index, count);
    return this;
  }

  /** Takes the event at `from` to `to` (a position after its removal); a row with a later or earlier id. */
  move(from, to) {
    const [event] = this.events.splice(from, 1);
    return this.insert(to, event);
  }

  /** Leaves the slot of the event at `index` empty, which only slot-numbered logs notice. */
  removeWithHole(index) {
    this.hole = index;
    return this.remove(index);
  }

  /** The edited log with all ids in place. */
  done() {
    if (this.scheme === 'slot') this.numberSlots();
    else this.mintUlids();
    const last = this.events.find((event) => RUN_ENDS[event.type]);
    const started = this.events.some((event) => event.type === 'run_started');
    const status = last ? RUN_ENDS[last.type] : started ? 'running' : 'pending';
    return { ...this.log, events: this.events, status };
  }

  // Dense from 1: the world hands out slots at commit. An event with `foreign` keeps an id of the other scheme.
  numberSlots() {
    let slot = 0;
    this.events.forEach((event, index) => {
      if (index === this.hole) slot += 1;
      if (event.foreign) {
        event.id = ulidEventId(event.at, this.random);
      } else {
        slot += 1;
        event.id = slotId(slot);
      }
    });
  }

  // Between the neighbours: healthy logs leave 8 ms, so several rows fit behind the same event.
  mintUlids() {
    this.events.forEach((event, index) => {
      if (event.id !== null) return;
      const at = index === 0 ? this.events[1].at - 5 : this.events[index - 1].at + 1;
      Object.assign(event, { at, id: event.foreign ? slotId(index + 1) : ulidEventId(at, this.random) });
    });
  }

  /** An id of the run's sequence that no replay draws: the time of the others, other random bits. */
  ghostId(kind = 'step') {
    const known = this.events.find((event) => event.corr)?.corr ?? `step_${ulid(this.log.run.startedAt, this.random)}`;
    return `${kind}_${known.split('_')[1].slice(0, 10)}${ulid(0, this.random).slice(10)}`;
  }
}
