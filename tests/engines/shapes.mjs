// The table of log shapes: what each engine does with one kind of damage, measured. The rows of the project's log shape
// table come first (`table: true`); the others answer questions that its rules depend on.
import { Edit } from './edit.mjs';
import { columnOf, loadEngine } from './engine.mjs';
import { healthyLog } from './healthy.mjs';
import { Random } from './ids.mjs';
import { named } from './workflows.mjs';

/** F: the engine rejects the log. C: HookConflictError in user code. ok: replays. In the order of COLUMNS. */
export const outcomes = { ok: 'ok', F: 'fatal', C: 'conflict' };

// Steps a, b, c one after the other; b is still open, so the run wants to go on. `rows` get the Edit and edit it.
const open = (edit) => edit.cut(edit.find('step_started', 1) + 1);
// All that the workflow needs is there, only the run's own end is missing: the replay that ends the run.
const atEnd = (edit) => edit.cut(edit.find('run_completed'));
const step = (edit, type, nth = 0) => edit.find(type, nth);
const after = (edit, type, nth = 0) => edit.find(type, nth) + 1;
const firstCorr = (edit, type) => edit.events[edit.find(type)].corr;

const shape = (name, workflow, expected, build, options = {}) => ({ name, workflow, expected: expected.split(' '), build, ...options });
const row = (...args) => shape(...args, { table: true });

const stepRows = [
  row('2nd step_created before the terminal', 'sequential', 'ok ok ok ok', (edit) => open(edit).copy(step(edit, 'step_created'), after(edit, 'step_started'))),
  row('2nd step_created after the terminal', 'sequential', 'F F F ok', (edit) => open(edit).copy(step(edit, 'step_created'), after(edit, 'step_completed'))),
  row('same log with that row removed', 'sequential', 'ok ok ok ok', (edit) => open(edit)
    .copy(step(edit, 'step_created'), after(edit, 'step_completed')).remove(after(edit, 'step_completed'))),
  row('parallel: 2nd step_created of a done step while its sibling is open', 'parallel', 'F F F ok', (edit) => open(edit)
    .cut(after(edit, 'step_completed')).copy(step(edit, 'step_created'), edit.events.length)),
  row('2nd step_started before the terminal', 'sequential', 'ok ok ok ok', (edit) => open(edit).copy(step(edit, 'step_started'), step(edit, 'step_completed'))),
  row('step_started after the terminal, one seen before', 'sequential', 'F F F ok', (edit) => open(edit).copy(step(edit, 'step_started'), after(edit, 'step_completed'))),
  row('created, completed, started: the first start is late', 'sequential', 'F F F F', (edit) => open(edit).move(step(edit, 'step_started'), step(edit, 'step_completed'))),
  row('step_retrying after the terminal, none before', 'sequential', 'F F F F', (edit) => open(edit)
    .copy(step(edit, 'step_started'), after(edit, 'step_completed'), { type: 'step_retrying' })),
  row('2nd step_completed', 'sequential', 'F F F ok', (edit) => open(edit).copy(step(edit, 'step_completed'), after(edit, 'step_completed'))),
  row('step_failed after step_completed', 'sequential', 'F F F ok', (edit) => open(edit).copy(step(edit, 'step_completed'), after(edit, 'step_completed'), failure(edit))),
];

const waitAndHookRows = [
  row('2nd wait_created before wait_completed', 'sleeping', 'ok ok ok ok', (edit) => openAfterWait(edit).copy(step(edit, 'wait_created'), after(edit, 'wait_created'))),
  row('wait_created after wait_completed', 'sleeping', 'F F F ok', (edit) => openAfterWait(edit).copy(step(edit, 'wait_created'), after(edit, 'wait_completed'))),
  row('2nd wait_completed', 'sleeping', 'F F F ok', (edit) => openAfterWait(edit).copy(step(edit, 'wait_completed'), after(edit, 'wait_completed'))),
  row('2nd hook_created, not disposed', 'hook', 'ok ok ok ok', (edit) => openAfterHook(edit).copy(step(edit, 'hook_created'), after(edit, 'hook_received'))),
  row('2nd hook_created after hook_disposed', 'disposed', 'F F F ok', (edit) => openAfterHook(edit).copy(step(edit, 'hook_created'), after(edit, 'hook_disposed'))),
  row('2nd hook_disposed', 'disposed', 'F F F ok', (edit) => openAfterHook(edit).copy(step(edit, 'hook_disposed'), after(edit, 'hook_disposed'))),
  row('hook_received after hook_disposed, more work to do', 'disposed', 'F F ok ok', (edit) => openAfterHook(edit)
    .copy(step(edit, 'hook_received'), after(edit, 'hook_disposed'))),
  row('hook_received after hook_disposed, at the end of the run', 'disposed', 'F F F F', (edit) => atEnd(edit)
    .copy(step(edit, 'hook_received'), after(edit, 'hook_disposed'))),
  row('hook_conflict after hook_created', 'hook', 'C C C C', (edit) => edit.cut(after(edit, 'hook_created'))
    .copy(step(edit, 'hook_created'), edit.events.length, { type: 'hook_conflict' })),
];

