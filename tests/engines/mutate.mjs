// Seeded damage to healthy logs: each mutation is something that concurrent replays, late writers, lost rows or repairs
// by hand leave in the table. Most are applied to a prefix, the log as a replay in the middle of the run reads it.
import { Edit, stepEnds } from './edit.mjs';

const isEnd = (type) => /^run_(completed|failed|cancelled)$/.test(type);
const later = (edit, index) => edit.random.between(index + 1, edit.events.length);
const pick = (edit, test) => {
  const found = edit.all(test);
  return found.length > 0 ? edit.random.pick(found) : -1;
};
const ofType = (...types) => (event) => types.includes(event.type);
const lifecycle = (type) => (edit) => {
  const end = pick(edit, ofType(...stepEnds));
  if (end < 0) return false;
  const { corr, data } = edit.events[end];
  return edit.insert(later(edit, end), { type, corr, data: { stepName: data.stepName, error: data.error } });
};
const repeat = (...types) => (edit) => {
  const from = pick(edit, ofType(...types));
  return from >= 0 && edit.copy(from, later(edit, from));
};
const drop = (...types) => (edit) => {
  const index = pick(edit, ofType(...types));
  return index >= 0 && edit.remove(index);
};
const afterClose = (closing, type, data = {}) => (edit) => {
  const close = pick(edit, ofType(closing));
  if (close < 0) return false;
  const { corr, data: { token } } = edit.events[close];
  return edit.insert(later(edit, close), { type, corr, data: { token, ...data } });
};

