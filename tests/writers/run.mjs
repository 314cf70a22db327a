// One process's part in one run. `create` writes an event through the package, `meet` waits for the other processes
// at a named point of the same run.
import { setTimeout as sleep } from 'node:timers/promises';

/** Plays process `me`'s part of `plan`; returns when this process has nothing more to do in the run. */
export async function playRun(plan, me, { create, meet, payload }) {
  const write = (eventType, correlationId, eventData) => create(plan.runId, { eventType, correlationId, eventData });
  const run = { deploymentId: 'dpl_race', workflowName: 'race', input: payload() };

  if (plan.owner === me || plan.secondCreator === me) await write('run_created', undefined, run);
  await meet('created');
  if (plan.owner === me) await write('run_started');
  await meet('started');

  // The race itself: every process believes that it is the one to create the steps.
  await Promise.all([
    ...plan.steps.map((step) => createStep(plan, step, me, write, payload)),
    plan.hook ? playHookCreation(plan, me, write) : undefined,
    plan.wait ? write('wait_created', plan.wait.id, { resumeAt: new Date(Date.now() + 1000) }) : undefined,
  ]);
  if (plan.barrier) await meet('steps');

  await Promise.all(plan.steps.map((step) => executeStep(step, me, write, payload)));
  await playHookAndWait(plan, me, write, payload);
  await meet('executed');

  if (plan.late === me) await createLate(plan, write, payload);
  await meet('late');
  if (plan.finish && plan.owner === me) await write('run_completed', undefined, { output: payload() });
  await meet('done');
}

async function createStep(_plan, step, me, write, payload) {
  await sleep(step.jitterMs[me]);
  await write('step_created', step.id, { stepName: 'race-step', input: payload() });
  // Without the barrier the executor goes on at once, so a slower process's row may land after the step is over.
}

async function executeStep(step, me, write, payload) {
  if (step.secondStarter === me && step.executor !== me) await write('step_started', step.id, {});
  if (step.executor !== me) return;
  await write('step_started', step.id, {});
  for (let attempt = 0; attempt < step.retries; attempt += 1) {
    await write('step_retrying', step.id, { error: 'again' });
    await write('step_started', step.id, {});
  }
  if (step.fails) await write('step_failed', step.id, { error: 'gave up' });
  else await write('step_completed', step.id, { result: payload() });
}

async function playHookCreation(plan, _me, write) {
  await write('hook_created', plan.hook.id, { token: `token-${plan.runId}` });
}

// Every process delivers to the hook (a hook may be received any number of times), one disposes of it.
async function playHookAndWait(plan, me, write, payload) {
  if (plan.hook) {
    for (let count = 0; count < plan.hook.received; count += 1) {
      await write('hook_received', plan.hook.id, { payload: payload() });
    }
    if (plan.hook.disposed && plan.owner === me) await write('hook_disposed', plan.hook.id, {});
  }
  if (plan.wait?.completed) await write('wait_completed', plan.wait.id, {});
}

// The shape that kills a run: an entity is created again after its closing event.
async function createLate(plan, write, payload) {
  await write('step_created', plan.steps[0].id, { stepName: 'race-step', input: payload() });
  if (plan.hook?.disposed) await write('hook_created', plan.hook.id, { token: `token-${plan.runId}` });
}