const identityRows = [
  row('ghost step_created, an id that no replay draws', 'sequential', 'F F F F', (edit) => open(edit)
    .copy(step(edit, 'step_created'), after(edit, 'step_completed'), { corr: edit.ghostId() })),
  row('step_created under the expected id, other step name', 'sequential', 'ok F F F', (edit) => {
    const index = step(open(edit), 'step_created');
    edit.events[index].data = { ...edit.events[index].data, stepName: 'other' };
  }),
  row('2nd run_created', 'sequential', 'ok ok ok ok', (edit) => open(edit).copy(0, 2)),
  row('2nd run_started', 'sequential', 'ok ok ok ok', (edit) => open(edit).copy(1, 2)),
  row('run_created missing', 'sequential', 'ok ok ok ok', (edit) => open(edit).remove(0)),
  row('step_created missing, started and completed present', 'sequential', 'ok ok ok ok', (edit) => open(edit).remove(step(edit, 'step_created'))),
  row('run_cancelled in the middle', 'sequential', 'F F ok ok', (edit) => open(edit).insert(after(edit, 'step_completed'), { type: 'run_cancelled', corr: null })),
];

// At the end of the log, where no event follows: whether the run wants to go on decides.
const ghost = (edit, type, kind, index) => edit.insert(index, { type, corr: edit.ghostId(kind), data: edit.payload(type) });
const endRows = [
  shape('ghost hook_received, run goes on', 'sequential', 'F F ok ok', (edit) => ghost(open(edit), 'hook_received', 'hook', after(edit, 'step_completed'))),
  shape('ghost hook_received, workflow returns', 'sequential', 'F F F F', (edit) => ghost(atEnd(edit), 'hook_received', 'hook', after(edit, 'step_completed'))),
  shape('ghost wait_completed, run goes on', 'sequential', 'F F ok ok', (edit) => ghost(open(edit), 'wait_completed', 'wait', after(edit, 'step_completed'))),
  shape('ghost step_started', 'sequential', 'F F F F', (edit) => ghost(open(edit), 'step_started', 'step', after(edit, 'step_completed'))),
  shape('ghost hook_created', 'sequential', 'F F F F', (edit) => ghost(open(edit), 'hook_created', 'hook', after(edit, 'step_completed'))),
  shape('2nd step_created of the last step at the end, workflow returns', 'sequential', 'ok ok ok ok', (edit) => atEnd(edit)
    .copy(step(edit, 'step_created', -1), edit.events.length)),
  shape('2nd step_completed of the last step at the end, workflow returns', 'sequential', 'ok ok ok ok', (edit) => atEnd(edit)
    .copy(step(edit, 'step_completed', -1), edit.events.length)),
  shape('2nd step_created of the first step at the end, workflow returns', 'sequential', 'ok ok ok ok', (edit) => atEnd(edit)
    .copy(step(edit, 'step_created'), edit.events.length)),
  shape('2nd step_created at the end, next step not created yet', 'sequential', 'F F F ok', (edit) => edit.cut(after(edit, 'step_completed'))
    .copy(step(edit, 'step_created'), edit.events.length)),
  shape('ghost step_created at the end, workflow returns', 'sequential', 'ok ok ok ok', (edit) => atEnd(edit)
    .copy(step(edit, 'step_created'), edit.events.length, { corr: edit.ghostId() })),
  shape('hook_received after hook_disposed as the last event, workflow returns', 'disposed', 'ok ok ok ok', (edit) => atEnd(edit)
    .copy(step(edit, 'hook_received'), edit.events.length)),
];

