#include "daemon/web/basic_auth.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace dupwatch::web {
namespace {

constexpr std::string_view kScheme = "basic";
// More than the longest user, colon and password that the configuration takes.
constexpr std::size_t kComparedBytes = 2048;

/// The credentials of a Basic header, still in base64; nullopt for another scheme.
[[nodiscard]] std::optional<std::string_view> basic_token(std::string_view header) {
  const auto lower = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  if (header.size() <= kScheme.size() || header[kScheme.size()] != ' ' ||
      !std::ranges::equal(header.substr(0, kScheme.size()), kScheme, lower)) {
    return std::nullopt;
  }
  header.remove_prefix(std::min(header.find_first_not_of(' ', kScheme.size()), header.size()));
  return header;
}

[[nodiscard]] std::optional<std::uint32_t> sextet(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return static_cast<std::uint32_t>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<std::uint32_t>(c - 'a' + 26);
  if (c >= '0' && c <= '9') return static_cast<std::uint32_t>(c - '0' + 52);
  if (c == '+') return 62;
  if (c == '/') return 63;
  return std::nullopt;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto value = sextet(c);
    if (!value) return std::nullopt;
    bits = (bits << 6U) | *value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xFFU);
  }
  return out;
}

BasicAuth::BasicAuth(const core::BasicAuthConfig& config)
    // The user has no colon, so the two together name one pair only.
    : wanted_(config.user + ":" + config.password), wanted_bytes_(wanted_.size()) {
  wanted_.resize(kComparedBytes);
}

bool BasicAuth::admits(std::string_view authorization) const {
  const auto token = basic_token(authorization);
  auto given = token ? decode_base64(*token) : std::nullopt;
  if (!given || given->size() > kComparedBytes) return false;
  unsigned difference = given->size() == wanted_bytes_ ? 0 : 1;
  given->resize(kComparedBytes);
  for (std::size_t i = 0; i < kComparedBytes; ++i) {
    difference |= static_cast<unsigned char>(wanted_[i] ^ (*given)[i]);
  }
  return difference == 0;
}

}  // namespace dupwatch::web
