// The documents as their code blocks and inline code, with the lines they stand on.
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** The pages of the guide in the order in which they are read, which is the order of the README's list. */
export const pages = [...fs.readFileSync(`${root}README.md`, 'utf8').matchAll(/^- \[[^\]]+\]\((config\/guide\/[a-z-]+\.md)\)/gm)].map(([, page]) => page);
export const documents = ['README.md', ...pages];

/** The code blocks of a document: {at: "file:line", line (of the first line inside), language, mark, body}. */
export function blocksOf(file) {
  const blocks = [];
  let open;
  fs.readFileSync(root + file, 'utf8').split('\n').forEach((text, index) => {
    const [, indent, info] = /^( *)```(.*)$/.exec(text) ?? [];
    if (info === undefined) {
      open?.lines.push(text);
    } else if (open) {
      blocks.push({ ...open, body: open.lines.map((line) => `${line}\n`).join('') });
      open = undefined;
    } else {
      const [language, ...mark] = info.trim().split(' ');
      open = { file, line: index + 2, at: `${file}:${index + 2}`, language, mark: mark.join(' '), indent, lines: [] };
    }
  });
  if (open) throw new Error(`${open.at}: a code block without an end`);
  return blocks;
}

/** What stands between `...` outside of the code blocks: [{at, code}]. */
export function inlineCode(file) {
  let inside = false;
  return fs.readFileSync(root + file, 'utf8').split('\n').flatMap((text, index) => {
    if (/^ *```/.test(text)) inside = !inside;
    else if (!inside) return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => ({ at: `${file}:${index + 1}`, code }));
    return [];
  });
}

/**
 * Whether the output is the text, where … stands for anything within a line, and a line of … alone for any number of
 * lines. Returns the first line that differs, or undefined.
 */
export function difference(expected, actual) {
  const [want, got] = [expected, actual].map((text) => text.split('\n').map((line) => line.trimEnd()).join('\n').trim().split('\n'));
  const pattern = (line) => new RegExp(`^${line.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);
  let reached = 0;
  const match = (i, j) => {
    reached = Math.max(reached, i);
    if (i === want.length) return j === got.length;
    if (want[i].trim() === '…') {
      for (let k = j; k <= got.length; k += 1) if (match(i + 1, k)) return true;
      return false;
    }
    return j < got.length && pattern(want[i]).test(got[j]) && match(i + 1, j + 1);
  };
  return match(0, 0) ? undefined : { line: reached, expected: want[reached] ?? '(the end)' };
}
