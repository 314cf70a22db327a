// Random rows for a random profile, written by several sessions at once: transactions that roll back, wait, retry and prepare, savepoints,
// rows of many in one statement, COPY, ids that commit out of order.
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifier, literal } from '../postgres/client.mjs';
import { allColumns, Dice, qualified } from './profile_draws.mjs';

const SESSIONS = 4;
// Ids of the rows that were there first; smaller ones come late.
const FIRST_ID = 300;
const copied = (value) => (value === null ? '\\N' : value.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n'));

export class ProfileLoad {
  /** slow: some transactions take seven seconds. */
  constructor(cluster, world, { slow = false } = {}) {
    Object.assign(this, { cluster, world, slow, columns: allColumns(world), ids: FIRST_ID, spare: Array.from({ length: FIRST_ID }, (_, n) => n), numbers: new Map(), files: 0 });
    this.dice = new Dice(world.seed + 1);
    const { scope, run } = world.columns;
    const runs = Array.from({ length: 40 }, () => [...scope, run].map(({ values }) => this.dice.pick(values)));
    this.runs = [...new Map(runs.map((values) => [JSON.stringify(values), values])).values()];
    this.hot = this.runs.slice(0, 6);
    this.target = `${qualified(world)} (${this.columns.map(({ name }) => identifier(name)).join(', ')})`;
  }

  /** The next id; now and then one that is smaller than most, and now and then one is left for later. */
  nextId() {
    const { dice } = this;
    if (dice.chance(0.15)) return this.spare.splice(dice.below(this.spare.length), 1)[0];
    if (dice.chance(0.15)) {
      this.spare.push(this.ids);
      this.ids += 1;
    }
    this.ids += 1;
    return this.ids - 1;
  }

  /** A number that is the next of its run for the most part. */
  nextNumber(run) {
    const key = JSON.stringify(run);
    const last = this.numbers.get(key) ?? -1;
    const next = last + this.dice.pick([1, 1, 1, 1, 1, 2, 0, -1]);
    this.numbers.set(key, Math.max(last, next));
    return `${next}`;
  }

  /** A row as {n, values in the order of the columns}. */
  row(runs = this.dice.chance(0.8) ? this.hot : this.runs) {
    const { scope, run, id, type, entities, number } = this.world.columns;
    const { dice } = this;
    const values = dice.pick(runs);
    const n = this.nextId();
    const of = new Map([...scope, run].map(({ name }, at) => [name, values[at]]));
    of.set(id.name, id.value(n));
    if (type) of.set(type.name, type.values[Math.min(dice.below(type.values.length), dice.below(type.values.length + 2))]);
    for (const each of entities) of.set(each.name, dice.pick(each.values));
    if (number) of.set(number.name, this.nextNumber(values));
    for (const { name, nullable } of this.columns) {
      const often = entities.some((each) => each.name === name) || name === number?.name ? 0.2 : 0.04;
      if (nullable && dice.chance(often)) of.set(name, null);
    }
    return { n, values: this.columns.map(({ name }) => of.get(name)) };
  }

  /** A whole row of each type in the run. */
  ofEveryType(run) {
    const { type } = this.world.columns;
    const at = this.columns.indexOf(type);
    return (type?.values ?? ['']).map((name) => {
      let row = this.row([run]);
      while (row.values.includes(null)) row = this.row([run]);
      if (type) row.values[at] = name;
      return row;
    });
  }

  rows(count, runs) {
    return Array.from({ length: count }, () => this.row(runs));
  }

  async insert(client, rows) {
    const lines = rows.map(({ values }) => `(${values.map((value) => (value === null ? 'NULL' : literal(value))).join(', ')})`);
    await client.query(`INSERT INTO ${this.target} VALUES ${lines.join(', ')}`);
  }

  async copy(client, rows) {
    this.files += 1;
    const file = path.join(this.cluster.dir, `rows-${this.world.seed}-${this.files}`);
    fs.writeFileSync(file, rows.map(({ values }) => `${values.map(copied).join('\t')}\n`).join(''), { mode: 0o644 });
    await client.query(`COPY ${this.target} FROM ${literal(file)}`);
  }

  giveBack(rows) {
    this.spare.push(...rows.map(({ n }) => n));
  }

  /** Within a transaction and between two. A slow one keeps what others need for longer than they are given. */
  pause() {
    if (this.slow && this.dice.chance(0.01)) return sleep(7000);
    return sleep(this.dice.below(4) ? this.dice.below(15) : this.dice.below(120));
  }

  async transaction(client) {
    const { dice } = this;
    const rows = this.rows(1 + dice.below(4));
    const more = this.rows(1 + dice.below(3));
    await client.query('BEGIN');
    await this.insert(client, rows);
    await this.pause();
    switch (dice.below(6)) {
      case 0: // A part is taken back.
        await client.query('SAVEPOINT a');
        await this.insert(client, more);
        await client.query('ROLLBACK TO a');
        this.giveBack(more);
        await this.insert(client, this.rows(1));
        break;
      case 1: // Savepoints in one another.
        await client.query('SAVEPOINT a; SAVEPOINT b');
        await this.insert(client, more);
        await client.query('RELEASE b; RELEASE a');
        break;
      case 2: // All of it, and once more.
        await client.query('ROLLBACK; BEGIN');
        await this.insert(client, rows);
        this.giveBack(more);
        break;
      case 3: // What is there already is refused.
        await client.query('SAVEPOINT a');
        await this.insert(client, [...more, rows[0]]).then(() => {}, () => client.query('ROLLBACK TO a'));
        break;
      default:
        await this.insert(client, more);
    }
    await this.pause();
    if (!dice.chance(0.15)) {
      await client.query(dice.chance(0.9) ? 'COMMIT' : 'ROLLBACK');
      return;
    }
    this.files += 1;
    const name = literal(`${this.world.seed}-${this.files}`);
    await client.query(`PREPARE TRANSACTION ${name}`);
    await this.pause();
    await client.query(`COMMIT PREPARED ${name}`);
  }

  async act(client) {
    const { dice } = this;
    const what = dice.below(10);
    if (what < 4) await this.insert(client, this.rows(1 + dice.below(3)));
    else if (what < 5) await this.copy(client, this.rows(2 + dice.below(8)));
    else if (what < 6) await client.query(`UPDATE ${qualified(this.world)} SET payload = 'changed' WHERE wtx = (SELECT max(wtx) FROM ${qualified(this.world)})`);
    else await this.transaction(client);
  }

  /** Writes for that long. */
  async run(ms) {
    const until = Date.now() + ms;
    await Promise.all(Array.from({ length: SESSIONS }, async () => {
      const client = await this.cluster.client();
      try {
        while (Date.now() < until) {
          await this.act(client);
          await this.pause();
        }
      } finally {
        await client.end();
      }
    }));
  }
}
