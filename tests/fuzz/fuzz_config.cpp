#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/config/config_file.hpp"

// Any bytes give a configuration or at least one problem, and each problem is one printable line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dupwatch::config;
  const std::string text{data, data + size};
  const auto env = [](std::string_view name) -> std::optional<std::string> {
    if (name.starts_with("SET")) return "value of the variable";
    return std::nullopt;
  };
  const auto result = parse_config(text, "fuzz.yaml", env);
  const auto* problems = std::get_if<std::vector<ConfigProblem>>(&result);
  if (problems == nullptr) {
    const auto& config = std::get<dupwatch::core::Config>(result);
    if (config.profile.schema.empty() || config.profile.table.empty() || config.slot.name.empty() ||
        config.profile.types.size() > dupwatch::core::Profile::kTypesMax) {
      std::abort();
    }
    return 0;
  }
  if (problems->empty()) std::abort();
  for (const auto& problem : *problems) {
    for (const char c : format_problem(problem)) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) std::abort();
    }
  }
  return 0;
}
