#pragma once

#include <string>
#include <string_view>

#include "daemon/core/profile.hpp"
#include "daemon/web/request_rules.hpp"
#include "daemon/web/status_store.hpp"

/// What each path answers, as a function of the store and the time: no sockets, so that tests call it
/// directly.
namespace dupwatch::web {

struct Request {
  std::string_view method;
  /// Decoded, without the query.
  std::string_view path;
  /// What follows the '?', undecoded.
  std::string_view query;
  /// Has shown the password, or none is needed.
  bool known = true;
  /// How /metrics is to be written.
  MetricsFormat metrics = MetricsFormat::kText;
};

inline constexpr std::string_view kJsonContentType = "application/json; charset=utf-8";

struct Response {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string body;
  /// Value of Allow for status 405.
  std::string_view allow = "GET, HEAD";
  /// It is worth compressing for a client that takes that.
  bool compressible = false;
};

[[nodiscard]] Response respond(const Request& request, const StatusStore& store, const core::Profile& profile,
                               StatusStore::Clock::time_point now);

/// Whether the path is a probe of the process's supervisor. A stranger is answered there too, but not told
/// why: the reason may name hosts, tables and roles.
[[nodiscard]] bool is_probe(std::string_view path) noexcept;

/// The answer to a stranger everywhere else.
[[nodiscard]] Response unauthorized();

/// An answer of one sentence.
[[nodiscard]] Response plain(int status, std::string_view text);

}  // namespace dupwatch::web
