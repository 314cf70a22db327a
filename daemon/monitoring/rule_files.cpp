#include "daemon/monitoring/rule_files.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "daemon/core/text.hpp"
#include "daemon/monitoring/embedded.hpp"

namespace dupwatch::monitoring {
namespace {

constexpr std::string_view kTarget = "http://{{ $labels.instance }}";

bool is_duration(std::string_view text) noexcept {
  // As Prometheus has it: numbers with units from the greatest to the smallest, "1h30m".
  constexpr std::string_view kUnits = "ywdhms";
  std::size_t unit = 0;
  bool any = false;
  while (!text.empty()) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || digits == text.size() || digits > 9) return false;
    const auto at = kUnits.find(text[digits], unit);
    if (at == std::string_view::npos) return false;
    any = any || text.substr(0, digits).find_first_not_of('0') != std::string_view::npos;
    unit = at + 1;
    text.remove_prefix(digits + 1);
  }
  return any;
}

std::optional<double> number_of(std::string_view text) noexcept {
  double value = 0;
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || rest != end || !std::isfinite(value) || value < 0) return std::nullopt;
  return value;
}

/// What may stand within quotes of YAML and PromQL as it is.
bool is_plain(std::string_view text, std::string_view more) noexcept {
  return std::ranges::all_of(text, [&](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || more.find(c) != std::string_view::npos;
  });
}

bool is_address(std::string_view text) noexcept {
  const bool http = text.starts_with("http://") || text.starts_with("https://");
  // Braces, the dollar and blanks are for the templates of Prometheus: {{ $labels.instance }}.
  return http && is_plain(text, "-._~:/?#[]@!$&'()*+,;=%{} ");
}

/// Fills in the marks of the templates.
class Filler {
 public:
  explicit Filler(const Site& site) : site_(site) {
    for (auto& [name, value] : threshold_defaults()) values_.emplace(name, value);
    for (const auto& [name, value] : site.thresholds) values_[name] = value;
    const auto horizon = number_of(values_["fillHorizon"]).value_or(0);
    values_["fillHours"] = fmt::format("{:g}", horizon / 3600);
    values_["job"] = site.job;
    values_["slots"] = site.slots;
    values_["page"] = site.links.page.empty() ? kTarget : site.links.page;
    if (!site.links.dashboard.empty()) values_["dashboard"] = site.links.dashboard;
  }

  /// nullopt: the line has an address that there is none for.
  [[nodiscard]] std::optional<std::string> line(std::string_view text) const {
    std::string out;
    for (auto at = text.find('@'); at != std::string_view::npos; at = text.find('@')) {
      const auto end = text.find('@', at + 1);
      const auto mark =
          end == std::string_view::npos ? std::string_view{} : text.substr(at + 1, end - at - 1);
      if (mark.empty() || !is_plain(mark, "_:")) {
        out += text.substr(0, at + 1);
        text.remove_prefix(at + 1);
        continue;
      }
      const auto value = value_of(mark);
      if (!value) return std::nullopt;
      out += text.substr(0, at);
      out += *value;
      text.remove_prefix(end + 1);
    }
    return out.append(text);
  }

 private:
  [[nodiscard]] std::optional<std::string> value_of(std::string_view mark) const {
    const auto colon = mark.find(':');
    if (colon != std::string_view::npos) return runbook(mark.substr(colon + 1), mark.substr(0, colon));
    const auto known = values_.find(mark);
    return known == values_.end() ? std::nullopt : std::optional(known->second);
  }
  [[nodiscard]] std::optional<std::string> runbook(std::string_view name, std::string_view kind) const {
    const auto& links = site_.links;
    // There is no daemon to have a page.
    if (links.runbook.empty() && kind != "runbook" && links.page.empty()) return std::nullopt;
    auto all = links;
    if (all.page.empty()) all.page = kTarget;
    return runbook_address(all, name);
  }

  const Site& site_;
  std::map<std::string, std::string, std::less<>> values_;
};

