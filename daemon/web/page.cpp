#include "daemon/web/page.hpp"

#include <fmt/format.h>

#include "daemon/core/finding.hpp"
#include "daemon/web/build_info.hpp"

namespace dupwatch::web {
namespace {

constexpr std::size_t kRowsMax = 50;

constexpr std::string_view kScript = R"js("use strict";
const text = (value) => (value === null || value === undefined ? "" : String(value));
const identity = (value) =>
  (Array.isArray(value) ? value : [value]).map((part) => (part === null ? "NULL" : part)).join(", ");

function row(finding) {
  const cells = [
    finding.flagged_at, finding.severity, finding.rule, finding.state, finding.run_id, identity(finding.correlation_id),
    finding.type, finding.canonical.id, finding.duplicate.id, finding.commit_gap_ms, finding.origin,
  ];
  const line = document.createElement("tr");
  line.className = finding.state === "open" ? finding.severity : "past";
  for (const value of cells) line.appendChild(document.createElement("td")).textContent = text(value);
  return line;
}

function show(level, sentence) {
  const verdict = document.getElementById("verdict");
  verdict.className = level;
  verdict.textContent = sentence;
}

async function get(path) {
  const response = await fetch(path, { cache: "no-store" });
  if (!response.ok) throw new Error(path + " answered " + response.status);
  return response.json();
}

async function refresh() {
  if (!document.hidden) {
    try {
      const [status, list] = await Promise.all([get("api/status"), get("api/findings?limit=" + ROWS)]);
      show(status.level, status.verdict);
      document.getElementById("findings").replaceChildren(...list.findings.map(row));
      document.getElementById("none").hidden = list.findings.length > 0;
    } catch (error) {
      show("blind", "dupwatch does not answer: " + error.message);
    }
  }
  setTimeout(refresh, 1000);
}
const ROWS = document.getElementById("findings").dataset.rows;
refresh();
)js";

constexpr std::string_view kStyle = R"css(:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }
h1 { font-size: 1.2rem; margin: 0 0 1rem; }
#verdict { border-left: .4rem solid gray; font-size: 1.2rem; padding: .5rem 1rem; }
#verdict.ok { border-color: #2e7d32; }
#verdict.findings { border-color: #b26a00; }
#verdict.fatal, #verdict.blind { border-color: #c62828; font-weight: 600; }
nav a { margin-right: 1rem; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { border-bottom: 1px solid #8886; overflow-wrap: anywhere; padding: .3rem .5rem; text-align: left; vertical-align: top; }
tr.fatal td { font-weight: 600; }
tr.past td { opacity: .6; }
)css";

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
}

void append_cell(std::string& out, std::string_view text) {
  out += "<td>";
  append_escaped(out, text);
  out += "</td>";
}

[[nodiscard]] std::string identity_text(const core::Finding& finding) {
  std::string text;
  for (const auto& part : finding.identity) {
    if (!text.empty()) text += ", ";
    text += part.value_or("NULL");
  }
  return text;
}

void append_row(std::string& out, const core::Finding& finding) {
  const bool open = finding.state == core::FindingState::kOpen;
  out += fmt::format("<tr class=\"{}\">", open ? to_string(finding.severity) : "past");
  append_cell(out, core::to_iso8601(finding.flagged_at));
  append_cell(out, to_string(finding.severity));
  append_cell(out, to_string(finding.rule));
  append_cell(out, to_string(finding.state));
  append_cell(out, finding.run_id);
  append_cell(out, identity_text(finding));
  append_cell(out, finding.type);
  append_cell(out, finding.canonical.id);
  append_cell(out, finding.duplicate.id);
  const auto gap = finding.commit_gap_micros();
  append_cell(out, gap ? fmt::format("{:.3f}", static_cast<double>(*gap) / 1000.0) : "");
  append_cell(out, to_string(finding.origin));
  out += "</tr>\n";
}

}  // namespace

std::string render_page(const StatusBoard& board, const Verdict& verdict) {
  const auto findings = board.findings(kRowsMax);
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>dupwatch</title>\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<link rel=\"stylesheet\" href=\"app.css\">\n"
      "<script src=\"app.js\" defer></script>\n</head>\n<body>\n<h1>dupwatch ";
  append_escaped(out, build_info().version);
  out += fmt::format("</h1>\n<p id=\"verdict\" class=\"{}\" role=\"status\">", to_string(verdict.level));
  append_escaped(out, verdict.sentence);
  out +=
      "</p>\n<nav><a href=\"metrics\">Metrics</a><a href=\"api/status\">Status</a>"
      "<a href=\"api/findings\">Findings</a><a href=\"readyz\">Readiness</a></nav>\n<h2>Newest "
      "findings</h2>\n"
      "<table>\n<thead><tr><th>Flagged "
      "at</th><th>Severity</th><th>Rule</th><th>State</th><th>Run</th><th>Identity</th><th>Type</th>"
      "<th>Canonical row</th><th>Duplicate row</th><th>Commit gap, ms</th><th>Origin</th></tr></thead>\n";
  out += fmt::format("<tbody id=\"findings\" data-rows=\"{}\">\n", std::min(kRowsMax, board.keep()));
  for (const auto& finding : findings) append_row(out, *finding);
  out += fmt::format("</tbody>\n</table>\n<p id=\"none\"{}>None.</p>\n</body>\n</html>\n",
                     findings.empty() ? "" : " hidden");
  return out;
}

std::string_view page_script() noexcept {
  return kScript;
}
std::string_view page_style() noexcept {
  return kStyle;
}

}  // namespace dupwatch::web
