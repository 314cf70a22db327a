// One worker process: the two handlers that `workflow build` makes, behind a small HTTP server, and the world's own queue.
//   PORT=... WORKFLOW_POSTGRES_URL=... node worker.mjs
// It says "ready" on stdout. POST /start with {count, width, ms} starts a run of workflows/rounds.js and answers its id.
import http from 'node:http';
import { createRequire } from 'node:module';
import { start } from 'workflow/api';
import { getWorld } from 'workflow/runtime';

const require = createRequire(import.meta.url); // The bundles are CommonJS.
const flow = require('./.well-known/workflow/v1/flow.js');
const step = require('./.well-known/workflow/v1/step.js');

const handlers = { '/.well-known/workflow/v1/flow': flow.POST, '/.well-known/workflow/v1/step': step.POST };
const workflowId = 'workflow//./workflows/rounds//rounds';

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const server = http.createServer(async (request, response) => {
  try {
    const body = await bodyOf(request);
    if (request.url === '/start') {
      const { count, width, ms } = JSON.parse(body);
      const run = await start({ workflowId }, [count, width, ms]);
      response.end(JSON.stringify({ runId: run.runId }));
      return;
    }
    const answer = await handlers[request.url](new Request(`http://127.0.0.1${request.url}`, { method: 'POST', headers: request.headers, body }));
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(Buffer.from(await answer.arrayBuffer()));
  } catch (error) {
    response.writeHead(500);
    response.end(String(error));
  }
});
server.listen(Number(process.env.PORT), '127.0.0.1', async () => {
  await getWorld().start();
  console.log('ready');
});
