// The list of findings: what a person must act on first, grouped by run, a page at a time. The daemon filters and pages; here
// are at most one page of findings and the reports that have just come.
import { itemOf } from "./finding.js";
import { $, anchor, arrange, element, get, number, plural, quoted, set, words } from "./format.js";
import { admits, hashOf, isFiltered, parametersOf, urgencyOf, viewOf } from "./state.js";
import { absentRun, drawRun } from "./timeline.js";

const KEPT = Number($("findings").dataset.keep);
const PAGE = Math.min(Number($("findings").dataset.rows), KEPT);
const REPORTS_MAX = 200; // waiting to be shown; of more the page is loaded again
const RELOAD_MS = 1000; // at most so often, for the counts
const CONTROLS = ["search", "severity", "rule", "state"];

let view = viewOf(location.hash);
let shown = []; // findings, in the order of the page
let runs = new Map(); // run_id -> what is kept of it
let extent = { kept: 0, matched: 0, dropped: 0 };
let trail = [""]; // cursors of the pages up to this one
let next = null;
let watching = "unknown";
let request = null;
let reports = [];
let tooMany = false;
let reveal = view.finding !== "";
let notKept = ""; // what is said of the finding in the address, until the address is another
const items = new Map(); // finding_id -> {text, node}
const groups = new Map(); // run_id -> {text, node, list}

// What is drawn.

/** "2 fatal, 1 harmless; 3 closed or acknowledged": all that is kept of the run, whatever the filters hide. */
function countsText({ kept, open }) {
  const parts = Object.entries(open).filter(([, count]) => count > 0).map(([severity, count]) => `${number(count)} ${severity}`);
  const rest = kept - Object.values(open).reduce((sum, count) => sum + count, 0);
  return [parts.join(", "), rest > 0 && `${number(rest)} closed or acknowledged`].filter(Boolean).join("; ");
}

/** While a run's first finding has just come, its own are all that is known. */
function countsOf(run, findings) {
  const counts = { kept: findings.length, open: {} };
  for (const { state, severity } of findings) if (state === "open") counts.open[severity] = (counts.open[severity] ?? 0) + 1;
  const known = runs.get(run);
  return known && known.kept >= counts.kept ? known : counts;
}

function groupOf(run, findings) {
  const counts = countsOf(run, findings);
  const text = countsText(counts);
  let group = groups.get(run);
  if (!group) {
    const list = element("ol", "");
    const note = element("p", "counts note");
    const name = element("h3", "", anchor(hashOf({ run }), "run", quoted(run)));
    group = { node: element("li", "", element("div", "group-head", name, note), list), list, note };
    groups.set(run, group);
  }
  group.note.textContent = text;
  group.node.className = `group ${["fatal", "conflict", "harmless", "unknown"].find((severity) => counts.open[severity] > 0) ?? "past"}`;
  arrange(group.list, findings.map(nodeOf));
  return group.node;
}

function nodeOf(finding) {
  const text = JSON.stringify(finding);
  const before = items.get(finding.finding_id);
  if (before?.text === text) return before.node;
  const node = itemOf(finding, (id, open) => {
    view.finding = open ? id : view.finding === id ? "" : view.finding;
    history.replaceState(null, "", hashOf(view));
  });
  if (before?.node.firstElementChild.open) node.firstElementChild.open = true;
  items.set(finding.finding_id, { text, node });
  if (before?.node.contains(document.activeElement)) queueMicrotask(() => node.querySelector("summary").focus());
  return node;
}

function forget(map, wanted) {
  for (const key of map.keys()) if (!wanted.has(key)) map.delete(key);
}

function draw() {
  const byRun = new Map();
  for (const finding of shown) byRun.set(finding.run_id, [...(byRun.get(finding.run_id) ?? []), finding]);
  const focused = document.activeElement;
  arrange($("findings"), [...byRun].map(([run, findings]) => groupOf(run, findings)));
  forget(items, new Set(shown.map((finding) => finding.finding_id)));
  forget(groups, byRun);
  // A node that was moved has lost the focus.
  if (focused !== document.activeElement && focused.isConnected) focused.focus();
  showExtent();
}

const NONE = {
  ok: "None so far. A duplicate shows here within a second of its commit.",
  scanning: "None so far. The runs that were in the table before are still being judged.",
  blind: "None is known, but dupwatch is not watching: there may be some that it has not seen.",
  silent: "None is known, but dupwatch does not answer.",
  unknown: "Loading.",
};

