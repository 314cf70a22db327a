// Damage as racing processes, wrong clocks, retention and hands leave it, beside the mutations of mutate.mjs and unlike them: whole
// attempts, bursts, tails and windows, not single rows at random places.
//
// `limit`: why a log can be fatal to the engine without a word of dupwatch's, which sees neither payloads nor the workflow. `legal`:
// no engine minds, and neither may dupwatch.
import { Edit, stepEnds } from './edit.mjs';

const CREATED = ['step_created', 'wait_created', 'hook_created'];
const ENDS = [...stepEnds, 'wait_completed', 'hook_disposed'];
const is = (...types) => (event) => types.includes(event.type);
const pick = (edit, test) => {
  const found = edit.all(test);
  return found.length > 0 ? edit.random.pick(found) : -1;
};
const later = (edit, index) => edit.random.between(index + 1, edit.events.length);
const ofEntity = (edit, corr, ...types) => edit.all((event) => event.corr === corr && types.includes(event.type));
/** Position of an end, and of the row that began the entity; undefined when there is none. */
function ended(edit, ...types) {
  const end = pick(edit, is(...types));
  if (end < 0) return undefined;
  const { corr } = edit.events[end];
  return { end, corr, begin: ofEntity(edit, corr, ...CREATED)[0] };
}
const after = (edit, test, count, change = {}) => {
  const from = pick(edit, test);
  if (from < 0) return false;
  for (let i = 0; i < count; i += 1) edit.copy(from, from + 1 + i, change);
  return edit;
};
const repeatLater = (edit, test, count) => {
  const from = pick(edit, test);
  if (from < 0) return false;
  for (let i = 0; i < count; i += 1) edit.copy(from, later(edit, from));
  return edit;
};
/** `rows` again, as one block at `to`. */
const block = (edit, rows, to) => {
  const copies = rows.map((index) => ({ ...edit.events[index] }));
  copies.forEach((event, i) => edit.insert(to + i, event));
  return copies.length > 0 && edit;
};

const ORDER = 'which entity comes first is the workflow\'s code';
const LOST = 'a row that is gone leaves no trace';

