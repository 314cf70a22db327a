#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "daemon/config/values.hpp"
#include "daemon/core/text.hpp"

namespace dupwatch::config {
namespace {

// NAMEDATALEN - 1 of every Postgres that was not compiled specially.
constexpr std::size_t kIdentifierBytesMax = 63;
// A type name becomes a metric label and is stored per type, not per row.
constexpr std::size_t kTypeNameBytesMax = 128;
// Both fit into a header that the HTTP server takes, in base64 as well.
constexpr std::size_t kExternalUrlBytesMax = 1024;
constexpr std::size_t kUserBytesMax = 255;
constexpr std::size_t kPasswordBytesMax = 1024;
// sun_path and file systems stop well before; libpq has no limit for a conninfo.
constexpr std::size_t kTextBytesMax = 8192;

[[nodiscard]] bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

[[nodiscard]] bool has_control(std::string_view text) noexcept {
  return std::ranges::any_of(text, is_control);
}

[[nodiscard]] bool is_identifier(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kIdentifierBytesMax && !has_control(text);
}

/// Takes one part of a qualified name off `rest`; nullopt when it is not well-formed.
[[nodiscard]] std::optional<std::string> take_name_part(std::string_view& rest) {
  if (rest.empty() || rest.front() != '"') {
    const auto end = std::min(rest.find('.'), rest.size());
    std::string part{rest.substr(0, end)};
    rest.remove_prefix(end);
    if (part.find('"') != std::string::npos) return std::nullopt;
    return part;
  }
  rest.remove_prefix(1);
  std::string part;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c != '"') {
      part += c;
      continue;
    }
    if (rest.empty() || rest.front() != '"') return part;
    part += '"';
    rest.remove_prefix(1);
  }
  return std::nullopt;
}

[[nodiscard]] bool is_address(int family, const std::string& text) noexcept {
  std::array<unsigned char, sizeof(in6_addr)> buffer{};
  return inet_pton(family, text.c_str(), buffer.data()) == 1;
}

/// Host as inet_pton understands it; nullopt when `text` is not one.
[[nodiscard]] std::optional<std::string> listen_host(std::string_view text) {
  if (text.empty()) return "0.0.0.0";
  if (text == "localhost") return "127.0.0.1";
  const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
  std::string host{bracketed ? text.substr(1, text.size() - 2) : text};
  if (!is_address(bracketed ? AF_INET6 : AF_INET, host)) return std::nullopt;
  return host;
}

}  // namespace

Parsed<std::string> parse_slot_name(std::string_view text) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  if (!text.empty() && text.size() <= kIdentifierBytesMax && std::ranges::all_of(text, allowed)) {
    return std::string{text};
  }
  return Refusal{"1 to 63 characters out of a-z, 0-9 and _", "Postgres refuses any other slot name"};
}

Parsed<std::string> parse_identifier(std::string_view text) {
  if (!is_identifier(text)) return Refusal{"a name of 1 to 63 bytes", ""};
  if (text.size() > 1 && text.front() == '"' && text.back() == '"') {
    return Refusal{"a name as the catalogue holds it", "remove the double quotes around it"};
  }
  return std::string{text};
}

Parsed<QualifiedName> parse_table_name(std::string_view text) {
  const Refusal refusal{"schema.table",
                        "write the schema too, e.g. public.orders; a name with a dot in it stands "
                        "in double quotes"};
  auto rest = text;
  const auto schema = take_name_part(rest);
  if (!schema || rest.empty() || rest.front() != '.') return refusal;
  rest.remove_prefix(1);
  const auto name = take_name_part(rest);
  if (!name || !rest.empty()) return refusal;
  if (!is_identifier(*schema) || !is_identifier(*name))
    return Refusal{"schema.table of 1 to 63 bytes each", ""};
  return QualifiedName{*schema, *name};
}

Parsed<std::string> parse_type_name(std::string_view text) {
  if (!text.empty() && text.size() <= kTypeNameBytesMax && !has_control(text)) return std::string{text};
  return Refusal{"an event type of 1 to 128 bytes", ""};
}

Parsed<std::string> parse_dsn(std::string_view text) {
  // libpq takes any white space between settings, so that a folded YAML block works.
  const auto refused = [](char c) { return is_control(c) && c != '\n' && c != '\t' && c != '\r'; };
  // A Secret or an environment file often ends with a newline, which would be a part of the last value.
  const auto begin = std::min(text.find_first_not_of(" \t\n\r"), text.size());
  text = text.substr(begin, text.find_last_not_of(" \t\n\r") + 1 - begin);
  if (text.size() <= kTextBytesMax && std::ranges::none_of(text, refused)) return std::string{text};
  return Refusal{"a libpq connection string or URI of at most 8192 bytes without control characters", ""};
}

Parsed<std::string> parse_finding_id(std::string_view text) {
  const auto hexadecimal = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (text.size() == 16 && std::ranges::all_of(text, hexadecimal)) return std::string{text};
  return Refusal{"a finding_id: 16 characters out of 0-9 and a-f", "copy it from the finding's record"};
}

