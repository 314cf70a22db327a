// Damaged runs by hand, one for each shape that a rule knows, and healthy ones that look like damage.
import { eventId, insertEvents } from './scene.mjs';

/** A run id with its shape's number in it, in the package's form; `at`: its ten characters of time. */
export const runId = (number, at = '01KAAAAAAA') => `wrun_${at}${String(number).padStart(16, '0')}`;

const slot = (number) => `evnt_${String(number).padStart(26, '0')}`;

// Each list is in the order of ids. 'type@entity'; '@' alone stands for no correlation id.
const BODY = ['run_created', 'run_started', 'step_created@a', 'step_started@a', 'step_completed@a'];
const ULID_RUNS = {
  'created again while open': ['run_created', 'step_created@a', 'step_created@a', 'step_started@a', 'step_completed@a'],
  'created again behind the close': [...BODY, 'step_created@a', 'step_created@b'],
  'created three times': [...BODY, 'step_created@a', 'step_created@a'],
  'created only behind the close': ['run_created', 'step_started@a', 'step_completed@a', 'step_created@a', 'step_created@a'],
  'started late': [...BODY, 'step_started@a'],
  'first start late': ['run_created', 'step_created@a', 'step_completed@a', 'step_started@a'],
  'retrying late, none before': [...BODY, 'step_retrying@a', 'step_retrying@a'],
  'completed twice': [...BODY, 'step_completed@a'],
  'failed after completed, and completed again': [...BODY, 'step_failed@a', 'step_completed@a'],
  'wait completed twice': ['run_created', 'wait_created@w', 'wait_completed@w', 'wait_completed@w', 'wait_created@w'],
  'wait created only after its end': ['run_created', 'wait_completed@w', 'wait_created@w', 'wait_created@w'],
  'hook disposed of twice': ['run_created', 'hook_created@h', 'hook_disposed@h', 'hook_disposed@h', 'hook_created@h'],
  'delivery after disposal': ['run_created', 'hook_created@h', 'hook_received@h', 'hook_disposed@h', 'hook_received@h'],
  'conflict with itself': ['run_created', 'hook_created@h', 'hook_conflict@h'],
  'conflict before it, and after disposal': ['hook_conflict@h', 'hook_created@h', 'hook_disposed@h', 'hook_conflict@h'],
  'conflict with another': ['run_created', 'hook_conflict@h'],
  'run created twice': ['run_created', 'run_created', 'run_started'],
  'run started twice': ['run_created', 'run_started', 'run_started', 'run_started'],
  'ended in two ways': [...BODY, 'run_completed', 'run_failed', 'run_failed'],
  'lost': [...BODY, 'step_created@a', 'run_failed'],
  'failed before the damage': [...BODY, 'run_failed', 'step_created@a'],
  'cancelled twice': [...BODY, 'run_cancelled', 'run_cancelled'],
  'created after the end': [...BODY, 'run_completed', 'step_created@c', 'hook_created@h', 'wait_created@w'],
  'repeats that are legal': ['run_created', 'step_created@a', 'step_started@a', 'step_retrying@a', 'step_started@a', 'step_completed@a',
    'hook_created@h', 'hook_received@h', 'hook_received@h', 'noop', 'noop', 'attr_set', 'attr_set'],
  'attribute twice': ['run_created', 'attr_set@t', 'attr_set@t'],
  'step without correlation id': ['run_created', 'step_created', 'step_created', 'step_completed'],
};
// Numbers are slots, the rest as above; 'u:' gives a ULID in place of a slot.
const SLOT_RUNS = {
  'dense': ['1 run_created', '2 run_started', '3 step_created@a', '4 step_completed@a', '5 step_created@a'],
  'from slot 2': ['2 run_started', '3 step_created@a'],
  'hole': ['1 run_created', '2 run_started', '4 step_created@a', '7 step_completed@a', '8 step_failed@a', '9 run_failed'],
  'hole at the beginning': ['3 step_created@a', '4 step_completed@a'],
  'filled by noop': ['1 run_created', '2 noop', '3 attr_set', '4 step_created@a'],
  'two schemes': ['1 run_created', '2 run_started', 'u: step_created@a', 'u: step_completed@a', 'u: step_started@a'],
};

function* eventsOf(names, run, entityOf) {
  for (const name of names) {
    const [, scheme, type, entity] = /^(?:(\d+|u:) )?([a-z_]+)(?:@(.+))?$/.exec(name);
    const correlation = entity === undefined ? null : entityOf(entity);
    yield { run, type, correlation, id: /^\d/.test(scheme ?? '') ? slot(Number(scheme)) : eventId() };
  }
}

/** Inserts all of them and returns {name: run id}. Slot numbers are unique within a run only, as from 5.0.0-beta.33 on. */
export async function insertShapes(cluster) {
  await cluster.query(`ALTER TABLE workflow.workflow_events DROP CONSTRAINT workflow_events_pkey;
    ALTER TABLE workflow.workflow_events ADD PRIMARY KEY (run_id, id)`);
  const runs = {};
  for (const [name, names] of Object.entries({ ...ULID_RUNS, ...SLOT_RUNS })) {
    const number = Object.keys(runs).length;
    runs[name] = runId(number);
    const entityOf = (entity) => `${{ h: 'hook', w: 'wait', t: 'attr' }[entity] ?? 'step'}_01KAAAAAAB${String(number).padStart(15, '0')}${entity.toUpperCase()}`;
    await insertEvents(cluster, [...eventsOf(names, runs[name], entityOf)]);
  }
  return runs;
}