/// The lines of a template behind its first one, which is a note for whoever has the source.
std::string filled(std::string_view text, const Filler& filler, std::string_view indent) {
  std::string out;
  text.remove_prefix(std::min(text.find('\n') + 1, text.size()));
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    if (const auto line = filler.line(text.substr(0, end))) out += fmt::format("{}{}\n", indent, *line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string object_head(std::string_view name) {
  return fmt::format(
      "---\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {}\n  labels:\n"
      "    app.kubernetes.io/name: dupwatch\n    release: kube-prometheus-stack\nspec:\n",
      name);
}

}  // namespace

std::string runbook_address(const Links& links, std::string_view alert) {
  constexpr std::string_view kName = "{name}";
  auto url = links.runbook.empty() ? links.page + "/runbooks" : links.runbook;
  if (url.find(kName) == std::string::npos) url += url.ends_with('/') ? "{name}" : "/{name}";
  for (auto at = url.find(kName); at != std::string::npos; at = url.find(kName, at + alert.size())) {
    url.replace(at, kName.size(), alert);
  }
  return url;
}

std::vector<std::pair<std::string, std::string>> threshold_defaults() {
  std::vector<std::pair<std::string, std::string>> out;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  const simdjson::padded_string text(embedded_file("thresholds.json"));
  if (parser.parse(text).get(object) != simdjson::SUCCESS) return out;
  for (const auto& [key, value] : object) {
    std::string_view standard;
    if (value.get(standard) == simdjson::SUCCESS) out.emplace_back(key, standard);
  }
  return out;
}

std::vector<std::string> problems_of(const Site& site) {
  std::vector<std::string> out;
  const auto defaults = threshold_defaults();
  for (const auto& [name, value] : site.thresholds) {
    const auto known = std::ranges::find(defaults, name, [](const auto& pair) { return pair.first; });
    if (known == defaults.end()) {
      std::string all;
      for (const auto& [other, standard] : defaults) all += fmt::format("\n  {}={}", other, standard);
      out.push_back(fmt::format("there is no threshold {}; these are, with their defaults:{}",
                                core::visible(name), all));
      continue;
    }
    const bool duration = is_duration(known->second);
    if (duration ? is_duration(value) : number_of(value).has_value()) continue;
    out.push_back(fmt::format("threshold {}: found {}, expected {} such as {}", name, core::visible(value),
                              duration ? "a duration" : "a number", known->second));
  }
  const auto address = [&](std::string_view what, const std::string& url) {
    if (url.empty() || is_address(url)) return;
    out.push_back(
        fmt::format("{}: found {}, expected an address such as https://monitoring.example.org/dupwatch", what,
                    core::visible(url)));
  };
  address("the page", site.links.page);
  address("the runbooks", site.links.runbook);
  address("the dashboard", site.links.dashboard);
  if (site.job.empty() || !is_plain(site.job, "-._~:/")) {
    out.push_back(
        fmt::format("the job: found {}, expected letters, digits and -._~:/", core::visible(site.job)));
  }
  if (site.slots.empty() || !is_plain(site.slots, "_.*+|()[]-")) {
    out.push_back(fmt::format("the slots: found {}, expected a regular expression for their names",
                              core::visible(site.slots)));
  }
  return out;
}

std::string rule_file(const Site& site, RuleFormat format, bool exporters) {
  const Filler filler(site);
  const auto own = embedded_file("dupwatch.rules.yml");
  const auto others = embedded_file("slots.rules.yml");
  if (format == RuleFormat::kPrometheus) {
    // One list of groups.
    auto out = filled(own, filler, "");
    if (exporters) out += filled(others, filler, "").substr(std::string_view("groups:\n").size());
    return out;
  }
  auto out = object_head("dupwatch") + filled(own, filler, "  ");
  if (exporters) out += object_head("dupwatch-slots") + filled(others, filler, "  ");
  return out;
}

}  // namespace dupwatch::monitoring
