// Loads one version of the real @workflow/core and hides what differs between versions: payload encodings, the slot
// check outside of the replay, the world that 5.x wants at the end of a run.
import { File } from 'node:buffer';
import { webcrypto } from 'node:crypto';
import fs from 'node:fs';

// The engine and its HTTP client expect these globals, which Node 18 has only in its modules.
globalThis.File ??= File;
globalThis.crypto ??= webcrypto;

export const VERSIONS = ['4.2.4', '4.8.9', '5.0.0-beta.41', '5.0.0-beta.55'];

const loaded = new Map();

/** The engine of that version; installed by `npm ci --ignore-scripts` in the folder of the same name. */
export function loadEngine(version) {
  if (!VERSIONS.includes(version)) throw new Error(`no engine ${version}; there are ${VERSIONS.join(', ')}`);
  if (!loaded.has(version)) loaded.set(version, load(version));
  return loaded.get(version);
}

/** True when every engine is installed. */
export const enginesInstalled = () => VERSIONS.every((version) => fs.existsSync(coreFile(version, 'workflow.js')));

const coreFile = (version, file) => new URL(`./${version}/node_modules/@workflow/core/dist/${file}`, import.meta.url);

async function load(version) {
  silenceEngines();
  // runWorkflow is no public export in any version; dist/workflow.js is the narrowest path to it.
  const { runWorkflow } = await import(coreFile(version, 'workflow.js'));
  const { WorkflowSuspension } = await import(coreFile(version, 'global.js'));
  const serialization = await import(coreFile(version, 'serialization.js'));
  const slots = version.startsWith('5.');
  const engine = { version, scheme: slots ? 'slot' : 'ulid', runWorkflow, WorkflowSuspension, drained: new Map() };
  engine.payloads = await makePayloads(serialization, slots);
  engine.slotFault = () => undefined;
  if (slots) {
    await provideWorld(version, engine);
    await provideSlotCheck(version, engine);
  }
  return engine;
}

// Without a key no payload depends on its run, so one encoding serves all logs.
async function makePayloads(serialization, slots) {
  const run = 'wrun_00000000000000000000000000';
  const error = slots ? await serialization.dehydrateStepError(new Error('boom'), run, undefined) : 'boom';
  return {
    args: await serialization.dehydrateWorkflowArguments([], run, undefined),
    stepArgs: await serialization.dehydrateStepArguments([], run, undefined),
    value: await serialization.dehydrateStepReturnValue(1, run, undefined),
    output: await serialization.dehydrateWorkflowReturnValue('done', run, undefined),
    error,
  };
}

// The runtime refuses a log with a hole (5b41 on) or a foreign id (5b42 on) before it replays: runtime.js calls
// settleEventSlotGap of runtime/helpers.js, a public export. That one re-reads through the world; a log that does not
// change gives the same answer each time, so its core findEventSlotGap is called once. It also calls requireEventSlot.
async function provideSlotCheck(version, engine) {
  const helpers = await import(coreFile(version, 'runtime/helpers.js'));
  engine.slotFault = (events) => {
    if (!helpers.isSlotGapCheckEnabled()) return undefined;
    try {
      const gap = helpers.findEventSlotGap(events);
      return gap && `CorruptedEventLogError: hole at slot ${gap.firstMissingSlot}, ${gap.missingCount} of ${gap.maxSlot} missing`;
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  };
}

// At the end of a workflow 5.x writes what the body did not await (a disposal, say) through the world. This one only
// keeps the writes, for the world that healthy.mjs plays; without it the engine would open a store on disk.
async function provideWorld(version, engine) {
  const { setWorld } = await import(coreFile(version, 'runtime/world.js'));
  const create = async (runId, data) => {
    for (const { drained } of worldUsers) drained.get(runId)?.push(data);
    return { event: { ...data, runId, eventId: 'evnt_drained', createdAt: new Date(0) } };
  };
  worldUsers.push(engine);
  setWorld({ events: { create }, queue: async () => ({ messageId: null }), specVersion: 7 });
}

// setWorld keeps one world for all versions in the process, so a write is offered to each of them.
const worldUsers = [];

// The engines print a warning for each log they reject; thousands of rejections are what is wanted here.
function silenceEngines() {
  if (silenceEngines.done) return;
  silenceEngines.done = true;
  for (const method of ['warn', 'error']) {
    const original = console[method];
    console[method] = (...args) => {
      if (!/workflow/i.test(String(args[0]))) original.apply(console, args);
    };
  }
}
