#include "daemon/monitoring/runbooks.hpp"

#include <algorithm>

#include "daemon/monitoring/embedded.hpp"

namespace dupwatch::monitoring {
namespace {

constexpr std::string_view kEnding = ".md";

}  // namespace

std::vector<std::string_view> runbook_names() {
  std::vector<std::string_view> out;
  for (const auto& file : embedded_files()) {
    if (file.name.ends_with(kEnding)) out.push_back(file.name.substr(0, file.name.size() - kEnding.size()));
  }
  std::ranges::sort(out);
  return out;
}

std::string_view runbook(std::string_view alert) noexcept {
  for (const auto& file : embedded_files()) {
    if (file.name.size() == alert.size() + kEnding.size() && file.name.starts_with(alert) &&
        file.name.ends_with(kEnding)) {
      return file.text;
    }
  }
  return {};
}

}  // namespace dupwatch::monitoring
