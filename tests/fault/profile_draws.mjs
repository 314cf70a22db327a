// Random profiles with rules, random tables for them and random rows, all from one seed: what config/guide/profiles.md lets a user say.
import { identifier, literal } from '../postgres/client.mjs';
import { draws } from './changes.mjs';

const hex = (number, width) => number.toString(16).padStart(width, '0');
const two = (number) => String(number).padStart(2, '0');
const day = (n) => `${1990 + (n % 60)}-${two(1 + (Math.floor(n / 60) % 12))}-${two(1 + (Math.floor(n / 720) % 28))}`;
const clock = (n) => `${two(n % 24)}:${two(n % 60)}:00.${String(n).padStart(6, '0')}`;
// The same multiple of 7919 for every n, and never the order of n.
const mixed = (n) => (n * 7919) % 999_983;

/** Texts that somebody will quote, split or fold. */
const TEXTS = ['plain', 'Größe 9', "it's", 'a "b"', 'back\\slash', '100%', 'a/b', '%2F', '{x,y}', '日本', 'tab\there', 'line\nbreak', ' led', 'trail ', '', '😀', '$1', 'NULL', '\\N', 'é', 'e\u0301', '-1', '0', 'true', `${'long '.repeat(700)}1`, `${'long '.repeat(700)}2`];
const NAMES = ['order', 'select', 'Größe', 'a b', "it's", 'dot.ted', 'back\\slash', 'UPPER', '日本', '$1', 'per%cent', 'a,b', '#x', '- y', 'null', 'true', '17', '*', 'x: y', 'say "hi"', 'user', '{z}', 'end ', '~'];

/** Types of ids: the n-th of them, no two alike. Those with `number` are ordered as numbers, the others by the bytes of their text. */
export const IDS = {
  smallint: { number: true, value: (n) => `${n - 300}` },
  integer: { number: true, value: (n) => `${(n - 300) * 37}` },
  bigint: { number: true, value: (n) => `${BigInt(n - 300) * 900_000_000_000_001n}` },
  numeric: { number: true, value: (n) => `${n - 300}${['', '.0', '.00', '.5'][n % 4]}` },
  'numeric(60,20)': { number: true, value: (n) => `${(n - 300) * n}${'0'.repeat(n % 20)}.${n}` },
  'numeric(30)': { number: true, value: (n) => `-5${String(mixed(n)).padStart(25, '0')}` },
  real: { number: true, value: (n) => `${n - 300}.5` },
  'double precision': { number: true, value: (n) => `${n - 300}e${(n % 7) * 40 - 120}` },
  oid: { number: true, value: (n) => `${n * 400_000}` },
  text: { value: (n) => (n === 7 ? '' : `${TEXTS[n % 7]}${n}`) },
  'text COLLATE "en-x-icu"': { value: (n) => `${['a', 'B', '_', 'é', 'Z', '-'][n % 6]}${n}` },
  'varchar(90)': { value: (n) => `${n}${'x'.repeat(n % 80)}` },
  name: { value: (n) => `id_${n}` },
  'char(9)': { value: (n) => `${n}` },
  uuid: { value: (n) => `${hex(mixed(n), 8)}-0000-4000-8000-${hex(n, 12)}` },
  date: { value: day },
  timestamp: { value: (n) => `2026-01-01 ${clock(n)}` },
  timestamptz: { value: (n) => `2026-10-25 ${clock(n)}+00` },
  bytea: { value: (n) => `\\x${hex(mixed(n), 6)}` },
  inet: { value: (n) => `10.${n % 256}.${Math.floor(n / 256)}.1` },
  time: { value: clock },
  bit: { sql: 'bit(20)', value: (n) => n.toString(2).padStart(20, '0') },
};

/** Types of the columns that rules name, with a few values of each. */
export const VALUES = {
  text: TEXTS, 'varchar(12)': [...new Set(TEXTS.map((text) => text.slice(0, 12)))], 'char(6)': ['a', 'b', ' c', 'd d', 'ééé'],
  'text COLLATE "en-x-icu"': ['a', 'A', 'á', 'b'], smallint: ['-1', '0', '1', '2'], integer: ['-7', '0', '70000', '3'], bigint: ['9223372036854775807', '0', '-5', '4'],
  numeric: ['1', '1.0', '-0.50', '1e30', '0'], real: ['0.1', '1e20', '-3', '1e-7'], 'double precision': ['0.1', '1e300', '-3', '123456789012'],
  boolean: ['true', 'false'], uuid: [1, 2, 3, 4].map((n) => `00000000-0000-4000-8000-${hex(n, 12)}`), date: ['2026-01-01', '0044-03-15 BC', '2026-02-01', 'infinity'],
  timestamp: ['2026-01-01 00:00:00.5', '2026-01-01 00:00:00', '-infinity'], timestamptz: ['2026-10-25 01:30:00+02', '2026-10-25 01:30:00+01', '1890-01-01 00:00:00+00'],
  inet: ['10.0.0.1', '10.0.0.0/8', '::1'], cidr: ['10.0.0.0/8', '10.0.0.1/32'], macaddr: ['08:00:2b:01:02:03', '08:00:2b:01:02:04'], interval: ['1 day', '24:00:00', '1 mon -3 days', '-00:00:01.5'],
  jsonb: ['{"a": 1, "b": "x\\"y"}', '[1, 2]', 'null', '"t"'], bytea: ['\\x00ff', '\\x', '\\x5c78'], 'text[]': ['{a,NULL,"b c"}', '{}', '{"q\\"q"}'], 'integer[]': ['{1,2}', '{{1},{2}}'],
  '"char"': ['a', 'b', ''], 'bit(3)': ['101', '010'], timetz: ['10:00:00+02', '08:00:00+00'], int4range: ['[1,3)', 'empty', '(,4]'], money: ['12.50', '-1', '0'], oid: ['1', '4294967295'],
};

