// One finding as the list shows it: a line, which opens into its story.
import { acknowledgement } from "./acknowledge.js";
import { anchor, clock, duration, element, identity, quoted, sentence, words } from "./format.js";

/** When a row was committed; of the row at fault also how long after the canonical one. */
function committed(finding, row) {
  if (!row.commit_time) return "";
  const gap = row === finding.duplicate ? finding.commit_gap_ms : null;
  const apart = gap === null ? "" : `, ${duration(Math.abs(gap))} ${gap < 0 ? "before" : "after"} the canonical row`;
  return `committed ${row.commit_time.slice(0, 10)} ${row.commit_time.slice(11, 23)} UTC${apart}`;
}

/** The rows of the finding in the order in which replay reads them. */
function rowsOf(finding) {
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
export function command(text) {
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

// Of a table that dupwatch takes no rows out of.
const WRITES_SQL = "dupwatch explain ";
const ENGINE_FROM = { configuration: ", as configured", run: ", by the run's spec version", log: ", by schema and newest runs" };

function story(finding) {
  const facts = [["Identity", quoted(identity(finding.correlation_id))], ["Type", quoted(finding.type)], ["Table", quoted(finding.table)],
    ["Seen by", `${words(finding.origin)}, judged for engine ${finding.engine}${ENGINE_FROM[finding.engine_from] ?? ""}`], ["Occurs in", finding.versions],
    ["Finding", anchor(`#finding=${finding.finding_id}`, "", quoted(finding.finding_id))]];
  const list = element("dl", "", ...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
  return element("div", "story",
    element("div", "telling", element("p", "", sentence(finding.what) + sentence(finding.why)),
      element("p", "note", "The whole run, with what can be done about it:"),
      command(finding.look),
      finding.fix && element("p", "note", finding.fix.startsWith(WRITES_SQL)
        ? "For the SQL that takes the row out of the log and keeps it; a person runs it:" : "To take the row out of the log, which keeps it and can be undone:"),
      finding.fix && command(finding.fix), list, acknowledgement(finding)),
    element("div", "reading", element("p", "note", "As replay reads the log, the smallest id first:"), rowsOf(finding)));
}

/** The finding's place in the list; `opened` is told of a person who opens or closes it. */
export function itemOf(finding, opened) {
  const time = element("time", "", clock(finding.flagged_at));
  time.dateTime = finding.flagged_at;
  time.title = finding.flagged_at;
  const summary = element("summary", "", element("span", `badge ${finding.severity}`, finding.severity),
    element("span", "what", words(finding.profile_rule || finding.rule), element("span", "note", finding.state === "open" ? "" : ` (${words(finding.state)})`)),
    element("span", "entity", quoted(identity(finding.correlation_id))), element("span", "when", time));
  const details = element("details", "", summary);
  summary.addEventListener("click", () => opened(finding.finding_id, !details.open));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(story(finding));
  });
  return element("li", `finding ${finding.state === "open" ? finding.severity : "past"}`, details);
}
