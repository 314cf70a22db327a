// One process of a race (started by race.mjs). It writes through the package's own storage API and meets the other
// processes through the parent.
import { File } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { planRun } from './plan.mjs';
import { playRun } from './run.mjs';

const options = JSON.parse(process.argv[2]);
const me = options.index;

// The package's HTTP client expects this global, which Node 18 has only in node:buffer.
globalThis.File ??= File;
const require = createRequire(new URL(`./${options.world}/package.json`, import.meta.url));
const { createWorld } = await import(pathToFileURL(require.resolve('@workflow/world-postgres')));
const { Pool } = require('pg');
const pool = new Pool({ connectionString: options.dsn, max: 6 });
pool.on('error', () => {}); // An idle connection lost to a server restart: the next query connects anew.
const world = createWorld({ connectionString: options.dsn, pool, queueConcurrency: 1, jobPrefix: 'race_' });

// What the package says when another process was first, or when the run or hook is gone: the race's normal answers.
const LOST_RACE = new Set(['EntityConflictError', 'RunExpiredError', 'HookNotFoundError', 'WorkflowRunNotFoundError', 'TooEarlyError']);
const summary = { events: 0, lostRaces: 0, retries: 0, errors: 0 };
const meetings = new Map();

function meet(run, name) {
  return new Promise((resolve) => {
    meetings.set(`${run}/${name}`, resolve);
    process.send({ arrived: me, run, name });
  });
}

// Incompressible, so that the write-ahead log grows as it would with real payloads.
function payload() {
  return new Uint8Array(randomBytes(options.payload));
}

function isDisconnect(error) {
  for (let cause = error; cause; cause = cause.cause) {
    if (/^(08|57P0)/.test(cause.code ?? '') || /ECONNREFUSED|ECONNRESET|EPIPE|terminated|starting up|connection error/i.test(`${cause.code} ${cause.message}`)) return true;
  }
  return false;
}

// The package keeps a LISTEN connection of its own that nobody guards: losing it would end the process.
process.on('uncaughtException', (error) => {
  if (options.reconnect && isDisconnect(error)) return;
  console.error(error);
  process.exit(1);
});

async function create(runId, data) {
  for (;;) {
    try {
      await world.events.create(runId, data);
      summary.events += 1;
      return;
    } catch (error) {
      if (options.reconnect && isDisconnect(error)) {
        // Whether the lost statement committed is unknown; writing again is what a real worker does.
        summary.retries += 1;
        await sleep(100);
        continue;
      }
      if (LOST_RACE.has(error.name) || /unique|duplicate key/i.test(`${error.message} ${error.cause?.message ?? ''}`)) {
        summary.lostRaces += 1;
        return;
      }
      if (error.name === 'WorkflowWorldError' && / not found/.test(error.message)) {
        summary.lostRaces += 1;
        return;
      }
      summary.errors += 1;
      if (summary.errors <= 3) console.error(`writer ${me}: ${data.eventType}: ${error.stack} ${error.cause?.message ?? ''}`);
      return;
    }
  }
}

process.on('message', (message) => {
  if (message.start !== undefined) {
    const plan = planRun(message.start, options);
    playRun(plan, me, { create, payload, meet: (name) => meet(plan.index, name) });
  } else if (message.go) {
    meetings.get(message.go)?.();
    meetings.delete(message.go);
  } else if (message.end) {
    process.send({ summary }, () => process.exit(0));
  }
});
process.on('disconnect', () => process.exit(1)); // The parent is gone.
process.on('SIGINT', () => {}); // A Ctrl-C reaches the whole group; the parent says when to end.
process.send({ ready: me });
