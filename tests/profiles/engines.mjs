// Durable engines as their packages make and write them: what the built-in profiles are proved on.
import { createRequire } from 'node:module';
import { BackendPostgres } from '@openworkflow/backend-postgres';
import { OpenWorkflow } from 'openworkflow';

const require = createRequire(import.meta.url);

/** Runs `workflows` workflows of OpenWorkflow to their end: steps in turn, two at once, a sleep. */
export async function runOpenWorkflow(cluster, { workflows, concurrency = 16, namespaces = ['default'] }) {
  for (const namespaceId of namespaces) {
    const backend = await BackendPostgres.connect(cluster.uri(), { namespaceId });
    const client = new OpenWorkflow({ backend });
    const order = client.defineWorkflow({ name: 'order' }, async ({ step }) => {
      await step.run({ name: 'charge' }, async () => 1);
      await Promise.all([step.run({ name: 'mail' }, async () => 2), step.run({ name: 'stock' }, async () => 3)]);
      await step.sleep('pause', '1ms');
      return step.run({ name: 'close' }, async () => 4);
    });
    const worker = client.newWorker({ concurrency });
    await worker.start();
    const handles = await Promise.all(Array.from({ length: workflows }, (_, n) => order.run({ n })));
    for (const handle of handles) await handle.result();
    await worker.stop();
    await backend.stop();
  }
}

/** Runs one workflow whose step fails `failures` times before it succeeds; returns its run's id. */
export async function failOpenWorkflow(cluster, failures) {
  const backend = await BackendPostgres.connect(cluster.uri());
  const client = new OpenWorkflow({ backend });
  let left = failures;
  const order = client.defineWorkflow({ name: 'flaky' }, async ({ step }) => step.run({ name: 'charge' }, async () => {
    left -= 1;
    if (left >= 0) throw new Error('not yet');
    return 1;
  }));
  const worker = client.newWorker({ concurrency: 1 });
  await worker.start();
  const handle = await order.run({});
  await handle.result();
  await worker.stop();
  await backend.stop();
  return handle.workflowRun.id;
}

let dbosOrder;

/** The workflow that is run, registered once in a process: two steps at once, a sleep, an event, a child. */
function registerDbos(DBOS) {
  const child = DBOS.registerWorkflow(async (n) => DBOS.runStep(async () => n, { name: 'pack' }), { name: 'child' });
  return DBOS.registerWorkflow(async (n) => {
    await DBOS.runStep(async () => n, { name: 'charge' });
    await Promise.all([DBOS.runStep(async () => n, { name: 'mail' }), DBOS.runStep(async () => n, { name: 'stock' })]);
    await DBOS.sleep(1);
    await DBOS.setEvent('paid', n);
    const handle = await DBOS.startWorkflow(child)(n);
    return handle.getResult();
  }, { name: 'order' });
}

/** DBOS over the cluster, one at a time in a process. `run(n)` runs n workflows to their end; `close()` at the end. */
export async function openDbos(cluster) {
  const { DBOS } = require('@dbos-inc/dbos-sdk');
  DBOS.setConfig({ name: 'shop', systemDatabaseUrl: cluster.uri(), logLevel: 'error' });
  dbosOrder ??= registerDbos(DBOS);
  await DBOS.launch();
  return {
    async run(workflows, concurrency = 50) {
      for (let begun = 0; begun < workflows; begun += concurrency) {
        const handles = await Promise.all(Array.from({ length: Math.min(concurrency, workflows - begun) }, (_, n) => DBOS.startWorkflow(dbosOrder)(n)));
        for (const handle of handles) await handle.getResult();
      }
    },
    close: () => DBOS.shutdown(),
  };
}
