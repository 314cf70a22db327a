#include "daemon/web/request_rules.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace dupwatch::web {
namespace {

constexpr std::size_t kHostBytesMax = 255;

[[nodiscard]] char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] std::string lowered(std::string_view text) {
  std::string out{text};
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

[[nodiscard]] bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

[[nodiscard]] std::optional<unsigned> hex_digit(char c) noexcept {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  c = lower(c);
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10U;
  return std::nullopt;
}

[[nodiscard]] bool is_visible(char c) noexcept {
  return c > 0x20 && c < 0x7F;
}

[[nodiscard]] bool is_address(int family, std::string_view text) {
  std::array<unsigned char, sizeof(in6_addr)> buffer{};
  return inet_pton(family, std::string{text}.c_str(), buffer.data()) == 1;
}

[[nodiscard]] bool is_loopback(std::string_view host) {
  return host == "::1" || host == "localhost" || (is_address(AF_INET, host) && host.starts_with("127."));
}

[[nodiscard]] bool is_name_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_' || c == '.';
}

[[nodiscard]] std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// One element of Accept or Accept-Encoding.
struct Choice {
  std::string name;
  double quality = 1;
};

[[nodiscard]] std::vector<Choice> choices_of(std::string_view header) {
  std::vector<Choice> out;
  while (!header.empty()) {
    auto rest = take_part(header, ',');
    Choice choice{.name = lowered(trimmed(take_part(rest, ';')))};
    while (!rest.empty()) {
      const auto parameter = trimmed(take_part(rest, ';'));
      if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
      const auto digits = parameter.substr(2);
      choice.quality = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), choice.quality);
    }
    if (!choice.name.empty()) out.push_back(std::move(choice));
  }
  return out;
}

[[nodiscard]] double quality_of(const std::vector<Choice>& choices, std::string_view name) {
  double best = 0;
  for (const auto& choice : choices) {
    if (choice.name == name) best = std::max(best, choice.quality);
  }
  return best;
}

}  // namespace

std::string_view take_part(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const auto part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const auto high = hex_digit(text[i + 1]);
    const auto low = hex_digit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    const auto byte = *high * 16U + *low;
    if (byte < 0x20 || byte == 0x7F) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

std::optional<Target> parse_target(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, is_visible) || text.find('#') != std::string_view::npos) {
    return std::nullopt;
  }
  Target target;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (lowered(text.substr(0, scheme.size())) != scheme) continue;
    text.remove_prefix(scheme.size());
    const auto end = std::min(text.find_first_of("/?"), text.size());
    target.authority = text.substr(0, end);
    text.remove_prefix(end);
    if (target.authority.empty()) return std::nullopt;
    break;
  }
  if (target.authority.empty() && text.front() != '/' && text != "*") return std::nullopt;
  auto path = percent_decoded(take_part(text, '?'));
  if (!path) return std::nullopt;
  target.path = path->empty() ? "/" : *std::move(path);
  target.query = text;
  return target;
}

std::optional<Authority> parse_authority(std::string_view text) {
  Authority out;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    out.host = lowered(text.substr(1, end - 1));
    if (!is_address(AF_INET6, out.host)) return std::nullopt;
    port = text.substr(end + 1);
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    out.host = lowered(text.substr(0, colon));
    port = text.substr(colon);
    if (out.host.ends_with('.')) out.host.pop_back();
    if (out.host.empty() || out.host.size() > kHostBytesMax || !std::ranges::all_of(out.host, is_name_byte)) {
      return std::nullopt;
    }
  }
  if (port.empty() || port == ":") return out;
  if (port.front() != ':') return std::nullopt;
  port.remove_prefix(1);
  if (port.size() > 5 || !std::ranges::all_of(port, is_digit)) return std::nullopt;
  out.port = port;
  return out;
}

HostRules::HostRules(std::string_view listen, std::vector<std::string> names)
    : loopback_(is_loopback(listen)), names_(std::move(names)) {
  for (auto& name : names_) name = lowered(name);
}

bool HostRules::admits(std::string_view host) const {
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  if (is_address(AF_INET, host) || is_address(AF_INET6, host)) return true;
  if (!loopback_ && host.find('.') == std::string_view::npos) return true;
  return std::ranges::any_of(names_, [&](std::string_view name) {
    if (name == "*" || name == host) return true;
    return name.starts_with("*.") && host.size() > name.size() - 1 && host.ends_with(name.substr(1));
  });
}

bool is_same_origin(std::string_view origin, std::string_view fetch_site, const Authority& host) {
  if (!fetch_site.empty() && fetch_site != "same-origin" && fetch_site != "none") return false;
  if (origin.empty()) return true;
  const bool tls = origin.starts_with("https://");
  if (!tls && !origin.starts_with("http://")) return false;
  const auto from = parse_authority(origin.substr(tls ? 8 : 7));
  if (!from || from->host != host.host) return false;
  const std::string_view usual = tls ? "443" : "80";
  const auto port_of = [&](const Authority& authority) -> std::string_view {
    return authority.port.empty() ? usual : std::string_view{authority.port};
  };
  return port_of(*from) == port_of(host);
}

MetricsFormat metrics_format(std::string_view accept) {
  const auto choices = choices_of(accept);
  const auto open = quality_of(choices, "application/openmetrics-text");
  return open > 0 && open >= quality_of(choices, "text/plain") ? MetricsFormat::kOpenMetrics
                                                               : MetricsFormat::kText;
}

bool accepts_gzip(std::string_view accept_encoding) {
  const auto choices = choices_of(accept_encoding);
  const bool named = std::ranges::any_of(choices, [](const Choice& c) { return c.name == "gzip"; });
  return quality_of(choices, named ? "gzip" : "*") > 0;
}

}  // namespace dupwatch::web
