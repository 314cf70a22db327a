#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The alert rules of this version with a site's own thresholds and addresses. Pure.
namespace dupwatch::monitoring {

/// Addresses that alerts and dashboards link to.
struct Links {
  /// Of the daemon's own page, without a slash at its end; empty: what Prometheus scrapes.
  std::string page{};
  /// Where the runbooks are, "{name}" being an alert's; empty: on the daemon's own page.
  std::string runbook{};
  /// Of the overview in Grafana; empty: no link to it.
  std::string dashboard{};
};

/// Of an alert's runbook; with an empty links.runbook on links.page.
[[nodiscard]] std::string runbook_address(const Links& links, std::string_view alert);

struct Site {
  Links links{};
  /// The job label under which dupwatch is scraped.
  std::string job = "dupwatch";
  /// A regular expression for the names of its slots, for rules on the metrics of other exporters.
  std::string slots = "dupwatch.*";
  /// Thresholds that are not to be the default, as the user wrote them.
  std::map<std::string, std::string, std::less<>> thresholds{};
};

enum class RuleFormat : std::uint8_t {
  kPrometheus,  ///< a rule file
  kOperator     ///< PrometheusRule objects of prometheus-operator
};

/// The names of all thresholds with their defaults, in the order of the rules.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> threshold_defaults();

/// Every sentence on what is wrong with it; empty = nothing.
[[nodiscard]] std::vector<std::string> problems_of(const Site& site);

/// The rules on dupwatch's own metrics and, `exporters`, on those that others have of its slots: in one
/// document of YAML, or two. `site` has no problems.
[[nodiscard]] std::string rule_file(const Site& site, RuleFormat format, bool exporters);

}  // namespace dupwatch::monitoring