/** Which part of all findings is on the page, what the filters hide, and what is not kept any more. */
function showExtent() {
  const before = (trail.length - 1) * PAGE;
  const last = before + shown.length;
  set("shown", shown.length === 0 ? "" : `${number(before + 1)} to ${number(last)} of ${number(Math.max(extent.matched, last))}, open fatal ones first`);
  const hidden = extent.kept - extent.matched;
  set("hidden", isFiltered(view) ? `${number(Math.max(0, hidden))} hidden by the filters` : "");
  $("clear").hidden = !isFiltered(view);
  $("dropped").hidden = extent.dropped === 0;
  set("dropped", `Older findings are no longer kept: there was no room for ${number(extent.dropped)} beyond ${number(KEPT)} (findings.keep). ` +
    "Open fatal ones leave last; findings.file and findings.table, where they are set, have them.");
  $("none").hidden = shown.length > 0;
  set("none", isFiltered(view) ? "No finding matches the filters." : NONE[watching]);
  $("pages").hidden = trail.length === 1 && next === null;
  $("previous").disabled = trail.length === 1;
  $("next").disabled = next === null;
  $("as-json").href = `api/findings?${parametersOf(view, { limit: PAGE })}`;
}

/** What the daemon says of itself: an empty list means something only while it watches. */
export function showWatching(state) {
  watching = state;
  showExtent();
}

// What is loaded.

function byUrgency(findings) {
  return findings.map((finding, at) => ({ finding, at, urgency: urgencyOf(finding) }))
    .sort((a, b) => a.urgency - b.urgency || a.at - b.at).map(({ finding }) => finding);
}

function refuse(message) {
  $("refused").hidden = message === "";
  set("refused", message);
}

/** Loads the page of findings that the view asks for. */
export async function load() {
  request?.abort();
  const mine = new AbortController();
  request = mine;
  reports = [];
  tooMany = false;
  try {
    const answer = await get(`api/findings?${parametersOf(view, { limit: PAGE, cursor: trail.at(-1) })}`, mine.signal);
    if (request !== mine) return;
    shown = byUrgency(answer.findings);
    runs = new Map(answer.runs.map((run) => [run.run_id, run]));
    extent = answer;
    next = answer.next;
    refuse(notKept);
    draw();
    await revealFinding();
  } catch (error) {
    if (request !== mine) return;
    if (error.status !== 400) throw error;
    if (trail.length > 1) {
      // The daemon was restarted: its pages are others.
      trail = [""];
      await load();
      return;
    }
    shown = [];
    next = null;
    extent = { ...extent, matched: 0 };
    draw();
    refuse(`The filters in the address are wrong: ${error.message}.`);
  } finally {
    if (request === mine) request = null;
  }
}

/** Opens the finding that the address names; where it is not on this page, on that of its run. */
async function revealFinding() {
  if (!reveal) return;
  reveal = false;
  if (!items.has(view.finding)) {
    let finding;
    try {
      finding = await get(`api/findings/${encodeURIComponent(view.finding)}`);
    } catch (error) {
      if (!error.status) throw error;
      notKept = "The finding in the address is not kept: it may have left for want of room (findings.keep). dupwatch findings show --source file or table may have it.";
      refuse(notKept);
      return;
    }
    if (view.run !== finding.run_id) {
      view = { ...viewOf(""), run: finding.run_id, finding: finding.finding_id };
      reveal = true;
      await show();
      return;
    }
    shown = byUrgency([finding, ...shown]);
    draw();
  }
  const { node } = items.get(view.finding);
  node.firstElementChild.open = true;
  node.querySelector("summary").focus({ preventScroll: true });
  node.scrollIntoView({ block: "center" });
}

let drawn = "";
async function loadRun() {
  const { run } = view;
  $("run").hidden = run === "";
  if (run === "") return;
  let answer = null;
  try {
    answer = await get(`api/runs/${encodeURIComponent(run)}`);
  } catch (error) {
    if (!error.status) throw error;
  }
  const text = JSON.stringify([run, answer]);
  if (view.run !== run || drawn === text) return;
  drawn = text;
  $("run-title").replaceChildren("Run ", quoted(run));
  set("run-counts", answer ? countsText(answer) : "");
  const open = $("run-parts").querySelector(".as-table")?.open ?? false;
  $("run-parts").replaceChildren(...(answer ? drawRun(answer) : absentRun()));
  if (open && answer) $("run-parts").querySelector(".as-table").open = true;
}

