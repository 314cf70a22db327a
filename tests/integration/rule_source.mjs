// The rules as daemon/core/rule.cpp has them: a table of data, read as text.
import fs from 'node:fs';

const source = fs.readFileSync(new URL('../../daemon/core/rule.cpp', import.meta.url), 'utf8');
const snake = (name) => name.replace(/[A-Z]/g, (letter, at) => (at ? '_' : '') + letter.toLowerCase());
const SEVERITY = { kF: 'fatal', kC: 'conflict', kH: 'harmless', kU: 'unknown' };

/** How the pages name a Shape. */
export const LABELS = {
  Plain: 'always',
  NoClosing: 'of a type that nothing closes',
  BeforeClose: 'before the closing event, or there is none',
  AfterClose: 'behind the closing event, one of its class before it',
  FirstAfterClose: 'behind the closing event, none of its class before it',
  SameType: 'of the same type',
  OtherType: 'of another type',
  Reseeds: 'run_started',
  NoSlot: 'no id of the run is a slot number',
};

/** A part of the file without comments, adjacent string literals joined. */
function part(from, to) {
  const text = source.slice(source.indexOf(from), source.indexOf(to, source.indexOf(from)));
  return text.replace(/^ *\/\/.*$/gm, '').replace(/"\s+"/g, '');
}

/** [{rule, shape, severities: [v4, v5-before-class-skip, v5], reason}] */
export function ruleCases() {
  return [...part('kCases =', '});').matchAll(/\{Rule::k(\w+),\s*Shape::k(\w+),\s*\{(k\w), (k\w), (k\w)\},\s*"([^"]*)"\}/g)]
    .map(([, rule, shape, ...rest]) => ({ rule: snake(rule), shape, severities: rest.slice(0, 3).map((name) => SEVERITY[name]), reason: rest[3] }));
}

/** {rule: {confidence, sentence, versions}} */
export function ruleInfos() {
  return Object.fromEntries([...part('kInfos{{', '}};').matchAll(/\{Rule::k(\w+),\s*Confidence::k(\w+),\s*"([^"]*)",\s*"([^"]*)"\}/g)]
    .map(([, rule, confidence, sentence, versions]) => [snake(rule), { confidence: confidence.toLowerCase(), sentence, versions }]));
}
