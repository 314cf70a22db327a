// Seeded randomness and the two id schemes of the event log: ULIDs (4.x) and dense slots (5.x).

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A small seeded generator (sfc32): the same seed gives the same logs on every machine. */
export class Random {
  constructor(seed) {
    let hash = 0x811c9dc5;
    const word = () => {
      hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
      return (hash ^= hash >>> 13) >>> 0;
    };
    for (const char of String(seed)) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
    this.state = [word(), word(), word(), 1];
    for (let i = 0; i < 15; i += 1) this.uint32();
  }

  uint32() {
    let [a, b, c, d] = this.state;
    const t = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t | 0;
    this.state = [a, b, c, d];
    return t >>> 0;
  }

  /** An integer in [0, below). */
  int(below) {
    return Math.floor((this.uint32() / 0x1_0000_0000) * below);
  }

  /** An integer in [from, to]. */
  between(from, to) {
    return from + this.int(to - from + 1);
  }

  chance(probability) {
    return this.uint32() / 0x1_0000_0000 < probability;
  }

  pick(list) {
    return list[this.int(list.length)];
  }

  /** An independent generator, so that one consumer's number of draws does not move another's results. */
  fork(label) {
    return new Random(`${label}:${this.uint32()}`);
  }
}

/** 26 characters: 48 bits of time, 80 random bits. */
export function ulid(ms, random) {
  let time = '';
  for (let rest = ms, i = 0; i < 10; i += 1, rest = Math.floor(rest / 32)) time = ALPHABET[rest % 32] + time;
  let body = '';
  for (let i = 0; i < 16; i += 1) body += ALPHABET[random.int(32)];
  return time + body;
}

/** The 80 random bits of a ULID as a number; monotonic draws of one sequence differ by 1. */
export function ulidRandomness(text) {
  let value = 0n;
  for (const char of text.slice(10)) value = value * 32n + BigInt(ALPHABET.indexOf(char));
  return value;
}

/** The last 16 characters of a ULID with these 80 random bits. */
export function encodeRandomness(value) {
  let body = '';
  for (let rest = value, i = 0; i < 16; i += 1, rest /= 32n) body = ALPHABET[Number(rest % 32n)] + body;
  return body;
}

/** A slot-numbered event id, as 5.x mints it. */
export const slotId = (slot) => `evnt_${String(slot).padStart(26, '0')}`;

/** A 4.x event id. */
export const ulidEventId = (ms, random) => `wevt_${ulid(ms, random)}`;
