// Workflows for the engines: named ones with a known course, and random mixes of everything an engine records.

// The compiled form of 'use workflow' code: the bundle registers functions that reach the engine through symbols.
const PRELUDE = `
const reach = (name) => globalThis[Symbol.for(name)];
const step = (name) => reach('WORKFLOW_USE_STEP')(name)();
const sleep = (time) => reach('WORKFLOW_SLEEP')(time);
const createHook = () => reach('WORKFLOW_CREATE_HOOK')();
const setAttribute = (key, value) => reach('WORKFLOW_SET_ATTRIBUTES')([{ key, value }]);
const caught = async (work, other) => { try { await work(); } catch (error) { if (error.message !== 'boom') throw error; await other(); } };
`;

export const make = (name, body) => ({
  name,
  source: `${PRELUDE}globalThis.__private_workflows = new Map([[${JSON.stringify(name)}, async () => {\n${body}\nreturn 'done';\n}]]);`,
});

/** Workflows whose logs the table of shapes edits. Steps named fail* are failed by the world. */
export const named = {
  sequential: make('sequential', "await step('a'); await step('b'); await step('c');"),
  parallel: make('parallel', "await Promise.all([step('a'), step('b')]); await step('c');"),
  sleeping: make('sleeping', "await sleep('1h'); await step('b'); await step('c');"),
  hook: make('hook', "const hook = createHook(); await hook; await step('b'); await hook; await step('c');"),
  disposed: make('disposed', "const hook = createHook(); await hook; hook.dispose(); await step('b'); await step('c');"),
  raced: make('raced', "const hook = createHook(); await Promise.race([hook, sleep('1h')]); hook.dispose(); await step('b'); await step('c');"),
  failing: make('failing', "await caught(() => step('fail'), () => step('b')); await step('c');"),
  attributes: make('attributes', "await setAttribute('k', 'v'); await step('b'); await step('c');"),
};

/** A random workflow; `attributes` for engines that have them (5.x). */
export function randomWorkflow(name, random, { attributes }) {
  let steps = 0;
  let hooks = 0;
  const kinds = ['step', 'step', 'step', 'all', 'sleep', 'hook', 'hookAndStep', 'race', 'caught', ...(attributes ? ['attribute'] : [])];
  const newStep = (prefix = 's') => `step('${prefix}${(steps += 1)}')`;

  const statement = (depth) => {
    const kind = random.pick(depth > 1 ? ['step', 'step', 'sleep'] : kinds);
    const hook = `hook${hooks}`;
    if (kind.startsWith('hook') || kind === 'race') hooks += 1;
    const end = random.chance(0.75) ? `${hook}.dispose();` : '';
    switch (kind) {
      case 'all':
        return `await Promise.all([${Array.from({ length: random.between(2, 4) }, () => `(async () => { ${block(depth + 1, random.between(1, 2))} })()`).join(', ')}]);`;
      case 'sleep':
        return "await sleep('1h');";
      case 'hook':
        return `const ${hook} = createHook(); for (let i = 0; i < ${random.between(1, 4)}; i += 1) await ${hook}; ${end}`;
      case 'hookAndStep':
        return `const ${hook} = createHook(); await Promise.all([${hook}, ${newStep()}]); ${end}`;
      case 'race':
        return `const ${hook} = createHook(); await Promise.race([${hook}, sleep('1d')]); ${end}`;
      case 'caught':
        return `await caught(() => ${newStep('fail')}, () => ${newStep()});`;
      case 'attribute':
        return `await setAttribute('k${random.int(3)}', 'v${random.int(3)}');`;
      default:
        return `await ${newStep()};`;
    }
  };
  const block = (depth, length) => Array.from({ length }, () => statement(depth)).join(' ');
  const last = random.chance(0.1) ? `await ${newStep('fail')};` : '';
  return make(name, `${block(0, random.between(2, 5))} ${last}`);
}