const TYPE_NAMES = ['added', "it's sent", 'Zoë', 'a,b', 'closed', '%x', 'NULL', 're\\opened', 'x"y', '日本'];
/** Types of the type column, with the names of its types. */
const TYPES = { text: TYPE_NAMES, 'varchar(20)': TYPE_NAMES, name: TYPE_NAMES, enum: TYPE_NAMES, integer: ['1', '2', '30', '-4', '0'] };

const RUNS = { text: TEXTS.filter((text) => text.length < 100), 'varchar(12)': ['r1', 'R1', 'r 1', 'r/1', 'r%2F1'], uuid: VALUES.uuid, integer: ['1', '-2', '300'], bigint: ['1', '9223372036854775807', '-2'], smallint: ['1', '2', '3'], 'char(6)': ['a', 'bb', 'c c'], numeric: ['1', '2.50', '1e25'], date: ['2026-01-01', '2026-01-02'], bytea: ['\\x00', '\\xff01'] };
const SCOPES = { text: ['acme', 'a/b', '100%', '%2F', "o'x", '日本'], 'varchar(9)': ['acme', 'ACME', 'a c'], uuid: VALUES.uuid.slice(0, 2), smallint: ['1', '-2'], integer: ['7', '70000'], bigint: ['1', '9223372036854775807'], enum: ['north', 'south/west'] };

/** A dice with the draws that are wanted here. */
export class Dice {
  constructor(seed) {
    this.below = draws(seed);
  }

