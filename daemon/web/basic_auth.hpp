#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/config.hpp"

namespace dupwatch::web {

/// HTTP's Basic authentication (RFC 7617) for one user. Immutable, so any thread may ask it.
class BasicAuth {
 public:
  /// `config` must be enabled().
  explicit BasicAuth(const core::BasicAuthConfig& config);

  /// Whether the value of the header Authorization names the user and the password. The time it takes depends
  /// on what was sent alone, not on how much of it is right.
  [[nodiscard]] bool admits(std::string_view authorization) const;

 private:
  /// Filled up with zeros to the size of every comparison.
  std::string wanted_;
  std::size_t wanted_bytes_;
};

/// The bytes that `text` stands for; nullopt when it is not base64 with its padding.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace dupwatch::web
