// The rules as daemon/core/rule.cpp and rule_text.cpp have them: tables of data, read as text.
import fs from 'node:fs';

const read = (name) => fs.readFileSync(new URL(`../../daemon/core/${name}`, import.meta.url), 'utf8');
const table = read('rule.cpp');
const texts = read('rule_text.cpp');
const snake = (name) => name.replace(/[A-Z]/g, (letter, at) => (at ? '_' : '') + letter.toLowerCase());
const SEVERITY = { kF: 'fatal', kC: 'conflict', kH: 'harmless', kU: 'unknown' };

/** v4, v5-before-class-skip and v5 have a column on a page; the two others differ in what its text says. */
const PAGE_COLUMNS = [0, 1, 3];

/** How the pages name a Shape. */
export const LABELS = {
  Plain: 'always',
  NoClosing: 'of a type that nothing closes',
  BeforeClose: 'before the closing event, or there is none',
  AfterClose: 'after the closing event, one of its class before it',
  FirstAfterClose: 'after the closing event, none of its class before it',
  SameType: 'of the same type',
  OtherType: 'of another type',
  Reseeds: 'run_started',
  NoSlot: 'no id of the run is a slot number',
  TwoSeeds: 'correlation ids of two times',
  TakenTwice: 'has the values of another row (`unique`)',
  SecondEnding: 'ends what had ended (`one_ending`)',
  AfterEnding: 'comes after the ending (`nothing_after`)',
  AfterClosing: 'comes after what closed it (`after_closing`)',
  Contradiction: 'has beside it what it excludes (`conflict`)',
  NotOpened: 'has nothing before it that opens it (`opener`)',
  Hole: 'has no number before its own (`dense`)',
  OutOfOrder: 'commits after a greater id (`increasing`)',
};

/** A part of a file without comments, adjacent string literals joined. */
function part(source, from, to) {
  const text = source.slice(source.indexOf(from), source.indexOf(to, source.indexOf(from)));
  return text.replace(/^ *\/\/.*$/gm, '').replace(/"\s+"/g, '');
}

/** [{rule, shape, severities: [v4, v5-before-class-skip, v5], reason}] of what the rules judge */
export function ruleCases() {
  const reasons = new Map([...part(texts, 'kReasons =', '});').matchAll(/\{Rule::k(\w+),\s*Shape::k(\w+),\s*"([^"]*)"\}/g)]
    .map(([, rule, shape, reason]) => [`${rule} ${shape}`, reason]));
  return [...part(table, 'kCases =', '});').matchAll(/\{Rule::k(\w+),\s*Shape::k(\w+),\s*\{([^}]*)\},\s*Removal::k\w+\}/g)]
    .filter(([, , shape]) => shape !== 'Indexed')
    .map(([, rule, shape, severities]) => ({ rule: snake(rule), shape, severities: severities.split(/,\s*/).filter((_, column) => PAGE_COLUMNS.includes(column)).map((name) => SEVERITY[name]), reason: reasons.get(`${rule} ${shape}`) }));
}

/** {rule: {confidence, sentence, versions}} */
export function ruleInfos() {
  return Object.fromEntries([...part(texts, 'kInfos{{', '}};').matchAll(/\{Rule::k(\w+),\s*Confidence::k(\w+),\s*"([^"]*)",\s*"([^"]*)"\}/g)]
    .map(([, rule, confidence, sentence, versions]) => [snake(rule), { confidence: confidence.toLowerCase(), sentence, versions }]));
}
