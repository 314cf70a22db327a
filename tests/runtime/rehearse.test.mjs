// A fix is rehearsed by the real engine before it is offered: config/rehearse.mjs and `dupwatch explain --rehearse --engine`.
//   DUPWATCH_FULL=1 node --test tests/runtime/rehearse.test.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Random, ulid } from '../engines/ids.mjs';
import { runCommand } from '../integration/daemon.mjs';
import { daemonFor, EVENTS, full, serverWithSchema } from '../integration/scene.mjs';
import { until } from '../alerts/monitoring.mjs';
import { build, endOf, startWorker } from './runtime.mjs';

const SCRIPT = fileURLToPath(new URL('../../config/rehearse.mjs', import.meta.url));
const folderOf = (version) => fileURLToPath(new URL(`./${version}`, import.meta.url));

async function script(cluster, args) {
  const child = spawn(process.execPath, [SCRIPT, ...args], { env: { ...process.env, WORKFLOW_POSTGRES_URL: cluster.uri() }, stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (data) => { stdout += data; });
  const code = await new Promise((resolve) => { child.once('close', resolve); });
  return { code, said: stdout.trimEnd().split('\n').at(-1) };
}

for (const [version, world] of [['4.2.4', '4.1.1'], ['4.8.9', '4.3.7']]) {
  test(`a rehearsal by core ${version}`, { skip: !full && 'installs an engine: ./test --full', timeout: 300_000 }, async (t) => {
    build(version);
    const cluster = await serverWithSchema(t, { world });
    const { configFile } = await daemonFor(t, cluster);
    const app = folderOf(version);
    const random = new Random(1);
    const worker = await startWorker(version, cluster.uri());
    t.after(() => worker.kill());
    const run = await worker.start('parked', ['token', 10]);
    await until('the hook', async () => (await cluster.query(`SELECT FROM ${EVENTS} WHERE run_id = $1 AND type = 'hook_created'`, [run])).length === 1);

    const healthy = await script(cluster, ['--app', app, '--run', run]);
    assert.equal(healthy.code, 0, healthy.said);
    assert.match(healthy.said, new RegExp(`^core ${version}, \\d+ of \\d+ events: goes on`));

    t.diagnostic(healthy.said);

    // A second completion, which the replay that resumes the run does not survive.
    const row = `wevt_${ulid(Date.now(), random)}`;
    const [{ step }] = await cluster.query(`INSERT INTO ${EVENTS} (id, run_id, type, correlation_id, payload, payload_cbor, spec_version)
      SELECT $1, run_id, type, correlation_id, payload, payload_cbor, spec_version FROM ${EVENTS} WHERE run_id = $2 AND type = 'step_completed' LIMIT 1 RETURNING correlation_id AS step`, [row, run]);
    const struck = await script(cluster, ['--app', app, '--run', run]);
    assert.equal(struck.code, 1, struck.said);
    const mended = await script(cluster, ['--app', app, '--run', run, '--without', row]);
    assert.equal(mended.code, 0, mended.said);

    const explain = (...words) => runCommand(['explain', run, '--config', configFile, ...words], { env: { WORKFLOW_POSTGRES_URL: cluster.uri() } });
    const engine = ['--rehearse', '--engine', `${process.execPath} ${SCRIPT} --app ${app}`];
    const good = await explain(...engine);
    assert.equal(good.code, 1, good.stderr);
    assert.match(good.stdout, new RegExp(`Rehearsal without one row \\(${row}\\):\n  rules   the run lives\n  engine  the run lives: core ${version}, .*\n\nHow to fix it`));

    // Rows of a step that this workflow never begins: no rule sees that, the engine does.
    const other = step.slice(0, -6) + (step.endsWith('ZZZZZZ') ? '000000' : 'ZZZZZZ');
    const foreign = ['step_created', 'step_started', 'step_completed'].map((type, i) => ({ type, id: `wevt_${ulid(Date.now() + i, random)}` }));
    for (const { type, id } of foreign) {
      await cluster.query(`INSERT INTO ${EVENTS} (id, run_id, type, correlation_id, payload, payload_cbor, spec_version)
        SELECT $1, run_id, type, $2, payload, payload_cbor, spec_version FROM ${EVENTS} WHERE run_id = $3 AND correlation_id = $4 AND type::text = $5 ORDER BY id LIMIT 1`, [id, other, run, step, type]);
    }
    const bad = await explain(...engine);
    assert.match(bad.stdout, /rules {3}the run lives\n {2}engine {2}the log is rejected: core .*\nNo fix is offered/);
    assert.doesNotMatch(bad.stdout, /How to fix it|dupwatch quarantine apply|DELETE/);
    const { rehearsal, repair } = JSON.parse((await explain(...engine, '--json')).stdout);
    assert.deepEqual([rehearsal.rows, rehearsal.rules, rehearsal.engine, repair], [[row], 'lives', 'rejected', { sentences: [], sql: [] }]);
    assert.equal((await script(cluster, ['--app', app, '--run', run, '--without', `${row},${foreign.map(({ id }) => id).join(',')}`])).code, 0);

    const wrong = await script(cluster, ['--app', app, '--run', run, '--without', 'wevt_none']);
    assert.deepEqual([wrong.code, wrong.said], [2, `run ${run} has no event wevt_none`]);
    const lost = await script(cluster, ['--app', '/nowhere', '--run', run]);
    assert.equal(lost.code, 2);
    assert.match(lost.said, /^no @workflow\/core: /);

    // What was rehearsed comes true.
    await cluster.query(`DELETE FROM ${EVENTS} WHERE id = ANY ($1)`, [[row, ...foreign.map(({ id }) => id)]]);
    await worker.resume('token', { more: 1 });
    assert.equal((await endOf(cluster, [run], 30_000)).get(run), 'completed');
  });
}
