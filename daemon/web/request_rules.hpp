#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a request may say about where it comes from and what it is for. Pure; the input is a stranger's.
namespace dupwatch::web {

/// A request target in its parts.
struct Target {
  /// host[:port] of an absolute-form target, else empty.
  std::string authority;
  /// Decoded.
  std::string path;
  /// Undecoded.
  std::string query;
};

/// nullopt: not a target of RFC 9112, or one with bytes that no path of ours has (controls, a bad escape).
[[nodiscard]] std::optional<Target> parse_target(std::string_view text);

/// Cuts `text` behind the first `separator`; the part before it, all of it where there is none.
[[nodiscard]] std::string_view take_part(std::string_view& text, char separator);

/// nullopt for a bad escape, or one that stands for a control character.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

/// host[:port] in its parts.
struct Authority {
  /// In lower case, without brackets and without the dot of the root.
  std::string host;
  /// Empty when there is none.
  std::string port;
};

[[nodiscard]] std::optional<Authority> parse_authority(std::string_view text);

/// Which names a request may be for. A web site can have its own name point to this address and read the
/// answers as its own (DNS rebinding); its name is then in Host. Immutable.
class HostRules {
 public:
  /// `listen` is the address listened on. `names` are further names: one alone, "*.example.org" for all below
  /// it, or "*" for any.
  HostRules(std::string_view listen, std::vector<std::string> names);

  /// An address in figures is always admitted, no name can point to it. So are localhost and, where more than
  /// the loopback is listened on, a name without a dot, which nobody can register.
  [[nodiscard]] bool admits(std::string_view host) const;
  /// Nobody but this host is listened to.
  [[nodiscard]] bool loopback() const noexcept { return loopback_; }

 private:
  bool loopback_;
  std::vector<std::string> names_;
};

/// Whether a request that changes something may come from where it comes from: a browser says so by itself,
/// a program says nothing. `origin` and `fetch_site` are the headers Origin and Sec-Fetch-Site, empty when
/// they are not there; `host` is the request's.
[[nodiscard]] bool is_same_origin(std::string_view origin, std::string_view fetch_site,
                                  const Authority& host);

enum class MetricsFormat { kText, kOpenMetrics };

/// By the header Accept.
[[nodiscard]] MetricsFormat metrics_format(std::string_view accept);

/// By the header Accept-Encoding.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);

}  // namespace dupwatch::web
