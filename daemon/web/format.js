// How text, numbers and times are written. Everything that comes from the database goes into the page as text: textContent and
// attributes, never markup.

export const $ = (id) => document.getElementById(id);

// As dupwatch explain writes them: controls, direction marks and what nobody can see.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;
const hex = (code, digits) => code.toString(16).padStart(digits, "0");
export const legible = (text) => text.replace(HIDDEN, (mark) => (mark < "\u0080" ? `\\x${hex(mark.charCodeAt(0), 2)}` : `\\u${hex(mark.codePointAt(0), 4)}`));

export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (typeof child === "string" ? legible(child) : child)));
  return made;
}

/** A link within the page. */
export function anchor(href, className, ...children) {
  const made = element("a", className, ...children);
  made.href = href;
  return made;
}

/** A value of a row; isolated, so that right-to-left text leaves its surroundings alone. */
export const quoted = (value) => element("bdi", "mono", value === null ? "NULL" : String(value));

export const identity = (value) => (Array.isArray(value) ? value : [value]).map((part) => part ?? "NULL").join(", ");

export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${count.toFixed(unit === 0 || count >= 100 ? 0 : 1)} ${units[unit]}`;
}

export const seconds = (count) => (count < 0.05 ? "0 s" : `${count.toFixed(1)} s`);
export const number = (value) => value.toLocaleString("en");
export const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
export const utc = (iso) => (iso ? `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC` : "unknown");
/** The time alone on the day it is of. */
export const clock = (iso) => (iso.slice(0, 10) === new Date().toISOString().slice(0, 10) ? `${iso.slice(11, 19)} UTC` : utc(iso));
export const words = (name) => name.replaceAll("_", " ");
export const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}. ` : "");

export function duration(ms) {
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  if (ms < 120000) return `${(ms / 1000).toFixed(ms < 10000 ? 1 : 0)} s`;
  return ms < 7200000 ? `${Math.round(ms / 60000)} min` : `${Math.round(ms / 3600000)} h`;
}

/** Writes only what has changed, so that a screen reader is not made to repeat it. */
export function set(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

/** Makes `nodes` the children of `parent`; those that are in place are not touched. */
export function arrange(parent, nodes) {
  nodes.forEach((node, at) => {
    if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null);
  });
  while (parent.children.length > nodes.length) parent.lastElementChild.remove();
}

/** What the daemon answers as JSON; an Error with its `status` and the daemon's own sentence otherwise. */
export async function get(path, signal) {
  const timeout = AbortSignal.timeout(10000);
  const response = await fetch(path, { cache: "no-store", signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
  if (response.ok) return response.json();
  const text = await response.text();
  throw Object.assign(new Error(text.startsWith("{") ? JSON.parse(text).error : text), { status: response.status });
}