  chance(part) {
    return this.below(10_000) < part * 10_000;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  some(list, count) {
    const rest = [...list];
    return Array.from({ length: Math.min(count, rest.length) }, () => rest.splice(this.below(rest.length), 1)[0]);
  }
}

const KINDS = ['unique', 'one_ending', 'nothing_after', 'after_closing', 'conflict', 'opener', 'dense', 'increasing'];

function drawRule(dice, kind, world) {
  const { columns, types } = world;
  const someTypes = (most) => dice.some(types, 1 + dice.below(most));
  const severity = dice.pick([undefined, 'fatal', 'conflict', 'harmless', 'unknown']);
  const entity = dice.chance(0.7) && columns.length ? dice.some(columns, 1 + dice.below(2)) : undefined;
  const nulls = entity && dice.chance(0.3) ? 'equal' : undefined;
  const of = (rule) => Object.fromEntries(Object.entries({ ...rule, severity }).filter(([, value]) => value !== undefined));
  // A type that ends, closes or opens is no type that the rule is about.
  const onlyBeside = (first) => (types.length && dice.chance(0.5) ? dice.some(types.filter((type) => !first.includes(type)), 1 + dice.below(3)) : undefined);
  const first = someTypes(2);
  switch (kind) {
    case 'unique': {
      const named = dice.some([...columns, ...(world.type ? [world.type] : []), ...(dice.chance(0.1) ? [world.id] : [])], 1 + dice.below(3));
      return named.length ? of({ unique: named, types: onlyBeside([]), nulls: dice.chance(0.3) ? 'equal' : undefined }) : undefined;
    }
    case 'one_ending': return of({ one_ending: first, columns: entity, nulls });
    case 'nothing_after': return of({ nothing_after: first, types: onlyBeside(first) });
    case 'after_closing': return of({ after_closing: first, types: onlyBeside(first), columns: entity, nulls });
    case 'conflict': return of({ conflict: dice.some(types, 2), columns: entity, nulls });
    case 'opener': return of({ opener: first, types: dice.some(types.filter((type) => !first.includes(type)), 2), columns: entity, nulls });
    case 'dense': return world.number ? of({ dense: world.number, from: dice.chance(0.5) ? dice.below(4) : undefined, types: onlyBeside([]) }) : undefined;
    default: return of({ increasing: true, types: onlyBeside([]) });
  }
}

/** A type of the database, which an enum has to be made first. */
function column(dice, name, from, nullable) {
  const sql = dice.pick(Object.keys(from));
  return { name, sql, values: from[sql], nullable };
}

/**
 * A world: {schema, table, partitioned, forced (rules.profile_rule), columns: {scope, run, id, type, entities, number}, rules}, drawn from the seed.
 * Every column is {name, sql, values or value(n), nullable}.
 */
export function drawWorld(seed) {
  const dice = new Dice(seed);
  const names = dice.some(NAMES, NAMES.length).map((name) => (dice.chance(0.5) ? name : `c${dice.below(100)}_${name}`));
  const next = () => names.pop();
  const table = next();
  const scope = Array.from({ length: dice.pick([0, 0, 1, 1, 2, 3]) }, () => column(dice, next(), SCOPES, dice.chance(0.2)));
  const run = column(dice, next(), RUNS, dice.chance(0.3));
  const idType = dice.pick(Object.keys(IDS));
  const id = { name: next(), sql: IDS[idType].sql ?? idType, ...IDS[idType], nullable: dice.chance(0.2) };
  const type = dice.chance(0.8) ? column(dice, next(), TYPES, dice.chance(0.2)) : undefined;
  const entities = Array.from({ length: dice.below(4) }, () => column(dice, next(), VALUES, dice.chance(0.7)));
  const number = dice.chance(0.6) ? { name: next(), sql: dice.pick(['smallint', 'integer', 'bigint']), nullable: true } : undefined;
  for (const each of entities) each.values = dice.some(each.values, 2 + dice.below(4));
  const types = type ? dice.some(type.values, 5) : [];
  if (type) type.values = types;
  const drawn = { columns: entities.map(({ name }) => name), types, type: type?.name, id: id.name, number: number?.name };
  const rules = {};
  const kinds = type ? KINDS : ['unique', 'dense', 'increasing'];
  const wanted = 1 + dice.below(dice.chance(0.2) ? 12 : 5);
  for (let tries = 0; tries < 60 && Object.keys(rules).length < wanted; tries += 1) {
    const kind = dice.pick(kinds);
    const rule = drawRule(dice, kind, drawn);
    if (rule) rules[`${kind}_${Object.keys(rules).length + 1}`] = rule;
  }
  if (Object.keys(rules).length === 0) rules.increasing_1 = { increasing: true };
  const forced = dice.chance(0.15) ? dice.pick(['off', 'fatal', 'conflict', 'harmless', 'unknown']) : 'default';
  return { seed, dice, forced, partitioned: dice.chance(0.15), schema: `s ${seed}`, table, columns: { scope, run, id, type, entities, number }, rules };
}

export const allColumns = ({ columns }) => [...columns.scope, columns.run, columns.id, ...[columns.type, ...columns.entities, columns.number].filter(Boolean)];
export const qualified = (world) => `${identifier(world.schema)}.${identifier(world.table)}`;

/** SQL that makes the table, with columns that no rule names among the others. */
export function tableSql(world) {
  const enums = [];
  const lines = allColumns(world).map((each, at) => {
    let { sql } = each;
    if (sql === 'enum') {
      sql = `${identifier(world.schema)}.${identifier(`kind ${at}`)}`;
      enums.push(`CREATE TYPE ${sql} AS ENUM (${each.values.map(literal).join(', ')})`);
    }
    return `${identifier(each.name)} ${sql}${each.nullable ? '' : ' NOT NULL'}`;
  });
  const order = world.dice.some([...lines, 'wtx bigint DEFAULT pg_current_xact_id()::text::bigint', 'gone integer', 'payload text DEFAULT repeat(\'p\', 50)'], lines.length + 3);
  const { scope, run, id } = world.columns;
  const key = [...scope, run, id].map(({ name }) => identifier(name)).join(', ');
  const parts = [0, 1, 2].map((rest) => `CREATE TABLE ${identifier(world.schema)}.part${rest} PARTITION OF ${qualified(world)} FOR VALUES WITH (MODULUS 3, REMAINDER ${rest})`);
  return [`CREATE SCHEMA ${identifier(world.schema)}`, ...enums,
    `CREATE TABLE ${qualified(world)} (${order.join(', ')})${world.partitioned ? ` PARTITION BY HASH (${identifier(run.name)})` : ''}`,
    ...(world.partitioned ? parts : []), `CREATE UNIQUE INDEX ON ${qualified(world)} (${key})`, `ALTER TABLE ${qualified(world)} DROP COLUMN gone`].join(';\n');
}

const part = (name) => (/[."]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);

/** A dollar sign begins a variable in the configuration. */
const dollars = (value) => JSON.parse(JSON.stringify(value).replaceAll('$', '$$$$'));

/** The part `table` of the configuration. */
export function profileOf(world) {
  const { scope, run, id, type } = world.columns;
  return dollars({
    name: `${part(world.schema)}.${part(world.table)}`, scope_columns: scope.map(({ name }) => name), run_column: run.name, id_column: id.name,
    ...(type ? { type_column: type.name } : {}), rules: world.rules,
  });
}