Parsed<std::string> parse_path(std::string_view text) {
  if (text.size() <= kTextBytesMax && !has_control(text)) return std::string{text};
  return Refusal{"a file path of at most 8192 bytes without control characters", ""};
}

Parsed<std::string> parse_url(std::string_view text) {
  const auto authority = [&](std::string_view scheme) {
    return text.starts_with(scheme) && text.size() > scheme.size() && text[scheme.size()] != '/';
  };
  const bool fits =
      text.size() <= kTextBytesMax && !has_control(text) && text.find(' ') == std::string_view::npos;
  if (text.empty() || (fits && (authority("http://") || authority("https://")))) return std::string{text};
  return Refusal{"a URL that begins with https:// or http://, of at most 8192 bytes",
                 "e.g. https://example.org/hook"};
}

Parsed<std::string> parse_external_url(std::string_view text) {
  const Refusal refusal{"http:// or https://, a host and perhaps a path, of at most 1024 bytes",
                        "where a browser finds the page, e.g. https://dupwatch.example.org"};
  if (text.size() > kExternalUrlBytesMax || text.find_first_of("@?#\"'<>\\`") != std::string_view::npos) {
    return refusal;
  }
  const auto url = parse_url(text);
  if (std::holds_alternative<Refusal>(url)) return refusal;
  while (text.ends_with('/')) text.remove_suffix(1);
  return std::string{text};
}

Parsed<std::string> parse_user(std::string_view text) {
  const bool plain = !has_control(text) && text.find(':') == std::string_view::npos;
  if (text.size() <= kUserBytesMax && plain) return std::string{text};
  return Refusal{"a name of at most 255 bytes without control characters",
                 "the colon ends the name in HTTP's basic authentication, so it can't hold one"};
}

Parsed<std::string> parse_password(std::string_view text) {
  if (text.size() <= kPasswordBytesMax && !has_control(text)) return std::string{text};
  return Refusal{"at most 1024 bytes without control characters", ""};
}

Parsed<std::string> parse_secret(std::string_view text) {
  if (text.size() <= kTextBytesMax && !has_control(text)) return std::string{text};
  return Refusal{"at most 8192 bytes without control characters", ""};
}

Parsed<std::string> parse_host_pattern(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  const auto name = text.starts_with("*.") ? text.substr(2) : text;
  if (text == "*" || (!name.empty() && name.size() <= kUserBytesMax && name.front() != '.' &&
                      std::ranges::all_of(name, allowed))) {
    return std::string{text};
  }
  return Refusal{"a host's name without a port, or *.name for all below it, or * for any",
                 "addresses in figures need not be named"};
}

Parsed<core::HttpConfig> parse_listen(std::string_view text) {
  core::HttpConfig http;
  if (text.empty()) {
    http.host.clear();
    return http;
  }
  const Refusal refusal{
      "address:port, or \"\" for no HTTP at all",
      "e.g. 127.0.0.1:9788, [::1]:9788, :9788 for every IPv4 interface; port 0 takes any free one"};
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return refusal;
  const auto port_text = text.substr(colon + 1);
  const auto port = parse_number(port_text, {0, 65'535});
  auto host = listen_host(text.substr(0, colon));
  if (!host || std::holds_alternative<Refusal>(port)) return refusal;
  http.host = std::move(*host);
  http.port = static_cast<std::uint16_t>(std::get<std::uint64_t>(port));
  return http;
}

namespace {

/// Edits (insert, delete, replace, swap of neighbours) between two short words; more than `max` is told as
/// max + 1.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t max) {
  if (a.size() > b.size() + max || b.size() > a.size() + max) return max + 1;
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return std::min(cost[a.size()][b.size()], max + 1);
}

}  // namespace

std::optional<std::string_view> nearest(std::string_view text, std::span<const std::string_view> candidates) {
  std::optional<std::string_view> best;
  // A third of the word: "wal2jsn" finds wal2json, "on" does not find none.
  std::size_t best_distance = std::max<std::size_t>(1, text.size() / 3) + 1;
  for (const auto candidate : candidates) {
    const auto distance = edit_distance(text, candidate, best_distance - 1);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string did_you_mean(std::string_view text, std::span<const std::string_view> candidates) {
  const auto best = nearest(text, candidates);
  return best ? "did you mean " + in_quotes(*best) + "?" : std::string{};
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShownBytesMax = 60;
  auto shown = text;
  if (shown.size() > kShownBytesMax) {
    auto end = kShownBytesMax;
    // Not inside a UTF-8 sequence.
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    shown = text.substr(0, end);
  }
  std::string escaped;
  for (const char c : shown) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  auto out = '"' + core::visible(escaped);
  out += shown.size() < text.size() ? "...\"" : "\"";
  return out;
}

}  // namespace dupwatch::config