export const damage = {
  'a second attempt after the end': { apply: (edit) => {
    const step = ended(edit, 'step_completed');
    if (!step) return false;
    const rows = [...ofEntity(edit, step.corr, 'step_started').slice(0, 1), step.end];
    return block(edit, rows, later(edit, step.end));
  } },
  'the whole entity again at the end of the log': { apply: (edit) => {
    const one = ended(edit, ...ENDS);
    return one && block(edit, edit.all(({ corr }) => corr === one.corr), edit.events.length);
  } },
  'a retry after the end': { apply: (edit) => {
    const step = ended(edit, ...stepEnds);
    if (!step) return false;
    const { data: { stepName }, corr } = edit.events[step.end];
    const at = later(edit, step.end);
    edit.insert(at, { type: 'step_retrying', corr, data: { stepName, ...edit.payload('step_failed') } });
    return edit.insert(at + 1, { type: 'step_started', corr, data: { stepName, attempt: 2 } });
  } },
  'every creation twice in a row': { legal: true, apply: (edit) => {
    const rows = edit.all(is(...CREATED)).reverse();
    for (const index of rows) edit.copy(index, index + 1);
    return rows.length > 0 && edit;
  } },
  'a burst of creations before the end': { legal: true, apply: (edit) => after(edit, is(...CREATED), edit.random.between(2, 6)) },
  'a burst of creations after the end': { apply: (edit) => {
    const one = ended(edit, ...ENDS);
    if (!one || one.begin === undefined) return false;
    const at = later(edit, one.end);
    for (let i = edit.random.between(2, 5); i > 0; i -= 1) edit.copy(one.begin, at);
    return edit;
  } },
  'creations of a stale replay, all behind the last row': { apply: (edit) => block(edit, edit.all(is(...CREATED)), edit.events.length) },
  'creations of a stale replay in the middle': { apply: (edit) => {
    const at = edit.random.between(3, edit.events.length);
    return block(edit, edit.all(is(...CREATED)).filter((index) => index < at), at);
  } },
  'the log again behind itself': { apply: (edit) => block(edit, edit.all((event) => !/^run_/.test(event.type)), edit.events.length) },
  'the last rows again': { apply: (edit) => {
    const from = edit.events.length - edit.random.between(2, 5);
    return from > 2 && block(edit, edit.all((event) => !/^run_/.test(event.type)).filter((index) => index >= from), edit.events.length);
  } },
  'an end twice in a row': { apply: (edit) => after(edit, is(...ENDS), 1) },
  'an end three times': { apply: (edit) => repeatLater(edit, is(...ENDS), 2) },
  'an end again much later': { apply: (edit) => {
    const end = pick(edit, is(...ENDS));
    return end >= 0 && edit.copy(end, edit.events.length);
  } },
  'completed and then failed': { apply: (edit) => after(edit, is('step_completed'), 1, { type: 'step_failed', data: { ...edit.payload('step_failed') } }) },
  'an end before the rows of its own entity': { limit: ORDER, apply: (edit) => {
    const one = ended(edit, ...ENDS);
    return one && one.begin !== undefined && edit.move(one.end, one.begin);
  } },
  'two equal ends, the first before its entity': { limit: ORDER, apply: (edit) => {
    const one = ended(edit, ...ENDS);
    return one && one.begin !== undefined && edit.copy(one.end, one.begin);
  } },
  'a creation behind the end of its entity': { limit: ORDER, apply: (edit) => {
    const one = ended(edit, ...ENDS);
    return one && one.begin !== undefined && edit.move(one.begin, one.end);
  } },
  'a creation and its copy, both behind the end': { limit: ORDER, apply: (edit) => {
    const one = ended(edit, ...ENDS);
    if (!one || one.begin === undefined) return false;
    edit.move(one.begin, one.end);
    return edit.copy(one.end, one.end + 1);
  } },
  'a window of another clock': { limit: ORDER, apply: (edit) => {
    const from = edit.random.between(3, edit.events.length - 1);
    const count = Math.min(edit.random.between(1, 3), edit.events.length - from);
    const to = Math.max(2, from - edit.random.between(1, 4));
    for (let i = 0; i < count; i += 1) edit.move(from + i, to + i);
    return edit;
  } },
  'an end that commits behind its successors': { limit: ORDER, apply: (edit) => {
    const end = pick(edit, is(...ENDS));
    return end >= 0 && end < edit.events.length - 1 && edit.move(end, Math.min(end + edit.random.between(1, 3), edit.events.length - 1));
  } },
  'starts again and again': { legal: true, apply: (edit) => after(edit, is('step_started'), edit.random.between(1, 5)) },
  'a start long after the end': { apply: (edit) => {
    const start = pick(edit, is('step_started'));
    return start >= 0 && edit.copy(start, edit.events.length);
  } },
  'the only start behind the end': { apply: (edit) => {
    const step = ended(edit, ...stepEnds);
    if (!step) return false;
    const starts = ofEntity(edit, step.corr, 'step_started');
    return starts.length === 1 && edit.move(starts[0], step.end);
  } },
  'payloads before disposal': { limit: 'how often the workflow awaits a hook is its code', apply: (edit) => after(edit, is('hook_received'), edit.random.between(1, 4)) },
  'payloads after disposal': { apply: (edit) => {
    const hook = ended(edit, 'hook_disposed');
    if (!hook) return false;
    for (let i = edit.random.between(1, 3); i > 0; i -= 1) {
      edit.insert(later(edit, hook.end), { type: 'hook_received', corr: hook.corr, data: { token: edit.events[hook.end].data.token, ...edit.payload('hook_received') } });
    }
    return edit;
  } },
  'a disposal and a creation, again': { apply: (edit) => {
    const hook = ended(edit, 'hook_disposed');
    return hook && hook.begin !== undefined && block(edit, [hook.begin, hook.end], later(edit, hook.end));
  } },
  'a wait that is over, again': { apply: (edit) => {
    const wait = ended(edit, 'wait_completed');
    return wait && wait.begin !== undefined && block(edit, [wait.begin, wait.end], later(edit, wait.end));
  } },
  'the beginning of the run again, at once': { legal: true, apply: (edit) => block(edit, edit.all(is('run_created', 'run_started')), 2) },
  'the beginning of the run again, in the middle': { legal: true, apply: (edit) => block(edit, edit.all(is('run_created', 'run_started')), later(edit, 2)) },
  'no starts': { legal: true, apply: (edit) => {
    const starts = edit.all(is('step_started')).reverse();
    for (const index of starts) edit.remove(index);
    return starts.length > 0 && edit;
  } },
  'a stretch is gone': { limit: LOST, apply: (edit) => {
    const from = edit.random.between(2, edit.events.length - 2);
    return edit.remove(from, Math.min(edit.random.between(1, 4), edit.events.length - from - 1));
  } },
  'one entity is gone': { limit: LOST, apply: (edit) => {
    const one = ended(edit, ...ENDS);
    if (!one) return false;
    for (const index of edit.all(({ corr }) => corr === one.corr).reverse()) edit.remove(index);
    return edit;
  } },
  'cancelled between two rows': { limit: 'a cancelled run is not replayed', apply: (edit) => {
    const at = edit.random.between(2, edit.events.length);
    edit.insert(at, { type: 'run_cancelled', corr: null });
    return edit.insert(at + 1, { type: 'run_cancelled', corr: null });
  } },
  'two holes in the slots': { slots: true, apply: (edit) => {
    if (edit.events.length < 7) return false;
    edit.removeWithHole(edit.random.between(1, edit.events.length - 3));
    return edit;
  } },
  'all attributes twice': { slots: true, apply: (edit) => {
    const rows = edit.all((event) => event.type === 'attr_set' && event.corr !== null).reverse();
    for (const index of rows) edit.copy(index, index + 1);
    return rows.length > 0 && edit;
  } },
};

const names = Object.keys(damage);

/** The `index`th damaged log out of `healthy`: the kinds take turns. {log, kind}. */
export function damaged(healthy, index, random, payload) {
  for (let tries = 0; tries < 400; tries += 1) {
    const kind = names[(index + Math.floor(tries / 40)) % names.length];
    const log = random.pick(healthy);
    if (damage[kind].slots && log.scheme !== 'slot') continue;
    const edit = new Edit(log, random);
    edit.payload = payload;
    // The log of a run that goes on, mostly: only that is replayed.
    const length = edit.events.length;
    edit.cut(random.chance(0.8) ? random.between(Math.min(5, length - 1), length - 1) : length - 1);
    if (damage[kind].apply(edit)) return { log: edit.done(), kind };
  }
  throw new Error(`no log has a place for ${names[index % names.length]}`);
}
