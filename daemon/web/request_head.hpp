#pragma once

#include <optional>
#include <string>

namespace dupwatch::web {

/// What dupwatch looks at of a request, as the client sent it.
struct RequestHead {
  std::string method;
  std::string target;
  /// HTTP/1.0, which knows no Host.
  bool http_1_0 = false;
  /// Empty string: the header is there and empty. Given twice: see `ambiguous`.
  std::optional<std::string> host{};
  std::string authorization{};
  std::string origin{};
  std::string fetch_site{};
  std::string accept{};
  std::string accept_encoding{};
  std::string last_event_id{};
  std::string content_type{};
  /// Of a POST alone, and only up to Connection::kTakenBytesMax with its length said before.
  std::string body{};
  /// Host, Authorization or Origin stand there twice, and others may have read the other one.
  bool ambiguous = false;
};

}  // namespace dupwatch::web
