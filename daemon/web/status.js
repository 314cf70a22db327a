// The state of affairs: verdict, figures, gaps, plots. What is not known is not shown as zero.
import { $, bytes, clock, duration, element, get, number, plural, seconds, set, utc, words } from "./format.js";

/** The last part is shown smaller. Set only when it changes, so that a screen reader does not repeat it. */
function say(level, sentence) {
  const end = sentence.lastIndexOf(". ") + 1 || sentence.length;
  $("verdict").className = `verdict ${level}`;
  set("lead", sentence.slice(0, end));
  set("rest", sentence.slice(end));
}

/** The stream is open, so that what it says of its lag holds now. */
const flows = (status) => ["streaming", "polling"].includes(status.state);

export function showStatus(status) {
  say(status.level, status.verdict);
  $("remedy").hidden = !status.remedy;
  set("remedy", `What to do: ${status.remedy}`);
  document.title = `${status.level === "ok" ? "" : `(${status.level}) `}dupwatch`;
  document.body.classList.remove("stale");
  $("facts").hidden = false;
  set("fatal", number(status.findings_fatal));
  $("fatal").classList.toggle("bad", status.findings_fatal > 0);
  const noted = status.findings_acknowledged ? `, ${number(status.findings_acknowledged)} acknowledged` : "";
  set("open", `of ${plural(status.findings_open, "open finding")}${noted}`);
  showLag(status);
  set("retained", status.slot_retained_bytes === null ? "unknown" : bytes(status.slot_retained_bytes));
  set("retained-note", [status.slot_wal_status, status.slot_safe_bytes === null ? "no limit set" : `${bytes(status.slot_safe_bytes)} until it is lost`].filter(Boolean).join(", "));
  showCoverage(status);
  showSchema(status.schema);
  showRepeated(status.repeated_work);
  showEngineTables(status.engine_tables);
  showQuarantine(status.quarantine);
  set("runs", plural(status.runs, "run"));
  $("memory").value = status.index_bytes_max ? status.index_bytes / status.index_bytes_max : 0;
  set("rows", plural(status.rows, "row"));
  set("memory-note", `${bytes(status.index_bytes)} of ${bytes(status.index_bytes_max)}`);
  set("where", `Version ${status.version}, slot ${status.slot}, plugin ${status.plugin || "unknown"}, engine ${status.engine}, Postgres ${status.server_version || "unknown"}, ` +
    `confirmed up to ${status.confirmed_lsn ?? "nothing yet"}`);
}

function showLag(status) {
  const known = flows(status) && status.lag_seconds !== null;
  set("lag", known ? seconds(status.lag_seconds) : "unknown");
  $("lag").classList.toggle("bad", !known);
  set("lag-note", known && status.confirmed_lsn ? `${bytes(status.lag_bytes)} not yet confirmed` : "what was committed since is not known");
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
  const complete = since && flows(status);
  set("coverage", complete ? "complete" : open ? plural(open, "open gap") : since ? "interrupted" : "none yet");
  $("coverage").classList.toggle("bad", !complete);
  set("coverage-note", complete ? `since ${clock(since)}` : since ? "it was complete; what is committed now is not seen yet" : "there may be duplicates dupwatch has not seen");
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

function showEngineTables({ rows }) {
  $("engine-tables").hidden = rows.length === 0;
  fill("engine-table-rows", rows.map((row) => [row.run_id || "unknown", row.what, row.meaning, row.remedy]));
}

/** Puts the rows into a table's body, unless they are there. */
function fill(id, rows) {
  const text = JSON.stringify(rows);
  if ($(id).dataset.text === text) return;
  $(id).dataset.text = text;
  $(id).replaceChildren(...rows.map((row) => element("tr", "", ...row.map((cell) => element("td", "", cell)))));
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

export async function loadHistory() {
  const { points } = await get("api/history");
  plot("lag", "Lag", points, (point) => point.lag_seconds, seconds);
  plot("retained", "WAL held by the slot", points, (point) => point.slot_retained_bytes, bytes);
}

/** Silence is not health: what is on the page is only as good as the link to the daemon. */
export function showSilence() {
  say("blind", "dupwatch is not responding; the data below is stale.");
  $("remedy").hidden = false;
  set("remedy", "What to do: see whether its process runs and what it logged last; this page reconnects automatically.");
  document.title = "(blind) dupwatch";
  document.body.classList.add("stale");
  set("lag", "unknown");
  $("lag").classList.add("bad");
  set("lag-note", "no answer");
}
