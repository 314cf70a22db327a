"use strict";
// Everything that comes from the database goes into the page as text: textContent and attributes, never markup.
const $ = (id) => document.getElementById(id);
const KEPT = Number($("findings").dataset.rows);
const known = new Map(); // finding_id -> {finding, item}
let total = 0; // reported since the daemon's start
let stale = null;

// As dupwatch explain writes them: controls, direction marks and what nobody can see.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;
const hex = (code, digits) => code.toString(16).padStart(digits, "0");
const legible = (text) => text.replace(HIDDEN, (mark) => (mark < "\u0080" ? `\\x${hex(mark.charCodeAt(0), 2)}` : `\\u${hex(mark.codePointAt(0), 4)}`));

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (typeof child === "string" ? legible(child) : child)));
  return made;
}

/** A value of a row; isolated, so that right-to-left text leaves its surroundings alone. */
const quoted = (value) => element("bdi", "mono", value === null ? "NULL" : String(value));

const identity = (value) => (Array.isArray(value) ? value : [value]).map((part) => part ?? "NULL").join(", ");

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${count.toFixed(unit === 0 || count >= 100 ? 0 : 1)} ${units[unit]}`;
}

const seconds = (count) => (count < 0.05 ? "0 s" : `${count.toFixed(1)} s`);
const number = (value) => value.toLocaleString("en");
const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
const utc = (iso) => (iso ? `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC` : "unknown");
/** The time alone on the day it is of. */
const clock = (iso) => (iso.slice(0, 10) === new Date().toISOString().slice(0, 10) ? `${iso.slice(11, 19)} UTC` : utc(iso));
const words = (name) => name.replaceAll("_", " ");
/** What a person must act on; the daemon keeps these in the list longer than others. */
const pressing = (finding) => finding.severity === "fatal" && finding.state === "open";
const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}. ` : "");

function duration(ms) {
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  if (ms < 120000) return `${(ms / 1000).toFixed(ms < 10000 ? 1 : 0)} s`;
  return ms < 7200000 ? `${Math.round(ms / 60000)} min` : `${Math.round(ms / 3600000)} h`;
}

