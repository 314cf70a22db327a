// One run: its findings' rows at the time of their commits, a lane for each entity, and the same as a table.
import { command } from "./finding.js";
import { anchor, duration, element, identity, plural, quoted, utc } from "./format.js";

const LANES_MAX = 30;
const MARKS_MAX = 24; // in one lane
const ROLES = { fault: "Row at fault", canonical: "Canonical row, which replay takes", closing: "Closing event" };
/** Two marks of a lane are at least so far apart, in percent of its width. */
const APART = 4;

/** Lanes in the order of the findings: {name, rows: [{id, role, time, at}]}; a row at fault is one, whatever else it is. */
function lanesOf(findings) {
  const lanes = new Map();
  for (const finding of findings) {
    const name = identity(finding.correlation_id);
    const rows = lanes.get(name) ?? new Map();
    lanes.set(name, rows);
    for (const [role, row] of [["fault", finding.duplicate], ["canonical", finding.canonical], ["closing", finding.closing]]) {
      if (!row?.id || rows.get(row.id)?.role === "fault") continue;
      if (role !== "fault" && rows.has(row.id)) continue;
      rows.set(row.id, { id: row.id, role, time: row.commit_time, mild: finding.severity !== "fatal", at: row.commit_time ? Date.parse(row.commit_time) : null });
    }
  }
  return [...lanes].map(([name, rows]) => ({ name, rows: [...rows.values()].sort((a, b) => (a.at ?? -1) - (b.at ?? -1)) }));
}

/** Where the marks of one lane are, in percent: by time, and moved apart where they would hide each other. */
export function placesOf(times, from, to) {
  const places = times.map((time) => (to > from ? (100 * (time - from)) / (to - from) : 50));
  for (let at = 1; at < places.length; at += 1) places[at] = Math.max(places[at], places[at - 1] + APART);
  let limit = 100;
  for (let at = places.length - 1; at >= 0; at -= 1) {
    places[at] = Math.min(places[at], limit);
    limit = places[at] - APART;
  }
  return places;
}

const markOf = (row) => element("span", `mark ${row.role}${row.mild ? " mild" : ""}`);

function laneOf({ name, rows }, from, to) {
  const shown = rows.slice(0, MARKS_MAX);
  const dated = shown.filter(({ at }) => at !== null);
  const places = placesOf(dated.map(({ at }) => at), from, to);
  const track = element("div", "track", ...dated.map((row, at) => {
    const mark = markOf(row);
    mark.style.left = `${places[at]}%`;
    mark.title = `${ROLES[row.role]}, ${row.time}`;
    return mark;
  }));
  const undated = shown.filter(({ at }) => at === null);
  const beside = [undated.length > 0 && "commit time not known:", rows.length > shown.length && `and ${plural(rows.length - shown.length, "more row")}`].filter(Boolean);
  return element("div", "lane", element("p", "lane-name", quoted(name)), track,
    beside.length > 0 ? element("p", "note", beside.join(", "), ...undated.map(markOf)) : null);
}

function legend() {
  return element("ul", "legend", ...Object.entries(ROLES).map(([role, text]) => element("li", "", markOf({ role }), text)));
}

function tableOf(lanes) {
  const head = element("tr", "", ...["Entity", "Row", "Event", "Committed"].map((text) => {
    const cell = element("th", "", text);
    cell.scope = "col";
    return cell;
  }));
  const lines = lanes.flatMap(({ name, rows }) => rows.map((row) => [quoted(name), ROLES[row.role], quoted(row.id), row.time ?? "not known"]));
  const scroll = element("div", "scroll", element("table", "", element("thead", "", head),
    element("tbody", "", ...lines.map((cells) => element("tr", "", ...cells.map((cell) => element("td", "", cell)))))));
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "Rows of the run's findings");
  return element("details", "as-table", element("summary", "", "The same as a table"), scroll);
}

/** The parts of the panel of `run`, as /api/runs/ID has it. */
export function drawRun(run) {
  const lanes = lanesOf(run.findings);
  const shown = lanes.slice(0, LANES_MAX);
  const times = shown.flatMap(({ rows }) => rows.map(({ at }) => at).filter((at) => at !== null));
  const from = times.reduce((least, at) => Math.min(least, at), Number.POSITIVE_INFINITY);
  const to = times.reduce((most, at) => Math.max(most, at), Number.NEGATIVE_INFINITY);
  const drawing = element("div", "lanes", ...shown.map((lane) => laneOf(lane, from, to)));
  drawing.setAttribute("role", "img");
  const span = times.length === 0 ? "whose commit times are not known" : `committed within ${duration(to - from)} from ${utc(new Date(from).toISOString())} on`;
  drawing.setAttribute("aria-label", `${plural(shown.reduce((sum, { rows }) => sum + rows.length, 0), "row")} of ${plural(shown.length, "lane")}, ${span}; the table below has each`);
  const scale = times.length === 0 ? null : element("p", "scale", element("span", "", utc(new Date(from).toISOString())),
    element("span", "", to > from ? `${duration(to - from)} later` : ""));
  const left = [lanes.length > shown.length && `${plural(lanes.length - shown.length, "more lane")} in the table`,
    run.kept > run.findings.length && `${plural(run.kept - run.findings.length, "more finding")} of the run in the list`].filter(Boolean).join(", ");
  return [element("p", "note", "The whole run, with what can be done about it:"), command(run.look), drawing, scale, legend(),
    left ? element("p", "note", `Not drawn: ${left}.`) : null, tableOf(lanes)].filter(Boolean);
}

/** What stands there when nothing of the run is kept. */
export function absentRun() {
  return [element("p", "", "Nothing of this run is kept in memory. It may have no finding, or the daemon needed the room (findings.keep); dupwatch explain reads the table."),
    element("p", "", anchor("#", "", "All findings"))];
}
