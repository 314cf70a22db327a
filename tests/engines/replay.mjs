// Replays an event log with a real engine, as the runtime does before it decides what a run does next.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { loadEngine } from './engine.mjs';

// Replays end within the engine's 100 ms idle timer. One that is still not decided after this neither goes on nor
// suspends: a run that hangs for ever, which no later replay changes.
const HANG_MS = 20_000;

// The engine's idle timer is a bet that 100 ms are enough for the workflow to react. On a busy machine it loses that bet
// once in some ten thousand replays, and beside compilers (load 10 on two cores) twice in a row in one of four runs of
// 1600, so a rejection counts when four replays reject the log; the runtime gives a diverged run as many.
const ATTEMPTS = 4;

/**
 * Replays `log` ({source, run, events}) and returns {outcome, message}: 'ok' (the workflow ends, fails by its own error
 * or suspends for more work), 'fatal' (the engine rejects the log, or hangs) or 'conflict' (HookConflictError in user
 * code). `suspension` holds what a suspended workflow waits for, `ended` tells that it returned or threw, `stuck` that it
 * will suspend like this for ever.
 */
export async function replay(version, log) {
  const engine = await loadEngine(version);
  const events = engineEvents(log);
  const fault = engine.slotFault(events);
  if (fault) return { outcome: 'fatal', message: fault };
  let verdict;
  for (let attempt = 0; attempt < ATTEMPTS && (!verdict || verdict.outcome === 'fatal'); attempt += 1) verdict = await replayOnce(engine, log, events);
  return verdict;
}

async function replayOnce(engine, log, events) {
  let timer;
  const hang = new Promise((resolve) => {
    timer = setTimeout(resolve, HANG_MS, { outcome: 'fatal', message: 'Hang: neither ended nor suspended' });
  });
  const verdict = engine.runWorkflow(log.source, runRow(log.run, engine), events, undefined).then(
    () => ({ outcome: 'ok', message: 'completed', ended: 'completed' }),
    (error) => classify(error, engine),
  );
  try {
    return markStuck(await Promise.race([verdict, hang]), log);
  } finally {
    clearTimeout(timer);
  }
}

/** Replays logs side by side: most of a rejected replay is waiting for a timer. Verdicts in the order of `logs`. */
export async function replayAll(version, logs, { concurrency = 25 } = {}) {
  const verdicts = new Array(logs.length);
  let next = 0;
  const worker = async () => {
    while (next < logs.length) {
      const index = next;
      next += 1;
      // One start per turn of the event loop: many contexts made in one turn would eat the timer of those before.
      await nextTurn();
      verdicts[index] = await replay(version, logs[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, logs.length) }, worker));
  return verdicts;
}

// The order of the primary key, which is the order in which every version reads the log.
const byId = (a, b) => (a.id < b.id ? -1 : Number(a.id > b.id));

function engineEvents({ run, events }) {
  return [...events].sort(byId).map(({ id, type, corr, data, at }) => ({
    eventId: id,
    runId: run.id,
    eventType: type,
    ...(corr ? { correlationId: corr } : {}),
    createdAt: new Date(at),
    eventData: data ?? {},
    specVersion: 2,
  }));
}

function runRow(run, engine) {
  return {
    runId: run.id,
    workflowName: run.workflow,
    deploymentId: run.deployment,
    status: 'running',
    createdAt: new Date(run.createdAt),
    updatedAt: new Date(run.startedAt),
    startedAt: new Date(run.startedAt),
    input: engine.payloads.args,
    specVersion: 2,
    attributes: {},
  };
}

// A suspension that asks to create what the log already holds: the replay never got as far as that event, and no later
// one will. The run neither fails nor goes on. By the definition of `ok` that is one, so it is marked beside.
function markStuck(verdict, { events }) {
  const created = new Set(events.filter(({ type }) => /_created$|^attr_set$/.test(type)).map(({ corr }) => corr));
  const stuck = (verdict.suspension ?? []).some((item) => !item.hasCreatedEvent && created.has(item.correlationId));
  return stuck ? { ...verdict, stuck, message: `stuck, ${verdict.message}` } : verdict;
}

// By name: each version has its own classes, and an error may come from inside the VM.
const REJECTIONS = new Set(['WorkflowRuntimeError', 'ReplayDivergenceError', 'CorruptedEventLogError']);

function classify(error, engine) {
  if (engine.WorkflowSuspension.is(error)) {
    return { outcome: 'ok', message: `suspended: ${error.message}`, suspension: error.items ?? error.steps };
  }
  const message = `${error?.name}: ${String(error?.message).split('\n')[0]}`;
  if (error?.name === 'HookConflictError') return { outcome: 'conflict', message };
  if (REJECTIONS.has(error?.name)) return { outcome: 'fatal', message };
  // The one error that the workflows of this harness let through is that of a step that failed for good.
  if (error?.message === 'boom') return { outcome: 'ok', message: 'failed: boom', ended: 'failed' };
  throw error;
}