function set(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

/** The last part is shown smaller. Said anew only when it changes, so that a screen reader is not made to repeat it. */
function say(level, sentence) {
  const end = sentence.lastIndexOf(". ") + 1 || sentence.length;
  $("verdict").className = `verdict ${level}`;
  set("lead", sentence.slice(0, end));
  set("rest", sentence.slice(end));
}

function showStatus(status) {
  say(status.level, status.verdict);
  $("remedy").hidden = !status.remedy;
  set("remedy", `What to do: ${status.remedy}`);
  document.title = `${status.level === "ok" ? "" : `(${status.level}) `}dupwatch`;
  $("facts").hidden = false;
  set("fatal", number(status.findings_fatal));
  $("fatal").classList.toggle("bad", status.findings_fatal > 0);
  const noted = status.findings_acknowledged ? `, ${number(status.findings_acknowledged)} acknowledged` : "";
  set("open", `of ${plural(status.findings_open, "open finding")}${noted}`);
  set("lag", seconds(status.lag_seconds));
  set("lag-note", `${bytes(status.lag_bytes)} not yet confirmed`);
  set("retained", status.slot_retained_bytes === null ? "unknown" : bytes(status.slot_retained_bytes));
  set("retained-note", [status.slot_wal_status, status.slot_safe_bytes === null ? "no limit set" : `${bytes(status.slot_safe_bytes)} until it is lost`].filter(Boolean).join(", "));
  showCoverage(status);
  showSchema(status.schema);
  showRepeated(status.repeated_work);
  showQuarantine(status.quarantine);
  set("runs", plural(status.runs, "run"));
  $("memory").value = status.index_bytes_max ? status.index_bytes / status.index_bytes_max : 0;
  set("rows", plural(status.rows, "row"));
  set("memory-note", `${bytes(status.index_bytes)} of ${bytes(status.index_bytes_max)}`);
  set("where", `Version ${status.version}, slot ${status.slot}, plugin ${status.plugin || "unknown"}, engine ${status.engine}, Postgres ${status.server_version || "unknown"}, ` +
    `confirmed up to ${status.confirmed_lsn ?? "nothing yet"}`);
}

function showQuarantine(quarantine) {
  $("quarantine").hidden = quarantine.state === "off";
  set("quarantine-state", quarantine.state);
  $("quarantine-state").classList.toggle("bad", quarantine.state !== "ready");
  set("quarantine-reason", quarantine.reason);
  const acts = ["removed", "recorded", "dry_run", "refused", "failed"].filter((outcome) => quarantine[outcome] > 0)
    .map((outcome) => `${number(quarantine[outcome])} ${words(outcome)}`);
  set("quarantine-note", `mode ${quarantine.mode}: ${acts.join(", ") || "no act yet"}`);
}

function showCoverage(status) {
  const { complete_since: since, gaps } = status.coverage;
  const open = gaps.filter((gap) => !gap.closed_at).length;
  set("coverage", since ? "complete" : open ? plural(open, "open gap") : "none yet");
  $("coverage").classList.toggle("bad", !since);
  set("coverage-note", since ? `since ${clock(since)}` : "there may be duplicates dupwatch has not seen");
  const scan = status.baseline;
  const running = scan.state === "running";
  $("scan").hidden = !running;
  $("scan-note").hidden = scan.state === "not_needed";
  if (running && scan.runs_total) {
    $("scan").max = Math.max(scan.runs_total, scan.runs);
    $("scan").value = scan.runs;
  } else {
    $("scan").removeAttribute("value");
  }
  set("scan-note", `scan ${scan.state}: ${plural(scan.runs, "run")}${running && scan.runs_total ? ` of about ${number(scan.runs_total)}` : ""}`);
  $("gaps").hidden = gaps.length === 0;
  fill("gap-rows", gaps.map((gap) => [gap.reason, gap.from_lsn ?? "the beginning", gap.to_lsn ?? "unknown", utc(gap.opened_at), gap.closed_at ? utc(gap.closed_at) : "open"]));
}

function showSchema({ changes }) {
  $("schema").hidden = changes.length === 0;
  fill("schema-rows", changes.map((change) => [utc(change.seen_at), change.before, change.after, change.found, change.rows || "none deleted"]));
}

function showRepeated({ steps }) {
  $("repeated").hidden = steps.length === 0;
  fill("repeated-rows", steps.toReversed().map((step) => [step.run_id, step.correlation_id, step.commit_time ? utc(step.commit_time) : "unknown", `${step.starts} times`, String(step.retries)]));
}

/** Puts the rows into a table's body, unless they are there. */
function fill(id, rows) {
  const text = JSON.stringify(rows);
  if ($(id).dataset.text === text) return;
  $(id).dataset.text = text;
  $(id).replaceChildren(...rows.map((row) => element("tr", "", ...row.map((cell) => element("td", "", cell)))));
}

/** When a row was committed; of the row at fault also how long after the canonical one. */
function committed(finding, row) {
  if (!row.commit_time) return "";
  const gap = row === finding.duplicate ? finding.commit_gap_ms : null;
  const apart = gap === null ? "" : `, ${duration(Math.abs(gap))} ${gap < 0 ? "before" : "after"} the canonical row`;
  return `committed ${row.commit_time.slice(0, 10)} ${row.commit_time.slice(11, 23)} UTC${apart}`;
}

/** The rows of the finding in the order in which replay reads them. */
function timeline(finding) {
  const roles = [
    [finding.canonical, "canonical", "Canonical row, which replay takes"],
    [finding.duplicate, "duplicate", "Row at fault"],
    [finding.closing, "closing", "Closing event of the entity"],
  ].filter(([row]) => row);
  const list = element("ol", "rows");
  for (const id of finding.log_order) {
    const here = roles.filter(([row]) => row.id === id);
    const row = here[0]?.[0];
    if (!row) continue;
    const facts = [committed(finding, row), row.xid !== null && `xid\u00A0${row.xid}`, row.commit_lsn && `LSN\u00A0${row.commit_lsn}`].filter(Boolean);
    const mild = finding.severity === "fatal" ? "" : " mild";
    list.append(element("li", here.map(([, name]) => name).join(" ") + mild,
      element("div", "role", here.map(([, , text]) => text).join("; ")), element("div", "", quoted(id)),
      element("div", "note", facts.join(" · ") || "read back from the table; commit time not known")));
  }
  return list;
}

/** A command for a shell, with a button that copies it. */
function command(text) {
  const copy = element("button", "", "Copy");
  copy.type = "button";
  copy.setAttribute("aria-label", "Copy the command");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      // Not a secure origin: select it instead.
      getSelection().selectAllChildren(copy.previousSibling);
    }
  });
  return element("div", "command", element("code", "", text), copy);
}