const afterTerminal = (type) => shape(`${type} after run_completed`, 'sequential', 'ok ok ok ok', (edit) => edit
  .copy(step(edit, 'step_created'), edit.events.length, { type, ...(type.startsWith('run_') ? { corr: null } : {}) }));
const terminalRows = [
  ...['step_created', 'step_started', 'step_completed', 'run_cancelled', 'run_completed', 'run_failed'].map(afterTerminal),
  shape('run_failed in the middle', 'sequential', 'F F F F', (edit) => open(edit)
    .insert(after(edit, 'step_completed'), { type: 'run_failed', corr: null, data: failure(edit).data })),
  shape('run_failed as the last event of an open run', 'sequential', 'F F F F', (edit) => open(edit)
    .insert(edit.events.length, { type: 'run_failed', corr: null, data: failure(edit).data })),
  shape('run_cancelled as the last event of an open run', 'sequential', 'F F ok ok', (edit) => open(edit).insert(edit.events.length, { type: 'run_cancelled', corr: null })),
  shape('2nd run_started after a step', 'sequential', 'ok ok ok ok', (edit) => open(edit).copy(1, after(edit, 'step_completed'))),
  shape('2nd run_created after a step', 'sequential', 'ok ok ok ok', (edit) => open(edit).copy(0, after(edit, 'step_completed'))),
  shape('2nd run_started that set started_at anew', 'sequential', 'F F ok ok', (edit) => {
    open(edit).copy(1, after(edit, 'step_completed'));
    edit.log = { ...edit.log, run: { ...edit.log.run, startedAt: edit.events[step(edit, 'step_completed')].at } };
  }),
  shape('run_started missing', 'sequential', 'ok ok ok ok', (edit) => open(edit).remove(1)),
  shape('noop in the middle', 'sequential', 'F F F ok', (edit) => open(edit).insert(after(edit, 'step_completed'), { type: 'noop', corr: null })),
];

const orderRows = [
  shape('2nd step_created after step_started, before the terminal', 'sequential', 'ok ok ok ok', (edit) => open(edit).copy(step(edit, 'step_created'), step(edit, 'step_completed'))),
  shape('step_started before step_created', 'sequential', 'ok ok ok ok', (edit) => open(edit).move(step(edit, 'step_started'), step(edit, 'step_created'))),
  shape('step_completed before step_created and step_started', 'sequential', 'F F F F', (edit) => open(edit).move(step(edit, 'step_completed'), step(edit, 'step_created'))),
  shape('step_completed before step_started', 'sequential', 'F F F F', (edit) => open(edit).move(step(edit, 'step_completed'), step(edit, 'step_started'))),
  shape('wait_completed before wait_created', 'sleeping', 'F F F F', (edit) => openAfterWait(edit).move(step(edit, 'wait_completed'), step(edit, 'wait_created'))),
  shape('wait_completed without resumeAt before wait_created', 'sleeping', 'F F F F', (edit) => {
    const index = step(openAfterWait(edit), 'wait_completed');
    edit.events[index].data = {};
    edit.move(index, step(edit, 'wait_created'));
  }),
  shape('hook_received before hook_created', 'hook', 'ok ok ok ok', (edit) => openAfterHook(edit).move(step(edit, 'hook_received'), step(edit, 'hook_created'))),
  shape('hook_disposed before hook_created', 'disposed', 'F F F F', (edit) => openAfterHook(edit).move(step(edit, 'hook_disposed'), step(edit, 'hook_created'))),
  shape('hook_disposed before hook_received', 'disposed', 'F F F F', (edit) => openAfterHook(edit).move(step(edit, 'hook_disposed'), step(edit, 'hook_received'))),
  shape('step_created of the next step before the terminal of this one', 'sequential', 'F F F F', (edit) => open(edit).move(step(edit, 'step_created', 1), step(edit, 'step_completed'))),
  shape('parallel: created in the other order', 'parallel', 'ok ok ok ok', (edit) => edit.cut(after(edit, 'step_completed')).move(step(edit, 'step_created', 1), step(edit, 'step_created'))),
  shape('step_created before run_started', 'sequential', 'ok ok ok ok', (edit) => open(edit).move(step(edit, 'step_created'), 1)),
];

