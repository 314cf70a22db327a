#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/core/acknowledgement.hpp"
#include "daemon/web/request_head.hpp"

namespace dupwatch::web {

/// A wish of a client about one finding.
struct AcknowledgeRequest {
  std::uint64_t finding_id = 0;
  /// nullopt: what was said before is taken back.
  std::optional<core::Acknowledgement> acknowledgement;
};

/// Whether the path is /api/findings/ID/acknowledge or /api/findings/ID/unacknowledge.
[[nodiscard]] bool is_acknowledge_path(std::string_view path) noexcept;

/// What a POST to such a path asks for: {"comment":"...","until":"8h","by":"alice"}, `by` optional; nothing
/// to take it back. `user` has shown a password, empty = there is none to show: whoever asks may say a name,
/// and it stands in brackets behind that of the user. What is wrong with it, a sentence.
[[nodiscard]] std::variant<AcknowledgeRequest, std::string> parse_acknowledge(std::string_view path,
                                                                              const RequestHead& head,
                                                                              std::string_view user,
                                                                              decoder::Timestamp now);

}  // namespace dupwatch::web
