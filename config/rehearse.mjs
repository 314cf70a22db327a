// Replays a run of a workflow engine 4.x from its log without some of its rows, by the engine and the bundle that you run: what
// `dupwatch explain RUN_ID --rehearse --engine 'node rehearse.mjs --app FOLDER'` asks.
//
//   WORKFLOW_POSTGRES_URL=postgres://... node rehearse.mjs --app FOLDER [--bundle FILE] --run RUN_ID [--without EVENT_ID,...]
//
// FOLDER is that of the application: its node_modules has the engine (workflow or @workflow/core, and @workflow/world-postgres).
// FILE is what its build made of the workflows, .well-known/workflow/v1/flow.js in FOLDER if it isn't said. Only the workflow's own
// function is run, no step; sessions are read-only.
//
// The last line says what the replay did. Exit status: 0 it goes on or ends, 1 the engine rejects the log, 2 it can't be told.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import vm from 'node:vm';

// The engine bets on time: a rejection counts when this many replays reject the log, as many as it gives a run itself.
const ATTEMPTS = 4;
// One that neither goes on nor ends by then never will.
const HANGS_MS = 30_000;
const PAGE = 1000;
const REJECTIONS = new Set(['WorkflowRuntimeError', 'ReplayDivergenceError', 'CorruptedEventLogError']);
const END = { lives: 0, rejected: 1, unknown: 2 };

function end(status, message) {
  process.stdout.write(`${message.replaceAll(/\s+/g, ' ')}\n`, () => process.exit(status));
}

const fail = (message) => { throw Object.assign(new Error(message), { told: true }); };

function options() {
  const text = { type: 'string' };
  let values;
  try {
    ({ values } = parseArgs({ options: { app: text, bundle: text, run: text, without: text } }));
  } catch (error) {
    fail(error.message);
  }
  const missing = ['app', 'run'].filter((name) => !values[name]).map((name) => `--${name}`);
  if (!process.env.WORKFLOW_POSTGRES_URL) missing.push('WORKFLOW_POSTGRES_URL in the environment');
  if (missing.length > 0) fail(`missing: ${missing.join(', ')}`);
  const bundle = values.bundle ?? path.join(values.app, '.well-known/workflow/v1/flow.js');
  return { app: path.resolve(values.app), bundle, run: values.run, without: new Set(values.without?.split(',').filter(Boolean)) };
}

/** The folder dist of a package, found from the application or from the packages that depend on it. */
function distOf(name, from) {
  const tried = [];
  for (const start of from) {
    try {
      return path.dirname(createRequire(start).resolve(name));
    } catch (error) {
      tried.push(`${start}: ${error.code}`);
    }
  }
  return fail(`no ${name}: ${tried.join('; ')}`);
}

/** runWorkflow is no public export in any version: dist/workflow.js is the narrowest path to it. */
async function engineOf(app) {
  const here = path.join(app, 'package.json');
  const ways = [here];
  for (const name of ['workflow', '@workflow/world-postgres']) {
    try {
      ways.push(createRequire(here).resolve(name));
    } catch {
      // The other one may have it.
    }
  }
  const core = distOf('@workflow/core', ways);
  const load = (folder, file) => import(pathToFileURL(path.join(folder, file)).href);
  const { runWorkflow } = await load(core, 'workflow.js');
  const { WorkflowSuspension } = await load(core, 'global.js');
  const { createWorld } = await load(distOf('@workflow/world-postgres', ways), 'index.js');
  if (!runWorkflow || !WorkflowSuspension || !createWorld) fail(`${core} is no engine that this script knows: 4.x is`);
  const { version } = JSON.parse(fs.readFileSync(path.join(core, '../package.json'), 'utf8'));
  return { version, runWorkflow, WorkflowSuspension, createWorld };
}

/** The code of the workflows, a template literal in the bundle. */
function codeOf(bundle) {
  const text = fs.readFileSync(bundle, 'utf8');
  const begin = /\bworkflowCode\s*=\s*`/.exec(text);
  if (!begin) fail(`${bundle} has no workflowCode: expected the flow.js that the build of workflow writes`);
  const from = begin.index + begin[0].length;
  let to = from;
  while (to < text.length && text[to] !== '`') to += text[to] === '\\' ? 2 : 1;
  return vm.runInNewContext(`\`${text.slice(from, to)}\``);
}

async function logOf(world, run) {
  const events = [];
  for (let cursor; ;) {
    const page = await world.events.list({ runId: run, pagination: { sortOrder: 'asc', limit: PAGE, cursor }, resolveData: 'all' });
    events.push(...page.data);
    if (!page.hasMore) return events;
    ({ cursor } = page);
  }
}

// By name: an error may come from inside the VM.
function classify(error, engine, events) {
  const message = `${error?.name}: ${String(error?.message).split('\n')[0]}`;
  if (engine.WorkflowSuspension.is(error)) {
    // It asks to make what the log has: this replay never came as far, and none will.
    const made = new Set(events.filter(({ eventType }) => eventType.endsWith('_created')).map(({ correlationId }) => correlationId));
    const items = error.items ?? error.steps ?? [];
    const again = items.find((item) => !item.hasCreatedEvent && made.has(item.correlationId));
    return again ? { status: END.rejected, message: `never gets as far as ${again.correlationId}, which the log has` } : { status: END.lives, message: `goes on: ${error.message}` };
  }
  if (REJECTIONS.has(error?.name)) return { status: END.rejected, message };
  return { status: END.lives, message: `ends by the workflow's own error, ${message}` };
}

async function replay(engine, code, row, events) {
  let timer;
  const hang = new Promise((resolve) => {
    timer = setTimeout(resolve, HANGS_MS, { status: END.rejected, message: `neither went on nor ended within ${HANGS_MS / 1000} s` });
  });
  const done = engine.runWorkflow(code, row, events, undefined).then(
    () => ({ status: END.lives, message: 'completes' }),
    (error) => classify(error, engine, events),
  );
  try {
    return await Promise.race([done, hang]);
  } finally {
    clearTimeout(timer);
  }
}

async function main() {
  const { app, bundle, run, without } = options();
  process.env.PGOPTIONS = `${process.env.PGOPTIONS ?? ''} -c default_transaction_read_only=on`.trim();
  const engine = await engineOf(app);
  const code = codeOf(bundle);
  const world = engine.createWorld();
  const row = await world.runs.get(run);
  const all = await logOf(world, run);
  const unknown = [...without].filter((id) => !all.some(({ eventId }) => eventId === id));
  if (unknown.length > 0) fail(`run ${run} has no event ${unknown.join(', ')}`);
  const events = all.filter(({ eventId }) => !without.has(eventId));
  let verdict;
  for (let i = 0; i < ATTEMPTS && verdict?.status !== END.lives; i += 1) verdict = await replay(engine, code, { ...row, status: 'running' }, events);
  end(verdict.status, `core ${engine.version}, ${events.length} of ${all.length} events: ${verdict.message}`);
}

main().catch((error) => end(END.unknown, error.told ? error.message : `${error?.name}: ${error?.message}`));
