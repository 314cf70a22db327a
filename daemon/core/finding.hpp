#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/change.hpp"

namespace dupwatch::core {

/// Closed list; each is a metric label.
enum class Rule : std::uint8_t { kDuplicate };
inline constexpr std::size_t kRules = 1;
[[nodiscard]] std::string_view to_string(Rule rule) noexcept;

/// How dupwatch came to see the anomaly: an event of the stream, rows read back for a cold run, or the
/// baseline scan.
enum class Origin : std::uint8_t { kStream, kReadBack, kBaseline };
inline constexpr std::size_t kOrigins = 3;
[[nodiscard]] std::string_view to_string(Origin origin) noexcept;

/// First report of a finding, or a later report because its canonical row or after_close changed.
enum class FindingChange : std::uint8_t { kNew, kChanged };
[[nodiscard]] std::string_view to_string(FindingChange change) noexcept;

/// One of the two rows. What is unknown is empty: a row read back from the table has no commit LSN, and its
/// commit time only where the server has track_commit_timestamp on.
struct RowEvidence {
  std::string id;
  std::optional<decoder::Xid> xid;
  std::optional<decoder::Lsn> commit_lsn;
  std::optional<decoder::Timestamp> commit_time;
};

/// One judged anomaly. `id` is stable over restarts: it depends on table, rule, run and duplicate row alone.
struct Finding {
  std::uint64_t id = 0;
  Rule rule = Rule::kDuplicate;
  FindingChange change = FindingChange::kNew;
  Origin origin = Origin::kStream;
  /// A closing event of the same entity has a smaller id than the duplicate: replay by a 4.x engine fails on
  /// it.
  bool after_close = false;
  std::string table;
  std::string run_id;
  /// Values of the identity columns in the profile's order, nullopt = NULL.
  std::vector<std::optional<std::string>> identity;
  std::string type;
  RowEvidence canonical;
  RowEvidence duplicate;
  std::optional<std::string> closing_id;
  decoder::Timestamp flagged_at;

  /// Commit of the duplicate minus commit of the canonical row; negative when the canonical row committed
  /// second.
  [[nodiscard]] std::optional<std::int64_t> commit_gap_micros() const noexcept;
};

/// "0f3a..." 16 hexadecimal digits.
[[nodiscard]] std::string finding_id_text(std::uint64_t id);

/// ISO 8601 in UTC with microseconds, e.g. 2026-11-24T05:21:38.123456Z.
[[nodiscard]] std::string to_iso8601(decoder::Timestamp time);

/// The finding as one JSON object without newline; the record of findings.file, /api/findings and the JSON
/// log.
[[nodiscard]] std::string to_json(const Finding& finding);

/// JSON string literal incl. quotes; control characters escaped, so that a line stays a line. Every byte that
/// is not part of a UTF-8 character becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace dupwatch::core
