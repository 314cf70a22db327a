// The web configuration file: no input may crash the parser, and what it takes is what the server can work
// with.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <variant>

#include "daemon/config/web_config_file.hpp"

namespace {

void require(bool what) {
  if (!what) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dupwatch;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto result = config::parse_web_config(text, "/etc/web.yml");
  if (const auto* problems = std::get_if<std::vector<config::ConfigProblem>>(&result)) {
    require(!problems->empty());
    for (const auto& problem : *problems) {
      const auto line = config::format_problem(problem);
      for (const char c : line) require(static_cast<unsigned char>(c) >= 0x20);
    }
    return 0;
  }
  const auto& web = std::get<core::WebConfig>(result);
  for (const auto& user : web.users) {
    require(user.hash.size() == 60 && user.name.find(':') == std::string::npos);
  }
  for (const auto& [name, value] : web.headers) {
    require(!value.empty());
    for (const char c : value) require(static_cast<unsigned char>(c) >= 0x20);
  }
  require(web.rate_interval.count() >= 0);
  if (web.tls.enabled) {
    require(web.tls.cert.given() && web.tls.key.given());
    require(web.tls.min_version <= web.tls.max_version);
    require(web.tls.cert.file.empty() || web.tls.cert.file.starts_with("/"));
  }
  return 0;
}