/** Shows the view from its first page on. */
async function show() {
  trail = [""];
  notKept = "";
  for (const name of CONTROLS) {
    const control = $(name);
    const value = view[name];
    // A list in the address may be one that the page does not offer.
    if (control.options && ![...control.options].some((option) => option.value === value)) control.append(new Option(value, value));
    control.value = value;
  }
  await Promise.all([load(), loadRun()]);
}

// What comes.

/** Puts a report where it belongs on this page. */
function place(finding) {
  const at = shown.findIndex(({ finding_id: id }) => id === finding.finding_id);
  if (!admits(view, finding)) {
    if (at >= 0) shown.splice(at, 1);
    return;
  }
  if (trail.length > 1) {
    if (at >= 0) shown[at] = finding;
    return;
  }
  if (at >= 0) shown.splice(at, 1);
  const before = shown.findIndex((other) => urgencyOf(other) >= urgencyOf(finding));
  shown.splice(before < 0 ? shown.length : before, 0, finding);
  shown.length = Math.min(shown.length, PAGE);
}

function flush() {
  // What is being loaded may be older than a report.
  if (request) {
    setTimeout(flush, 50);
    return;
  }
  const taken = reports;
  reports = [];
  if (!tooMany && taken.length > 0) {
    taken.forEach(place);
    draw();
    for (const { finding_id: id, change } of taken) if (change === "new") items.get(id)?.node.classList.add("new");
  }
}

let reloadAt = 0;
let reloadTimer = null;
/** The counts, and what else a report alone does not tell; of later pages their counts alone, for they stay as they were. */
async function reload() {
  reloadTimer = null;
  reloadAt = performance.now() + RELOAD_MS;
  if (trail.length === 1) {
    await load();
  } else {
    extent = await get(`api/findings?${parametersOf(view, { limit: 1 })}`);
    showExtent();
  }
  if (view.run !== "") await loadRun();
}

/** A finding was reported. */
export function report(finding, failed) {
  if (reports.length === 0) setTimeout(flush, 20);
  if (reports.length < REPORTS_MAX) reports.push(finding);
  else tooMany = true;
  if (finding.change === "new") set("news", `${finding.severity} finding: ${words(finding.profile_rule || finding.rule)} in run ${finding.run_id}`);
  if (reloadTimer === null) reloadTimer = setTimeout(() => reload().catch(failed), Math.max(100, reloadAt - performance.now()));
}

// What a person does.

/** Every finding that the filters admit as JSON lines, a page at a time; of one that is reported meanwhile the last line holds. */
async function exportLines() {
  const parts = [];
  let count = 0;
  let cursor = "";
  do {
    const answer = await get(`api/findings?${parametersOf(view, { limit: Math.min(1000, KEPT), cursor })}`);
    // A blob a page: the browser may keep it on its disk.
    parts.push(new Blob(answer.findings.map((finding) => `${JSON.stringify(finding)}\n`)));
    count += answer.findings.length;
    cursor = answer.next ?? "";
    set("exported", `${plural(count, "finding")} read`);
  } while (cursor);
  const link = anchor(URL.createObjectURL(new Blob(parts, { type: "application/x-ndjson" })), "");
  link.download = "dupwatch-findings.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  set("exported", `${plural(count, "finding")} exported`);
}

function turn(cursors, failed) {
  trail = cursors;
  load().then(() => $("findings-title").focus()).catch(failed);
}

/** Makes the controls work; `failed` is told when the daemon does not answer. */
export function begin(failed) {
  let typing = null;
  const apply = () => {
    clearTimeout(typing);
    for (const name of CONTROLS) view[name] = $(name).value.trim();
    view.finding = "";
    history.replaceState(null, "", hashOf(view));
    show().catch(failed);
  };
  $("filters").addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  $("search").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(apply, 150);
  });
  for (const name of CONTROLS.slice(1)) $(name).addEventListener("change", apply);
  const go = () => {
    view = viewOf(location.hash);
    reveal = view.finding !== "";
    show().catch(failed);
  };
  addEventListener("hashchange", go);
  $("clear").addEventListener("click", () => {
    history.pushState(null, "", location.pathname);
    go();
    $("search").focus();
  });
  $("next").addEventListener("click", () => turn([...trail, next], failed));
  $("previous").addEventListener("click", () => turn(trail.slice(0, -1), failed));
  $("export").addEventListener("click", async () => {
    $("export").disabled = true;
    await exportLines().catch(() => set("exported", "dupwatch does not answer: nothing was exported"));
    $("export").disabled = false;
  });
  return show();
}
