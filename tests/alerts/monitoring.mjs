// A real Prometheus and a real Alertmanager on loopback ports with scratch folders, a receiver of webhooks, and a stand-in
// for postgres_exporter.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../postgres/cluster.mjs';
import { scratch } from './promtool.mjs';

const yaml = createRequire(new URL('../writers/4.1.1/package.json', import.meta.url))('js-yaml');

/** alerts/alertmanager.example.yml with webhooks at `address` for its receivers, each at the path of its name. */
export function exampleFor(address) {
  const example = yaml.load(fs.readFileSync(new URL('../../alerts/alertmanager.example.yml', import.meta.url), 'utf8'));
  const receivers = example.receivers.map(({ name }) => ({ name, webhook_configs: [{ url: `http://${address}/${name}`, send_resolved: true }] }));
  return { ...example, receivers };
}

/** Waits until `check()` gives something; what it throws counts as not yet. */
export async function until(what, check, timeoutMs = 60_000) {
  const deadline = Date.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      const value = await check();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`no ${what} within ${timeoutMs} ms ${last ?? ''}`);
    await sleep(50);
  }
}

/** A server of `t` that answers by `handler(request, response, body)`; resolves its host:port. */
async function serve(t, handler) {
  const server = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    try {
      await handler(request, response, Buffer.concat(parts).toString());
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections?.(); // Not in Node 18.0, where idle connections end by themselves.
    server.close();
  });
  return `127.0.0.1:${server.address().port}`;
}

/** Receives what Alertmanager posts, webhooks and all others that are JSON: {address, received}, each with the time `at` (ms) of its arrival. */
export async function receiver(t) {
  const received = [];
  const address = await serve(t, (request, response, body) => {
    received.push({ at: Date.now(), path: request.url, authorization: request.headers.authorization, ...JSON.parse(body) });
    response.end();
  });
  return { address, received };
}

async function program(t, name, args, ready) {
  const child = spawn(name, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (data) => { log += data; });
  const ended = new Promise((resolve) => { child.once('close', resolve); child.once('error', resolve); });
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  try {
    await until(`readiness of ${name}`, async () => (await fetch(ready)).ok);
  } catch (error) {
    throw new Error(`${error.message}\n${log.slice(-2000)}`);
  }
}

/** Starts an Alertmanager over `config` (an object); resolves its host:port. */
export async function startAlertmanager(t, config) {
  const folder = scratch(t);
  const address = `127.0.0.1:${await freePort()}`;
  fs.writeFileSync(path.join(folder, 'am.yml'), JSON.stringify(config));
  await program(t, 'prometheus-alertmanager', [`--config.file=${folder}/am.yml`, `--storage.path=${folder}/data`,
    `--web.listen-address=${address}`, '--cluster.listen-address=', '--log.level=warn'], `http://${address}/-/ready`);
  return address;
}

/** A Prometheus that scrapes and evaluates each second. */
export class Prometheus {
  /** jobs: {name: host:port, or more of its scrape_config}; rules: {file name: text}; alertmanager: host:port. */
  static async start(t, { jobs, rules = {}, alertmanager }) {
    const folder = scratch(t);
    const address = `127.0.0.1:${await freePort()}`;
    for (const [name, text] of Object.entries(rules)) fs.writeFileSync(path.join(folder, name), text);
    fs.writeFileSync(path.join(folder, 'prometheus.yml'), JSON.stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: Object.keys(rules),
      scrape_configs: Object.entries(jobs).map(([name, job]) => (
        typeof job === 'string' ? { job_name: name, static_configs: [{ targets: [job] }] } : { job_name: name, ...job })),
      ...(alertmanager ? { alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager] }] }] } } : {}),
    }));
    await program(t, 'prometheus', [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=${address}`, '--log.level=warn'], `http://${address}/-/ready`);
    return new Prometheus(address);
  }

  constructor(address) {
    this.address = address;
  }

  async api(where, parameters = {}) {
    const response = await fetch(`http://${this.address}/api/v1/${where}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = await response.json();
    if (status !== 'success') throw new Error(`Prometheus: ${error}`);
    return data;
  }

  /** The series of an instant query. */
  async query(expr) {
    return (await this.api('query', { query: expr })).result;
  }

  /** The series of a query over the last `seconds`. */
  async range(expr, seconds, step = 1) {
    const end = Date.now() / 1000;
    return (await this.api('query_range', { query: expr, start: end - seconds, end, step })).result;
  }
}

// The queries say the same as those of postgres_exporter's collector replication_slots, over the same view; its metric
// names and labels.
const SLOT_SQL = `SELECT slot_name, slot_type, coalesce(database, '') AS database, active::int AS active, wal_status,
  pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::text AS retained FROM pg_replication_slots`;
const LIMIT_SQL = `SELECT CASE setting WHEN '-1' THEN '-1' ELSE (setting::bigint * 1048576)::text END AS bytes
  FROM pg_settings WHERE name = 'max_slot_wal_keep_size'`;

/** Exports the slots of `cluster` as postgres_exporter does, asking the server at each scrape; resolves its host:port. */
export async function slotExporter(t, cluster) {
  const client = await cluster.client();
  t.after(() => client.end());
  return serve(t, async (_request, response) => {
    const { rows } = await client.query(SLOT_SQL);
    const [limit] = (await client.query(LIMIT_SQL)).rows;
    const lines = [`pg_settings_max_slot_wal_keep_size_bytes ${limit.bytes}`];
    for (const row of rows) {
      const labels = `slot_name="${row.slot_name}",database="${row.database}"`;
      lines.push(`pg_replication_slots_active{${labels}} ${row.active}`, `pg_replication_slots_pg_wal_lsn_diff{${labels}} ${row.retained}`);
      lines.push(`pg_replication_slots_wal_status{slot_name="${row.slot_name}",slot_type="${row.slot_type}",wal_status="${row.wal_status}"} 1`);
    }
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`${lines.join('\n')}\n`);
  });
}
