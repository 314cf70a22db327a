// Rows that a reader by `WHERE id > last` loses, against what dupwatch says of them: a real poller beside 4, 16 and 32
// writers. Prints a table; RESULTS.md of the tests has the last one.
//   DUPWATCH_BIN=build/release/bin/dupwatch node tests/bench/order.mjs [RUNS] [SECONDS]
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from '../postgres/cluster.mjs';
import { Daemon } from '../integration/daemon.mjs';
import { latestFindings } from '../integration/ground_truth.mjs';

const [runs, seconds] = [Number(process.argv[2] ?? 10), Number(process.argv[3] ?? 6)];
// Of the longest delay that was seen before.
const MARGIN = 2;

/** Every id that the poller has processed. With a delay it goes no further than the greatest id that it saw so long ago. */
function poller(client, { from, delayMs = 0, pauseMs = 0 }) {
  const seen = new Set();
  let last = from;
  let ended = false;
  const history = [];
  const turn = async () => {
    const at = performance.now();
    let until = null;
    if (delayMs > 0) {
      const [{ greatest }] = (await client.query('SELECT coalesce(max(id), 0)::int AS greatest FROM log')).rows;
      history.push({ at: performance.now(), greatest });
      while (history.length > 1 && history[1].at <= at - delayMs) history.shift();
      if (history[0].at > at - delayMs) return;
      until = history[0].greatest;
    }
    const { rows } = await client.query(`SELECT id::int AS id FROM log WHERE id > $1 AND ($2::int IS NULL OR id <= $2) ORDER BY id`, [last, until]);
    for (const { id } of rows) seen.add(id);
    last = rows.at(-1)?.id ?? last;
  };
  const done = (async () => {
    while (!ended) {
      await turn();
      await sleep(pauseMs);
    }
    // Everything is committed: what is there now is processed when the delay is over.
    await turn();
    await sleep(delayMs + 50);
    await turn();
  })();
  return { seen, stop: () => { ended = true; return done; } };
}

/** Sessions that draw an id, do something else and commit: mostly within 5 ms, one in a hundred within 200 ms. */
async function write(cluster, writers, untilMs) {
  await Promise.all(Array.from({ length: writers }, async () => {
    const client = await cluster.client();
    while (performance.now() < untilMs) {
      await client.query('BEGIN');
      await client.query(`INSERT INTO log (topic) SELECT 't' FROM generate_series(1, 1 + floor(random() * 3)::int)`);
      await sleep(Math.random() < 0.01 ? Math.random() * 200 : Math.random() * 5);
      await client.query(Math.random() < 0.02 ? 'ROLLBACK' : 'COMMIT');
    }
    await client.end();
  }));
}

async function measure(cluster, daemon, writers, delayMs) {
  const [{ from }] = await cluster.query('SELECT coalesce(max(id), 0)::int AS from FROM log');
  const pollers = {};
  for (const [name, options] of Object.entries({ busy: {}, every100: { pauseMs: 100 }, ...(delayMs > 0 && { delayed: { delayMs } }) })) {
    pollers[name] = { client: await cluster.client() };
    Object.assign(pollers[name], poller(pollers[name].client, { from, ...options }));
  }
  await write(cluster, writers, performance.now() + seconds * 1000);
  await Promise.all(Object.values(pollers).map(({ stop }) => stop()));
  await daemon.caughtUp();
  const rows = await cluster.query('SELECT id::int AS id FROM log WHERE id > $1', [from]);
  const flagged = new Set(latestFindings(daemon.findingsFile).map(({ duplicate }) => Number(duplicate.id)).filter((id) => id > from));
  const out = { rows: rows.length, behind: flagged.size };
  for (const [name, { seen, client }] of Object.entries(pollers)) {
    const lost = rows.filter(({ id }) => !seen.has(id)).map(({ id }) => id);
    out[name] = { lost: lost.length, hit: lost.filter((id) => flagged.has(id)).length };
    await client.end();
  }
  return out;
}

const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : '-');
const lines = [];
for (const writers of [4, 16, 32]) {
  const cluster = await createCluster({ settings: { track_commit_timestamp: 'on' } });
  await cluster.query('CREATE TABLE log (topic text NOT NULL, id bigserial PRIMARY KEY); CREATE INDEX ON log (topic)');
  const daemon = new Daemon(cluster, {
    profile: 'generic', slot: { plugin: 'wal2json' }, baseline: 'all', recheck: { interval: '0s' },
    table: { name: 'public.log', run_column: 'topic', id_column: 'id', order_watch: true, rules: { in_order: { increasing: true } } },
  });
  await daemon.start();
  // The delay is taken from what was seen before, not from the runs that it is tried on.
  await measure(cluster, daemon, writers, 0);
  const { order_watch: before } = await daemon.status();
  const delayMs = MARGIN * 1000 * before.needed_seconds['1'];
  const all = [];
  for (let run = 0; run < runs; run += 1) all.push(await measure(cluster, daemon, writers, delayMs));
  const sum = (pick) => all.reduce((total, one) => total + pick(one), 0);
  const behind = sum((one) => one.behind);
  for (const name of ['busy', 'every100']) {
    const [lost, hit] = [sum((one) => one[name].lost), sum((one) => one[name].hit)];
    lines.push([writers, name, sum((one) => one.rows), lost, behind, percent(hit, behind), percent(hit, lost)]);
  }
  const needed = (await daemon.status()).order_watch.needed_seconds;
  const clean = all.filter((one) => one.delayed.lost === 0).length;
  lines.push([writers, `delay ${delayMs.toFixed(0)} ms`, sum((one) => one.rows), sum((one) => one.delayed.lost), behind, `${clean} of ${runs} runs without a loss`,
    Object.entries(needed).map(([share, value]) => `${Number(share) * 100} %: ${(value * 1000).toFixed(1)} ms`).join(', ')]);
  process.stderr.write(`${JSON.stringify({ writers, delayMs, needed, all })}\n`);
  await daemon.destroy();
  await cluster.destroy();
}
process.stdout.write(`| writers | reader | rows | lost | committed behind | precision | recall |\n|---|---|---|---|---|---|---|\n`);
for (const line of lines) process.stdout.write(`| ${line.join(' | ')} |\n`);