function story(finding) {
  const facts = [["Identity", quoted(identity(finding.correlation_id))], ["Type", quoted(finding.type)], ["Table", quoted(finding.table)],
    ["Seen by", `${words(finding.origin)}, judged for engine ${finding.engine}`], ["Occurs in", finding.versions], ["Finding", quoted(finding.finding_id)]];
  const list = element("dl", "", ...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
  return element("div", "story",
    element("div", "telling", element("p", "", sentence(finding.what) + sentence(finding.why)),
      element("p", "note", "The whole run, with what can be done about it:"),
      command(finding.look),
      finding.fix && element("p", "note", "To take the row out of the log, which keeps it and can be undone:"),
      finding.fix && command(finding.fix), list, acknowledgement(finding)),
    element("div", "reading", element("p", "note", "As replay reads the log, the smallest id first:"), timeline(finding)));
}

function item(finding) {
  const made = element("li", finding.state === "open" ? finding.severity : "past");
  const time = element("time", "", clock(finding.flagged_at));
  time.dateTime = finding.flagged_at;
  time.title = finding.flagged_at;
  const details = element("details", "",
    element("summary", "", element("span", `badge ${finding.severity}`, finding.severity),
      element("span", "what", words(finding.profile_rule || finding.rule), element("span", "note", finding.state === "open" ? "" : ` (${words(finding.state)})`)),
      element("span", "run", quoted(finding.run_id)), element("span", "when", time)));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(story(finding));
  });
  made.append(details);
  return made;
}

function visible(entry) {
  entry.item.hidden = $("fatal-only").checked && !pressing(entry.finding);
}

/** What the list leaves out, what stands in the place of an empty one, and when the newest open fatal finding came. */
function showExtent() {
  const entries = [...known.values()];
  $("none").hidden = known.size > 0;
  $("none-fatal").hidden = known.size === 0 || entries.some(({ item: { hidden } }) => !hidden);
  set("shown", total > known.size ? `${known.size} of ${number(total)}: the newest, and open fatal ones` : "the newest first");
  const newest = entries.findLast(({ finding }) => pressing(finding));
  set("newest", newest ? `the newest at ${clock(newest.finding.flagged_at)}` : "\u00A0");
}

/** Makes room as the daemon does: the oldest that is not pressing, else the oldest. */
function shorten() {
  while (known.size > KEPT) {
    const [id, { item: last }] = [...known].find(([, { finding }]) => !pressing(finding)) ?? known.entries().next().value;
    known.delete(id);
    last.remove();
  }
}

function put(finding, fresh) {
  const before = known.get(finding.finding_id);
  const entry = { finding, item: item(finding) };
  if (fresh) entry.item.classList.add("new");
  visible(entry);
  known.delete(finding.finding_id);
  known.set(finding.finding_id, entry);
  const list = $("findings");
  const details = before?.item.firstElementChild;
  if (details?.open) entry.item.firstElementChild.open = true;
  const focused = before?.item.contains(document.activeElement);
  before?.item.remove();
  list.prepend(entry.item);
  if (focused) entry.item.querySelector("summary").focus();
  shorten();
  if (fresh && finding.change === "new") total += 1;
  if (fresh) showExtent();
  if (fresh && finding.change === "new") set("news", `${finding.severity} finding: ${words(finding.profile_rule || finding.rule)} in run ${finding.run_id}`);
}

