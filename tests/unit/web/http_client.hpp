#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace dupwatch::web {

struct Answer {
  int status = 0;
  /// Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;
};

/// Sends `request` as it is to a loopback address and reads until the server closes; status 0 when there is
/// no answer.
[[nodiscard]] Answer exchange(std::uint16_t port, std::string_view request, bool ipv6 = false);

[[nodiscard]] Answer call(std::uint16_t port, std::string_view method, std::string_view target,
                          bool ipv6 = false);

}  // namespace dupwatch::web
