// What the page shows is in its address, behind the '#' and in the form of a query: #severity=fatal&state=open, #run=wrun_1,
// #finding=0123456789abcdef. So a link leads there, and no proxy, log or server sees it.

const FILTERS = { search: "search", severity: "severity", rule: "rule", state: "state", correlation: "correlation_id", run: "run_id" };

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The view that `hash` asks for; what it does not name is "". */
export function viewOf(hash) {
  const view = Object.fromEntries([...Object.keys(FILTERS), "finding"].map((name) => [name, ""]));
  for (const part of hash.replace(/^#/, "").split("&")) {
    const at = part.indexOf("=");
    if (at > 0 && Object.hasOwn(view, part.slice(0, at))) view[part.slice(0, at)] = decoded(part.slice(at + 1));
  }
  return view;
}

const joined = (pairs) => pairs.filter(([, value]) => value !== "").map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2C", ",")}`).join("&");

export const hashOf = (view) => `#${joined(Object.entries(view))}`;

/** The parameters of /api/findings for the view's filters, and `more`. */
export const parametersOf = (view, more = {}) => joined([...Object.entries(FILTERS).map(([name, parameter]) => [parameter, view[name]]), ...Object.entries(more)]);

export const isFiltered = (view) => Object.keys(FILTERS).some((name) => view[name] !== "");

const named = (list, name) => list === "" || list.split(",").includes(name);

/** Whether the view's filters admit the finding, as the daemon would say. */
export function admits(view, finding) {
  const values = [finding.correlation_id].flat();
  const { search } = view;
  return named(view.severity, finding.severity) && named(view.rule, finding.rule) && named(view.state, finding.state) &&
    (view.run === "" || view.run === finding.run_id) && (view.correlation === "" || values.includes(view.correlation)) &&
    (search === "" || [finding.run_id, ...values].some((value) => value?.includes(search)) || finding.finding_id === search.toLowerCase());
}

/** 0 = a person must act on it first; as the daemon orders its pages. */
export function urgencyOf({ severity, state }) {
  if ((severity !== "fatal" && severity !== "conflict") || (state !== "open" && state !== "acknowledged")) return 3;
  if (state === "acknowledged") return 2;
  return severity === "fatal" ? 0 : 1;
}
