// What the application pays: inserts by pgbench with a daemon attached, with a trigger that does the same job, and with the query
// that people poll with, against none of them.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { newDaemon } from '../clients.mjs';
import { EVENTS } from '../../integration/scene.mjs';
import { show, turned } from '../figures.mjs';
import { dropSlot, load, withServer } from '../server.mjs';
import { SINGLE_TYPES } from '../types.mjs';

const CLIENTS = 4;
const POLL_MS = 10_000;
const single = SINGLE_TYPES.map((type) => `'${type}'`).join(', ');

// Runs of 40 events, each client in its own; one insert is one transaction, as the engine's workers write.
const SCRIPT = `
\\set i :i + 1
\\set n :base + :i * ${CLIENTS} + :client_id
\\set run :base + (:i / 40) * ${CLIENTS} + :client_id
\\set step (:i % 40) / 3
\\set type case when :i % 40 = 0 then 1 else 2 + :i % 3 end
INSERT INTO ${EVENTS} (id, run_id, type, correlation_id, payload_cbor, spec_version)
VALUES ('wevt_' || lpad(:n::text, 26, '0'), 'wrun_' || lpad(:run::text, 26, '0'), (ARRAY['run_created', 'step_created', 'step_started', 'step_completed'])[:type],
  CASE WHEN :type > 1 THEN 'step_' || lpad(:run::text, 20, '0') || lpad(:step::text, 6, '0') END, decode(left(repeat(md5(:n::text), 13), 400), 'hex'), 3);
`;

const TRIGGER = `
CREATE SCHEMA bench;
CREATE TABLE bench.duplicates (run_id text, id text, at timestamptz DEFAULT now());
CREATE FUNCTION bench.look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.type IN (${single}) AND EXISTS (SELECT FROM ${EVENTS} e WHERE e.run_id = NEW.run_id AND e.type = NEW.type
      AND e.correlation_id IS NOT DISTINCT FROM NEW.correlation_id AND e.id <> NEW.id) THEN
    INSERT INTO bench.duplicates (run_id, id) VALUES (NEW.run_id, NEW.id);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER bench_look AFTER INSERT ON ${EVENTS} FOR EACH ROW EXECUTE FUNCTION bench.look()`;

async function attached(cluster, plugin, act) {
  const daemon = newDaemon(cluster, { slot: { name: 'dupwatch', plugin } });
  try {
    await daemon.start();
    const result = await act();
    const began = performance.now();
    await daemon.caughtUp();
    // Positions are confirmed once a second; more than that is a backlog.
    const behind = (performance.now() - began) / 1000;
    await daemon.stop();
    return { ...result, behind_seconds: behind };
  } finally {
    await daemon.destroy();
    await dropSlot(cluster, 'dupwatch');
  }
}

async function polled(cluster, act) {
  const client = await cluster.client();
  const queries = [];
  const poll = () => queries.push(client.query(`SELECT run_id, correlation_id, type FROM ${EVENTS} WHERE type IN (${single}) GROUP BY run_id, correlation_id, type HAVING count(*) > 1`));
  const timer = setInterval(poll, POLL_MS);
  poll();
  try {
    const result = await act();
    return { ...result, polls: queries.length };
  } finally {
    clearInterval(timer);
    await Promise.all(queries);
    await client.end();
  }
}

const SIDES = {
  nothing: (_cluster, act) => act(),
  'dupwatch, wal2json': (cluster, act) => attached(cluster, 'wal2json', act),
  'dupwatch, pgoutput': (cluster, act) => attached(cluster, 'pgoutput', act),
  trigger: async (cluster, act) => {
    await cluster.sql.query(TRIGGER);
    try {
      return await act();
    } finally {
      await cluster.sql.query(`DROP TRIGGER bench_look ON ${EVENTS}; DROP SCHEMA bench CASCADE`);
    }
  },
  'polling every 10 s': polled,
};

let inserts = 0;

/** The file of a script for pgbench: each client inserts into runs of its own, from the variables `i` and `base`. */
export function writeScript(cluster) {
  const file = path.join(cluster.dir, 'script.sql');
  fs.writeFileSync(file, SCRIPT);
  return file;
}

/** Transactions a second by pgbench. */
async function pgbench(cluster, seconds, synchronous) {
  inserts += 1;
  const args = ['-n', '-M', 'prepared', '-f', writeScript(cluster), '-c', CLIENTS, '-j', 1, '-T', seconds, '-D', 'i=-1', '-D', `base=${inserts * 1e10}`, '-h', '127.0.0.1', '-p', cluster.port, '-U', 'postgres', cluster.database];
  const child = spawn(path.join(cluster.bin, 'pgbench'), args.map(String), { env: { ...process.env, PGOPTIONS: `-c synchronous_commit=${synchronous}` }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
  const code = await new Promise((resolve) => { child.once('close', resolve); });
  const tps = /tps = ([\d.]+) \(without/.exec(output)?.[1];
  if (code !== 0 || !tps) throw new Error(`pgbench ended with ${code}: ${output}`);
  return { tps: Number(tps) };
}

export async function primary({ pairs, seconds = 10, rows = 1_000_000 }) {
  const cells = [];
  await withServer(async (cluster) => {
    await load(cluster, { events: rows, copy: true });
    await cluster.sql.query(`VACUUM (ANALYZE) ${EVENTS}`);
    for (const synchronous of ['on', 'off']) {
      const rounds = [];
      for (let number = 0; number < pairs; number += 1) {
        const results = {};
        for (const side of turned(Object.keys(SIDES), number)) {
          await cluster.sql.query('CHECKPOINT');
          results[side] = await SIDES[side](cluster, () => pgbench(cluster, seconds, synchronous));
        }
        rounds.push(results);
        process.stderr.write(`primary: synchronous_commit ${synchronous}, round ${number + 1}: ${Object.entries(results).map(([side, { tps }]) => `${side} ${tps.toFixed(0)}/s`).join(', ')}\n`);
      }
      cells.push({ synchronous, rounds });
    }
  });
  return { cells, render: (all) => ({ tables: [table(all, rows, seconds)] }) };
}

function table(cells, rows, seconds) {
  const lines = ['| synchronous_commit | beside it | inserts/s | to nothing | seconds behind at the end |', '|---|---|---|---|---|'];
  for (const { synchronous, rounds } of cells) {
    for (const side of Object.keys(SIDES)) {
      const of = (value) => rounds.map((results) => value(results[side], results));
      lines.push(`| ${[synchronous, side, show(of(({ tps }) => tps), 0), side === 'nothing' ? '1' : show(of(({ tps }, { nothing }) => tps / nothing.tps)), show(of(({ behind_seconds: behind }) => behind), 1)].join(' | ')} |`);
    }
  }
  return { title: `Inserts by ${CLIENTS} clients for ${seconds} s, each a transaction, into a table of ${rows} rows and more`, lines };
}
