#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/core/rule.hpp"
#include "decoder/change.hpp"

/// What a person says of a finding that stands: it is known, and nobody need be called for it for a while.
namespace dupwatch::core {

struct Acknowledgement {
  static constexpr std::size_t kByBytesMax = 100;
  static constexpr std::size_t kCommentBytesMax = 1000;
  /// No acknowledgement lasts longer.
  static constexpr std::int64_t kDaysMax = 366;

  /// Who, as far as the daemon knows, and why.
  std::string by;
  std::string comment;
  decoder::Timestamp at;
  decoder::Timestamp until;
  /// Of the finding when it was acknowledged: one that gets worse is open again.
  Severity severity = Severity::kUnknown;

  friend bool operator==(const Acknowledgement&, const Acknowledgement&) = default;
};

/// Whether a person who has acknowledged the second would want to know of the first.
[[nodiscard]] bool is_worse(Severity severity, Severity than) noexcept;

/// The end of an acknowledgement that begins at `now`: a time as RFC 3339 has it, or how long, "90m", "8h",
/// "7d", "2w". nullopt: neither, not after `now`, or more than kDaysMax away.
[[nodiscard]] std::optional<decoder::Timestamp> parse_until(std::string_view text, decoder::Timestamp now);

/// As one JSON object.
[[nodiscard]] std::string to_json(const Acknowledgement& acknowledgement);

/// The acknowledgements that are in force, by finding id. Not thread-safe.
class Acknowledgements {
 public:
  /// With texts of the greatest length 12 MB.
  static constexpr std::size_t kMax = 10'000;

  /// Takes the place of an earlier one. False: there are kMax.
  [[nodiscard]] bool put(std::uint64_t finding_id, Acknowledgement acknowledgement);
  /// False: there is none.
  bool remove(std::uint64_t finding_id);
  /// nullptr: there is none.
  [[nodiscard]] const Acknowledgement* find(std::uint64_t finding_id) const noexcept;
  /// Takes out those whose end has come, and gives their finding ids.
  [[nodiscard]] std::vector<std::uint64_t> take_expired(decoder::Timestamp now);
  [[nodiscard]] std::vector<std::uint64_t> ids() const;
  [[nodiscard]] std::size_t size() const noexcept { return by_id_.size(); }

 private:
  std::unordered_map<std::uint64_t, Acknowledgement> by_id_;
  /// By their end.
  std::set<std::pair<std::int64_t, std::uint64_t>> ends_;
};

}  // namespace dupwatch::core
