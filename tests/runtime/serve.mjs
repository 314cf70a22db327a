// A worker process: the two handlers that `workflow build` makes, behind a small HTTP server, and the world's own queue.
//   PORT=... WORKFLOW_POSTGRES_URL=... node VERSION/worker.mjs
// It says "ready" on stdout. POST /start with {name, args} starts a run of workflows/NAME.js and answers its id;
// POST /resume with {token, payload} resumes a hook.
import http from 'node:http';
import { createRequire } from 'node:module';

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Serves with one version of the engine; `place` is the URL of a file in its folder. */
export function serve({ start, resumeHook, getWorld }, place) {
  const require = createRequire(place); // The bundles are CommonJS.
  const handlers = Object.fromEntries(['flow', 'step'].map((name) => {
    const route = `/.well-known/workflow/v1/${name}`;
    return [route, require(`.${route}.js`).POST];
  }));
  const commands = {
    '/start': async ({ name, args }) => ({ runId: (await start({ workflowId: `workflow//./workflows/${name}//${name}` }, args)).runId }),
    '/resume': async ({ token, payload }) => ({ runId: (await resumeHook(token, payload)).runId }),
  };
  const server = http.createServer(async (request, response) => {
    try {
      const body = await bodyOf(request);
      if (commands[request.url]) {
        response.end(JSON.stringify(await commands[request.url](JSON.parse(body))));
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
}