// The disposal of a hook that is still awaited suspends the run at once, before the idle timer sees the late row.
const racedRows = [
  shape('wait_created after wait_completed, the body then disposes of an awaited hook', 'raced', 'ok ok ok ok', (edit) => openAfterWait(edit)
    .copy(step(edit, 'wait_created'), after(edit, 'wait_completed'))),
  shape('wait_created after wait_completed, after that disposal', 'raced', 'F F F ok', (edit) => openAfterWait(edit)
    .copy(step(edit, 'wait_created'), after(edit, 'hook_disposed'))),
];

const missing = (type, workflow, expected, cut, nth = 0) => shape(`${type} missing`, workflow, expected, (edit) => cut(edit).remove(step(edit, type, nth)));
const missingRows = [
  missing('step_started', 'sequential', 'ok ok ok ok', open),
  missing('step_completed', 'sequential', 'F F F F', open),
  shape('step_completed missing, nothing after it', 'sequential', 'ok ok ok ok', (edit) => edit.cut(step(edit, 'step_completed'))),
  shape('step_failed missing', 'failing', 'F F F F', (edit) => open(edit).remove(step(edit, 'step_failed'))),
  shape('all rows of a done step missing', 'sequential', 'F F F F', (edit) => open(edit).remove(step(edit, 'step_created'), 3)),
  shape('step_created missing, nothing else of the step', 'sequential', 'ok ok ok ok', (edit) => edit.cut(after(edit, 'step_created', 1)).remove(step(edit, 'step_created', 1))),
  missing('wait_created', 'sleeping', 'ok F F F', (edit) => openAfterWait(edit)),
  shape('wait_created missing, wait_completed without resumeAt', 'sleeping', 'ok ok ok ok', (edit) => {
    openAfterWait(edit).events[step(edit, 'wait_completed')].data = {};
    edit.remove(step(edit, 'wait_created'));
  }),
  missing('wait_completed', 'sleeping', 'F F F F', (edit) => openAfterWait(edit)),
  missing('hook_created', 'hook', 'ok ok ok ok', (edit) => openAfterHook(edit)),
  missing('hook_received', 'hook', 'F F F F', (edit) => openAfterHook(edit)),
  missing('hook_disposed', 'disposed', 'ok ok ok ok', (edit) => openAfterHook(edit)),
  missing('last event', 'sequential', 'ok ok ok ok', open, -1),
];

const conflictRows = [
  shape('hook_conflict instead of hook_created', 'hook', 'C C C C', (edit) => {
    edit.cut(after(edit, 'hook_created')).events[step(edit, 'hook_created')].type = 'hook_conflict';
  }),
  shape('hook_conflict before hook_created', 'hook', 'C C C C', (edit) => edit.cut(after(edit, 'hook_created'))
    .copy(step(edit, 'hook_created'), step(edit, 'hook_created'), { type: 'hook_conflict' })),
  shape('hook_conflict after hook_received, hook not awaited again yet', 'hook', 'ok ok ok ok', (edit) => openAfterHook(edit)
    .copy(step(edit, 'hook_created'), after(edit, 'hook_received'), { type: 'hook_conflict' })),
  shape('hook_conflict after hook_received, hook awaited again', 'hook', 'C C C C', (edit) => edit.cut(after(edit, 'step_completed'))
    .copy(step(edit, 'hook_created'), after(edit, 'hook_received'), { type: 'hook_conflict' })),
  shape('hook_received after hook_disposed, the last event of an open run', 'disposed', 'F F ok ok', (edit) => openAfterHook(edit)
    .copy(step(edit, 'hook_received'), edit.events.length)),
  shape('hook_conflict after hook_disposed', 'disposed', 'F F ok ok', (edit) => openAfterHook(edit)
    .copy(step(edit, 'hook_created'), after(edit, 'hook_disposed'), { type: 'hook_conflict' })),
  shape('step_completed after step_failed', 'failing', 'F F F ok', (edit) => open(edit)
    .copy(step(edit, 'step_failed'), after(edit, 'step_failed'), { type: 'step_completed', data: edit.payload('step_completed') })),
  shape('2nd step_failed', 'failing', 'F F F ok', (edit) => open(edit).copy(step(edit, 'step_failed'), after(edit, 'step_failed'))),
  shape('step_retrying after the terminal, one seen before', 'sequential', 'F F F ok', (edit) => open(edit)
    .copy(step(edit, 'step_started'), step(edit, 'step_completed'), { type: 'step_retrying' })
    .copy(step(edit, 'step_retrying'), after(edit, 'step_completed'))),
];

