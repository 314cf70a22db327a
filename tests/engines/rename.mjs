// Gives a log a run of its own. One healthy log is the base of many damaged ones, and the ids in a log are drawn from
// its run's seed, so the engine judges the log under its original ids; afterwards all ids change together, in a way
// that keeps their order, their ordinals and their times.
import { encodeRandomness, ulid, ulidRandomness } from './ids.mjs';

const IDS = /(?:wrun|wevt|step|hook|wait|attr)_[0-9A-HJKMNP-TV-Z]{26}/g;

/** A function from old ids to new ones for one log. */
export function renaming(random) {
  const known = new Map();
  // All correlation ids of a run come from one sequence: a common offset keeps them consecutive.
  const offset = ulidRandomness(ulid(0, random)) >> 1n;
  return (id) => {
    if (!id || id.startsWith('evnt_')) return id;
    if (!known.has(id)) known.set(id, renamed(id, offset, random));
    return known.get(id);
  };
}

function renamed(id, offset, random) {
  const [prefix, body] = id.split('_');
  const time = body.slice(0, 10);
  const own = prefix === 'wrun' || prefix === 'wevt';
  return `${prefix}_${time}${own ? ulid(0, random).slice(10) : encodeRandomness((ulidRandomness(body) + offset) % (1n << 80n))}`;
}

// sleep('1h') of the engine counts from the machine's clock; the same seed should give the same file.
const NOW = /expects "\d{4}-\d\d-\d\dT[\d:.]+Z"/;

/** Replaces the ids that a message names, and takes the machine's time out of it. */
export const renameIn = (text, rename) => text.replaceAll(IDS, rename).replace(NOW, 'expects the time of this replay');
