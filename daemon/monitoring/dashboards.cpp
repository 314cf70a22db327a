#include "daemon/monitoring/dashboards.hpp"

#include "daemon/monitoring/embedded.hpp"

namespace dupwatch::monitoring {
namespace {

// As dashboards/source/panels.mjs writes it.
constexpr std::string_view kPage = "http://${instance}";
constexpr std::string_view kRunbooks = "/runbooks/";

}  // namespace

std::string dashboard(std::string_view name, const Links& links) {
  auto rest = embedded_file(std::string(name) + ".json");
  std::string out;
  Links all = links;
  if (all.page.empty()) all.page = kPage;
  for (auto at = rest.find(kPage); at != std::string_view::npos; at = rest.find(kPage)) {
    out += rest.substr(0, at);
    rest.remove_prefix(at + kPage.size());
    if (!rest.starts_with(kRunbooks)) {
      out += all.page;
      continue;
    }
    const auto end = rest.find('"');
    out += runbook_address(all, rest.substr(kRunbooks.size(), end - kRunbooks.size()));
    rest.remove_prefix(end);
  }
  return out.append(rest);
}

}  // namespace dupwatch::monitoring