// The other scheme's prefix sorts the row to the other end: evnt_ before wevt_.
const slotRows = [
  shape('evnt_ id in a ULID run, the last event', 'sequential', 'F F - -', (edit) => Object.assign(open(edit).events.at(-1), { foreign: true, id: null })),
  shape('evnt_ id in a ULID run, step_created of a done step', 'sequential', 'ok ok - -', (edit) => Object.assign(open(edit).events[step(edit, 'step_created')], { foreign: true, id: null })),
  shape('2nd attr_set under one correlation id, run goes on', 'attributes', '- - ok ok', (edit) => open(edit).copy(step(edit, 'attr_set'), after(edit, 'attr_set'))),
  shape('2nd attr_set under one correlation id, at the end of the run', 'attributes', '- - F ok', (edit) => atEnd(edit).copy(step(edit, 'attr_set'), after(edit, 'attr_set'))),
  shape('attr_set without correlation id, twice', 'attributes', '- - ok ok', (edit) => open(edit).insert(edit.events.length, stepAttribute(edit)).insert(edit.events.length, stepAttribute(edit))),
  shape('wevt_ id in a slot run, the last event', 'sequential', '- - ok F', (edit) => Object.assign(open(edit).events.at(-1), { foreign: true })),
  shape('wevt_ id in a slot run, from the middle', 'sequential', '- - F F', (edit) => Object.assign(open(edit).events[step(edit, 'step_completed')], { foreign: true })),
  shape('all ids wevt_', 'sequential', '- - ok F', (edit) => open(edit).events.forEach((event) => Object.assign(event, { foreign: true }))),
  shape('slot hole, the missing row was a step_started', 'sequential', '- - F F', (edit) => open(edit).removeWithHole(step(edit, 'step_started'))),
  shape('slot hole, nothing but the number missing', 'sequential', '- - F F', (edit) => { open(edit).hole = 3; }),
  shape('slot 1 empty', 'sequential', '- - ok ok', (edit) => open(edit).removeWithHole(0)),
  shape('slot hole together with a wevt_ id', 'sequential', '- - ok F', (edit) => {
    Object.assign(open(edit).events.at(-1), { foreign: true });
    edit.removeWithHole(step(edit, 'step_started'));
  }),
];

export const shapes = [
  ...stepRows, ...waitAndHookRows, ...identityRows, ...endRows, ...terminalRows, ...orderRows, ...racedRows, ...missingRows, ...conflictRows, ...slotRows,
];

// The wait is over, or the hook received or was disposed of, and step b is running.
function openAfterWait(edit) {
  return edit.cut(after(edit, 'step_started'));
}

const openAfterHook = openAfterWait;

function failure(edit) {
  return { type: 'step_failed', data: edit.payload('step_failed') };
}

function stepAttribute(edit) {
  return { type: 'attr_set', corr: null, data: { changes: [{ key: 'k', value: 'v' }], writer: { type: 'step', stepId: firstCorr(edit, 'step_created'), attempt: 1 } } };
}

/** Event data by type, for rows that the harness adds. */
export const payloadsOf = ({ payloads }) => (type) => ({
  step_created: { input: payloads.stepArgs },
  step_completed: { result: payloads.value },
  hook_received: { payload: payloads.value },
}[type] ?? (type.endsWith('_failed') ? { error: payloads.error } : {}));

/** The logs of all shapes for that version: {name, expected, log}. Shapes that only slot runs have are left out of 4.x. */
export async function shapeLogs(version) {
  const column = columnOf(version);
  const engine = await loadEngine(version);
  const bases = {};
  for (const workflow of Object.values(named)) {
    if (workflow.name === 'attributes' && engine.scheme !== 'slot') continue;
    bases[workflow.name] = await healthyLog(version, workflow, new Random(`shapes/${version}/${workflow.name}`), { straight: true });
  }
  return shapes.filter(({ expected }) => expected[column] !== '-').map(({ name, workflow, expected, build }) => {
    const edit = new Edit(bases[workflow], new Random(`shapes/${version}/${name}`));
    edit.payload = payloadsOf(engine);
    build(edit);
    return { name, expected: outcomes[expected[column]], log: edit.done() };
  });
}
