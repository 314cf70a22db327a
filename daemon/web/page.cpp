#include "daemon/web/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/core/text.hpp"
#include "daemon/web/assets.hpp"
#include "daemon/web/build_info.hpp"

namespace dupwatch::web {
namespace {

/// Findings on one page of the list.
constexpr std::size_t kRowsMax = 100;

void append_escaped(std::string& out, std::string_view text) {
  core::append_html(out, core::visible(text));
}

using Findings = std::vector<std::shared_ptr<const core::Finding>>;

/// What shows without the script, which replaces it by the whole story.
void append_item(std::string& out, const core::Finding& finding) {
  const bool open = finding.state == core::FindingState::kOpen;
  const auto severity = to_string(finding.severity);
  out += fmt::format(
      "<li class=\"finding {0}\"><details><summary><span class=\"badge {1}\">{1}</span><span "
      "class=\"what\">",
      open ? severity : "past", severity);
  append_escaped(out, finding.rule_name());
  out += "</span></summary><div class=\"story\"><p>";
  append_escaped(out, finding.reason());
  out += "</p><code>";
  append_escaped(out, core::explain_command(finding.run_id));
  out += "</code></div></details></li>\n";
}

/// What a person must act on first, and each run's findings together.
[[nodiscard]] std::string list_of(Findings findings) {
  std::ranges::stable_sort(findings, {}, [](const auto& finding) { return urgency_of(*finding); });
  std::unordered_map<std::string_view, std::size_t> places;
  std::vector<Findings> runs;
  for (const auto& finding : findings) {
    const auto [place, is_new] = places.try_emplace(finding->run_id, runs.size());
    if (is_new) runs.emplace_back();
    runs[place->second].push_back(finding);
  }
  std::string out;
  for (const auto& run : runs) {
    out += "<li class=\"group\"><div class=\"group-head\"><h3><bdi class=\"run mono\">";
    append_escaped(out, run.front()->run_id);
    out += "</bdi></h3></div><ol>\n";
    for (const auto& finding : run) append_item(out, *finding);
    out += "</ol></li>\n";
  }
  return out;
}

[[nodiscard]] std::string rule_options() {
  std::string out;
  for (std::size_t i = 0; i < core::kRules; ++i) {
    const auto name = to_string(static_cast<core::Rule>(i));
    out += fmt::format("<option value=\"{}\">", name);
    for (const char c : name) out += c == '_' ? ' ' : c;
    out += "</option>";
  }
  return out;
}

[[nodiscard]] std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

/// Where the sentence's last part begins, which is shown smaller; its length where it has one part alone.
[[nodiscard]] std::size_t rest_of(std::string_view sentence) noexcept {
  const auto end = sentence.rfind(". ");
  return end == std::string_view::npos ? sentence.size() : end + 1;
}

/// What goes for one placeholder of page.html.
[[nodiscard]] std::string filled(std::string_view name, const StatusStore& store, const Verdict& verdict) {
  if (name == "VERSION") return escaped(build_info().version);
  if (name == "LEVEL") return std::string{to_string(verdict.level)};
  const std::string_view sentence = verdict.sentence;
  if (name == "LEAD") return escaped(sentence.substr(0, rest_of(sentence)));
  if (name == "REST") return escaped(sentence.substr(rest_of(sentence)));
  if (name == "REMEDY") return escaped(verdict.remedy);
  if (name == "REMEDY_HIDDEN") return verdict.remedy.empty() ? " hidden" : "";
  if (name == "ROWS") return std::to_string(kRowsMax);
  if (name == "KEEP") return std::to_string(store.keep());
  if (name == "RULES") return rule_options();
  if (name == "NONE") {
    return verdict.level == Verdict::Level::kBlind
               ? "None is known, but dupwatch is not watching: there may be some that it has not seen."
               : "None so far.";
  }
  auto findings = store.findings(kRowsMax);
  if (name == "NONE_HIDDEN") return findings.empty() ? "" : " hidden";
  return list_of(std::move(findings));
}

}  // namespace

std::string render_page(const StatusStore& store, const Verdict& verdict) {
  std::string out;
  auto rest = page_html();
  // Placeholders are @NAME@; nothing that was filled in is looked at again.
  for (auto at = rest.find('@'); at != std::string_view::npos; at = rest.find('@')) {
    const auto end = rest.find('@', at + 1);
    out += rest.substr(0, at);
    out += filled(rest.substr(at + 1, end - at - 1), store, verdict);
    rest.remove_prefix(end + 1);
  }
  out += rest;
  return out;
}

}  // namespace dupwatch::web
