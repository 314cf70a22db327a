// Loads one version of the real @workflow/core and hides what differs between versions: payload encodings, the slot
// check outside of the replay, the world that 5.x wants at the end of a run.
import { File } from 'node:buffer';
import { webcrypto } from 'node:crypto';
import fs from 'node:fs';

// The engine and its HTTP client expect these globals, which Node 18 has only in its modules.
globalThis.File ??= File;
globalThis.crypto ??= webcrypto;

export const VERSIONS = ['4.2.4', '4.8.9', '5.0.0-beta.41', '5.0.0-beta.55', '5.2.0'];

/**
 * The versions of which the shapes have a column of their own. 5.2.0 is held to that of beta.55: what differs fails a test.
 */
export const COLUMNS = VERSIONS.slice(0, 4);
export const columnOf = (version) => Math.max(COLUMNS.indexOf(version), version === '5.2.0' ? COLUMNS.length - 1 : -1);

const loaded = new Map();

/** The engine of that version; installed by `npm ci --ignore-scripts` in the folder of the same name. */
export function loadEngine(version) {
  if (!VERSIONS.includes(version)) throw new Error(`no engine ${version}; there are ${VERSIONS.join(', ')}`);
  if (!loaded.has(version)) loaded.set(version, load(version));
  return loaded.get(version);
}

/** True when every engine is installed. */
export const enginesInstalled = () => VERSIONS.every((version) => fs.existsSync(coreFile(version, 'serialization.js')));

// 5.2.0 is in no package of its own: `eve` carries it compiled.
const FOLDERS = { '5.2.0': 'eve/dist/src/compiled/@workflow/core' };
const coreFile = (version, file) => new URL(`./${version}/node_modules/${FOLDERS[version] ?? '@workflow/core/dist'}/${file}`, import.meta.url);

async function load(version) {
  silenceEngines();
  const { runWorkflow, WorkflowSuspension } = await (FOLDERS[version] ? loadCompiled(version) : loadPackage(version));
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

// runWorkflow is no public export in any version; dist/workflow.js is the narrowest path to it.
async function loadPackage(version) {
  const { runWorkflow } = await import(coreFile(version, 'workflow.js'));
  const { WorkflowSuspension } = await import(coreFile(version, 'global.js'));
  return { runWorkflow, WorkflowSuspension };
}

// The bundle exports the runtime alone. A copy of it beside it, with two more exports, has the replay that the runtime calls and
// the cache of payloads that it gives it; their names are the bundler's, what they do is not.
async function loadCompiled(version) {
  const source = fs.readFileSync(coreFile(version, 'runtime.js'), 'utf8');
  const nameOf = (pattern) => {
    const found = [...source.matchAll(pattern)];
    if (found.length !== 1) throw new Error(`${version}: ${found.length} functions look like ${pattern}`);
    return found[0][1];
  };
  const replay = nameOf(/function (\w+)\(\w\)\{return \w+\(`replay`,\w\.workflowRun,\w\.events,/g);
  const payloads = nameOf(/var (\w+)=class\{preparer;preparedPayloads=new Map;/g);
  const copy = coreFile(version, 'runtime.with-replay.js');
  const text = `${source}\nexport { ${replay} as replayOfRun, ${payloads} as Payloads };\n`;
  // Renamed into place: other processes may load it at the same time.
  if (!fs.existsSync(copy) || fs.readFileSync(copy, 'utf8') !== text) {
    const draft = coreFile(version, `runtime.${process.pid}.draft`);
    fs.writeFileSync(draft, text);
    fs.renameSync(draft, copy);
  }
  const { replayOfRun, Payloads, WorkflowSuspension } = await import(copy);
  const runWorkflow = async (workflowCode, workflowRun, events, encryptionKey) => {
    const replayPayloadCache = new Payloads(encryptionKey);
    await replayPayloadCache.prewarm(workflowRun, events);
    const result = await replayOfRun({ workflowCode, workflowRun, events, encryptionKey, replayPayloadCache });
    if (result.type === 'suspended') throw result.suspension;
    if (result.type !== 'completed') throw new Error(`${version}: a replay of type ${result.type}`);
    return result.output;
  };
  return { runWorkflow, WorkflowSuspension };
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
  const { setWorld } = await import(coreFile(version, FOLDERS[version] ? 'runtime.with-replay.js' : 'runtime/world.js'));
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