async function get(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

/** Loads the list; a finding that came by event meanwhile is newer and stays. */
async function loadList() {
  const { findings, total: reported } = await get(`api/findings?limit=${KEPT}`);
  total = reported;
  const same = findings.length === known.size && findings.every((finding) => JSON.stringify(known.get(finding.finding_id)?.finding) === JSON.stringify(finding));
  if (same) return;
  const listed = new Set(findings.map((finding) => finding.finding_id));
  const later = [...known.values()].filter(({ finding }) => !listed.has(finding.finding_id) && finding.flagged_at > (findings[0]?.flagged_at ?? ""));
  if (known.size === 0) $("findings").replaceChildren();
  for (const { finding, item: old } of known.values()) {
    if (!listed.has(finding.finding_id) && !later.some((entry) => entry.finding === finding)) {
      known.delete(finding.finding_id);
      old.remove();
    }
  }
  for (const finding of findings.reverse()) put(finding, false);
  for (const { finding } of later) put(finding, false);
  showExtent();
}

/** Draws `value` of the points, with what the plot's width and height stand for. */
function plot(id, title, points, value, text) {
  const usable = points.filter((point) => value(point) !== null);
  const top = usable.reduce((most, point) => Math.max(most, value(point)), 0);
  // A young daemon's few points take the whole width.
  const span = Math.max(1, usable[0]?.age_seconds ?? 1);
  const at = (point) => `${(240 - (240 * point.age_seconds) / span).toFixed(1)} ${(38 - (value(point) / Math.max(top, 1e-9)) * 36).toFixed(1)}`;
  const line = usable.length < 2 ? "" : `M${usable.map(at).join("L")}`;
  const svg = $(`${id}-plot`);
  svg.querySelector(".line").setAttribute("d", line);
  svg.querySelector(".area").setAttribute("d", line && `${line}L${at(usable.at(-1)).split(" ")[0]} 40L${at(usable[0]).split(" ")[0]} 40Z`);
  svg.setAttribute("aria-label", usable.length ? `${title} over the last ${duration(span * 1000)}, at most ${text(top)}` : `${title} is not known`);
  set(`${id}-span`, line ? `last ${duration(span * 1000)}` : "\u00A0");
  set(`${id}-peak`, line && `peak ${text(top)}`);
}

async function loadHistory() {
  const { points } = await get("api/history");
  plot("lag", "Lag", points, (point) => point.lag_seconds, seconds);
  plot("retained", "WAL held by the slot", points, (point) => point.slot_retained_bytes, bytes);
}

function link(state, text) {
  $("link").className = `link ${state}`;
  set("link", text);
}

/** Silence is not health: what is on the page is only as good as the link to the daemon. */
function lost() {
  link("lost", "No answer");
  showLost();
}

function showLost() {
  say("blind", "dupwatch is not responding; the data below is stale.");
  $("remedy").hidden = false;
  set("remedy", "What to do: see whether its process runs and what it logged last; this page reconnects automatically.");
  document.title = "(blind) dupwatch";
}

function heard() {
  clearTimeout(stale);
  stale = setTimeout(lost, 5000);
}

const attempt = (work) => work().catch(() => {}); // the link's own state tells of it

let source = null;
function connect() {
  source = new EventSource("api/events");
  source.addEventListener("list", () => attempt(loadList));
  source.addEventListener("finding", ({ data }) => put(JSON.parse(data), true));
  source.addEventListener("status", ({ data }) => {
    heard();
    link("live", "Live");
    showStatus(JSON.parse(data));
  });
  source.addEventListener("error", () => {
    // The browser comes back by itself after a broken connection, not after a refusal (too many clients).
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 15000);
    poll();
  });
}

let polling = false;
async function poll() {
  if (polling) return;
  polling = true;
  while (source.readyState !== EventSource.OPEN) {
    try {
      showStatus(await get("api/status"));
      await loadList();
      heard();
      link("", "Every 2 seconds");
    } catch {
      lost();
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  polling = false;
}

$("fatal-only").addEventListener("change", () => {
  known.forEach(visible);
  showExtent();
});
heard();
connect();
attempt(loadHistory);
setInterval(() => document.hidden || attempt(loadHistory), 5000);
