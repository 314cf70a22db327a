#include "daemon/core/page_link.hpp"

#include <fmt/format.h>

#include "daemon/core/finding.hpp"

namespace dupwatch::core {
namespace {

/// RFC 3986, section 2.3: what needs no encoding anywhere.
[[nodiscard]] bool unreserved(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

[[nodiscard]] std::string percent_encoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (unreserved(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

std::string finding_link(std::string_view external_url, std::uint64_t finding_id) {
  if (external_url.empty()) return {};
  return fmt::format("{}/#finding={}", external_url, finding_id_text(finding_id));
}

std::string run_link(std::string_view external_url, std::string_view run_id) {
  if (external_url.empty()) return {};
  return fmt::format("{}/#run={}", external_url, percent_encoded(run_id));
}

std::string_view url_host(std::string_view url) noexcept {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('/'));
  if (url.starts_with('[')) return url.substr(0, url.find(']') + 1);
  return url.substr(0, url.find(':'));
}

}  // namespace dupwatch::core