/** name -> function(Edit), which edits and returns it, or false when the log has no place for it. */
export const mutations = {
  'duplicate-later': (edit) => {
    const from = edit.random.int(edit.events.length);
    return edit.copy(from, later(edit, from));
  },
  'duplicate-earlier': (edit) => {
    const from = edit.random.int(edit.events.length);
    return edit.copy(from, edit.random.between(0, from));
  },
  'duplicate-at-end': (edit) => edit.copy(edit.random.int(edit.events.length), edit.events.length),
  'duplicate-created': repeat('step_created', 'wait_created', 'hook_created'),
  'duplicate-run-created': repeat('run_created'),
  'duplicate-run-started': repeat('run_started'),
  'duplicate-wait-completed': repeat('wait_completed'),
  'duplicate-hook-disposed': repeat('hook_disposed'),
  'move-later': (edit) => {
    const from = edit.random.int(edit.events.length);
    return edit.move(from, edit.random.between(from, edit.events.length - 1));
  },
  'move-earlier': (edit) => {
    const from = edit.random.int(edit.events.length);
    return edit.move(from, edit.random.between(0, from));
  },
  delete: (edit) => edit.events.length > 2 && edit.remove(edit.random.int(edit.events.length)),
  'delete-created': drop('step_created', 'wait_created', 'hook_created'),
  'delete-terminal': drop(...stepEnds, 'wait_completed', 'hook_disposed'),
  'late-step-started': lifecycle('step_started'),
  'late-step-retrying': lifecycle('step_retrying'),
  'first-start-late': (edit) => {
    const end = pick(edit, ofType(...stepEnds));
    if (end < 0) return false;
    const { corr } = edit.events[end];
    const starts = edit.all((event) => event.corr === corr && event.type === 'step_started');
    if (starts.length !== 1) return false;
    return edit.move(starts[0], edit.random.between(end, edit.events.length - 1));
  },
  'second-terminal-same': repeat(...stepEnds),
  'second-terminal-other': (edit) => {
    const end = pick(edit, ofType(...stepEnds));
    if (end < 0) return false;
    const type = edit.events[end].type === 'step_completed' ? 'step_failed' : 'step_completed';
    return edit.copy(end, later(edit, end), { type, data: { ...edit.payload(type), stepName: edit.events[end].data.stepName } });
  },
  'hook-received-after-disposed': (edit) => afterClose('hook_disposed', 'hook_received', edit.payload('hook_received'))(edit),
  'hook-conflict-after-created': afterClose('hook_created', 'hook_conflict', { conflictingRunId: 'wrun_other' }),
  'hook-conflict-before-created': (edit) => {
    const created = pick(edit, ofType('hook_created'));
    if (created < 0) return false;
    const { corr, data } = edit.events[created];
    return edit.insert(created, { type: 'hook_conflict', corr, data: { token: data.token } });
  },
  'ghost-step-created': (edit) => edit.insert(edit.random.between(1, edit.events.length), {
    type: 'step_created', corr: edit.ghostId(), data: { ...edit.payload('step_created'), stepName: 's1' },
  }),
  'ghost-hook-received': (edit) => edit.insert(edit.random.between(1, edit.events.length), {
    type: 'hook_received', corr: edit.ghostId('hook'), data: edit.payload('hook_received'),
  }),
  'other-step-name': (edit) => {
    const index = pick(edit, ofType('step_created'));
    if (index < 0) return false;
    edit.events[index].data = { ...edit.events[index].data, stepName: 'other' };
    return edit;
  },
  'swap-neighbours': (edit) => {
    const index = edit.random.int(edit.events.length - 1);
    return edit.move(index, index + 1);
  },
  'run-cancelled-in-the-middle': (edit) => edit.insert(edit.random.between(2, edit.events.length), { type: 'run_cancelled', corr: null }),
  'run-failed-in-the-middle': (edit) => edit.insert(edit.random.between(2, edit.events.length), {
    type: 'run_failed', corr: null, data: edit.payload('run_failed'),
  }),
  'after-run-terminal': (edit) => {
    if (!isEnd(edit.events.at(-1).type)) return false;
    const types = ['step_created', 'step_started', ...stepEnds, 'hook_received', 'wait_completed', 'run_cancelled'];
    const from = pick(edit, ofType(...types));
    return from >= 0 && edit.copy(from, edit.events.length);
  },
  noop: (edit) => edit.insert(edit.random.between(1, edit.events.length), { type: 'noop', corr: null }),
  'duplicate-attr-set': (edit) => {
    const from = pick(edit, (event) => event.type === 'attr_set' && event.corr !== null);
    return from >= 0 && edit.copy(from, later(edit, from));
  },
  'foreign-id': (edit) => {
    const index = edit.random.int(edit.events.length);
    Object.assign(edit.events[index], { foreign: true, id: null });
    return edit;
  },
  'slot-hole': (edit) => edit.scheme === 'slot' && edit.events.length > 3 && edit.removeWithHole(edit.random.between(1, edit.events.length - 2)),
};

const names = Object.keys(mutations);
// On 4.x these only exist in theory: storage rejects the type, the row id of the other scheme sorts first.
const slotOnly = new Set(['slot-hole', 'duplicate-attr-set']);

/**
 * The `index`th damaged log out of `healthy`: mutations take turns, so that each has its share. Every eighth log stays
 * whole or is a plain prefix, every eighth is damaged twice. {log, mutation}.
 */
export function mutated(healthy, index, random, payload) {
  for (;;) {
    const log = random.pick(healthy);
    const edit = new Edit(log, random);
    edit.payload = payload;
    const prefix = random.chance(0.7) && log.events.length > 4;
    if (prefix) edit.cut(random.between(3, log.events.length - 1));
    if (index % 8 === 7) return { log: edit.done(), mutation: prefix ? 'prefix' : 'none' };
    const wanted = [names[(index - Math.floor(index / 8)) % names.length], ...(index % 8 === 6 ? [random.pick(names)] : [])]
      .map((name) => (slotOnly.has(name) && log.scheme !== 'slot' ? 'duplicate-created' : name));
    // The first must fit, or another log is drawn; the second is taken when it does.
    const applied = wanted.filter((name) => mutations[name](edit));
    if (applied[0] === wanted[0]) return { log: edit.done(), mutation: applied.join('+') };
  }
}
