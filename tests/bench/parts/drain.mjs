// A backlog of events, drained from one slot position by every client in turn.
import { ASKS_THE_TABLE, CLIENTS } from '../clients.mjs';
import { show, turned } from '../figures.mjs';
import { beginBacklog, copySlot, dropSlot, load, settle, truth, withServer, writeSentinel } from '../server.mjs';

// With payloads of 20 KB a million events are 22 GB of WAL.
const LARGE = 20_000;

async function round(cluster, names, plugin, sentinel, number) {
  const results = {};
  for (const name of turned(names, number)) {
    const slot = `bench_${name}`;
    const reads = !ASKS_THE_TABLE.has(name);
    if (reads) await copySlot(cluster, plugin, slot);
    results[name] = await CLIENTS[name](cluster, { plugin, slot, sentinel });
    if (reads) await dropSlot(cluster, slot);
  }
  return results;
}

/** Throws unless every client counted what is in the table. */
function judge(results, plugin, expected) {
  for (const [name, { rows, duplicates }] of Object.entries(results)) {
    const wantedRows = ASKS_THE_TABLE.has(name) ? expected.wal2json : expected[plugin];
    if (rows !== undefined && rows !== wantedRows) throw new Error(`${name} saw ${rows} rows by ${plugin}, the table has ${wantedRows}`);
    if (duplicates !== undefined && duplicates !== expected.duplicates) throw new Error(`${name} found ${duplicates} duplicates, the table has ${expected.duplicates}`);
  }
}

/** Every cell: plugin, payload and transaction size; each has its rounds. */
export async function drain({ plugins, payloads, transactions, clients, pairs, events }) {
  const names = clients.flatMap((name) => (name === 'polling' ? ['polling', 'incremental'] : [name]));
  const cells = [];
  await withServer(async (cluster) => {
    for (const payload of payloads) {
      for (const perTransaction of transactions) {
        await beginBacklog(cluster);
        const wanted = payload >= LARGE ? Math.ceil(events / 5) : events;
        await load(cluster, { events: wanted, payload, 'per-transaction': perTransaction });
        const sentinel = await writeSentinel(cluster);
        await cluster.sql.query('ANALYZE');
        await settle(cluster);
        const expected = await truth(cluster);
        for (const plugin of plugins) {
          const cell = { plugin, payload, perTransaction, events: expected.wal2json, duplicates: expected.duplicates, rounds: [] };
          for (let number = 0; number < pairs; number += 1) {
            const results = await round(cluster, names, plugin, sentinel, number);
            judge(results, plugin, expected);
            cell.rounds.push(results);
            process.stderr.write(`drain: ${plugin}, ${payload} B, ${perTransaction} a transaction, round ${number + 1} of ${pairs}: ${Object.entries(results).map(([name, { seconds }]) => `${name} ${(expected.wal2json / seconds).toFixed(0)}/s`).join(', ')}\n`);
          }
          cells.push(cell);
        }
        await dropSlot(cluster);
        await settle(cluster);
      }
    }
  }, { plugins });
  return { cells, render: (all) => ({ tables: tables(all), plots: plots(all) }) };
}

const rate = (cell, name) => cell.rounds.map((results) => cell.events / results[name].seconds);
const each = (cell, name, key) => cell.rounds.map((results) => 1e6 * results[name][key] / cell.events);
const against = (cell, name, value) => cell.rounds.map((results) => value(results[name]) / value(results.floor));
const size = (bytes) => (bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KB`);
const label = ({ plugin, payload, perTransaction, events }) => `${plugin}, ${size(payload)}, ${perTransaction} a transaction, ${events}`;

function tables(cells) {
  const lines = ['| plugin | payload | events a transaction | events | client | events/s | rate to floor | CPU us an event | CPU to floor | walsender us an event | RSS MiB | bytes an event |', '|---|---|---|---|---|---|---|---|---|---|---|---|'];
  for (const cell of cells) {
    for (const name of Object.keys(cell.rounds[0])) {
      const ratio = (value) => (name === 'floor' || !cell.rounds[0].floor ? ['1'] : [show(against(cell, name, value))]);
      const asks = ASKS_THE_TABLE.has(name);
      lines.push(`| ${[cell.plugin, size(cell.payload), cell.perTransaction, cell.events, name, show(rate(cell, name), 0), ratio(({ seconds }) => 1 / seconds),
        asks ? '-' : show(each(cell, name, 'client')), asks ? '-' : ratio(({ client }) => client), show(each(cell, name, 'walsender')),
        show(cell.rounds.map((results) => results[name].rss_mib), 0), show(each(cell, name, 'bytes').map((value) => value / 1e6), 0)].join(' | ')} |`);
    }
  }
  return [{ title: 'Drain of a backlog', lines }, ...nodeTable(cells), ...pluginTable(cells)];
}

/** How many times dupwatch's processor time the Node consumer takes. */
function nodeTable(cells) {
  const both = cells.filter(({ rounds: [results] }) => results.node && results.dupwatch);
  if (both.length === 0) return [];
  const lines = both.map((cell) => `| ${[cell.plugin, size(cell.payload), cell.perTransaction, cell.events, show(cell.rounds.map(({ node, dupwatch }) => node.client / dupwatch.client), 1)].join(' | ')} |`);
  return [{ title: "Processor time of the Node consumer to dupwatch's", lines: ['| plugin | payload | events a transaction | events | CPU, node to dupwatch |', '|---|---|---|---|---|', ...lines] }];
}

/** pgoutput with the publication's filter against wal2json, of one payload: rate and bytes. */
function pluginTable(cells) {
  const pairs = cells.filter(({ plugin }) => plugin === 'wal2json').map((wal2json) => [wal2json, cells.find((cell) => cell.plugin === 'pgoutput' && cell.payload === wal2json.payload && cell.perTransaction === wal2json.perTransaction && cell.events === wal2json.events)]).filter(([, pgoutput]) => pgoutput);
  if (pairs.length === 0) return [];
  const lines = ['| payload | events a transaction | client | events/s, pgoutput to wal2json | bytes, wal2json to pgoutput |', '|---|---|---|---|---|'];
  for (const [wal2json, pgoutput] of pairs) {
    for (const name of ['floor', 'dupwatch'].filter((client) => wal2json.rounds[0][client])) {
      const quotient = (key) => show(wal2json.rounds.slice(0, pgoutput.rounds.length).map((results, i) => results[name][key] / pgoutput.rounds[i][name][key]), 1);
      lines.push(`| ${size(wal2json.payload)} | ${wal2json.perTransaction} | ${name} | ${quotient('seconds')} | ${quotient('bytes')} |`);
    }
  }
  return [{ title: 'pgoutput with the filter and the column list of `dupwatch setup` against wal2json', lines }];
}

function plots(cells) {
  return [{
    file: 'drain.svg', title: 'Events per second, median and spread', unit: 'events/s',
    groups: cells.map((cell) => ({ label: label(cell), bars: Object.keys(cell.rounds[0]).filter((name) => !ASKS_THE_TABLE.has(name)).map((name) => ({ name, values: rate(cell, name) })) })),
  }];
}
