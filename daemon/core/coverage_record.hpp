#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/coverage.hpp"
#include "decoder/lsn.hpp"

namespace dupwatch::core {

/// What coverage is coverage of. Any of it may change while nobody looks.
struct CoverageOrigin {
  std::string system_identifier;
  std::uint32_t timeline = 0;
  std::string slot;
  std::string plugin;
  bool two_phase = false;
  /// pg_class and pg_publication oids; 0 = none.
  std::uint32_t table = 0;
  std::uint32_t publication = 0;
  friend bool operator==(const CoverageOrigin&, const CoverageOrigin&) = default;
};

/// What is known of coverage, as it outlives the process (promise I11).
struct CoverageRecord {
  CoverageOrigin origin;
  /// The server was asked to confirm no position beyond this one.
  decoder::Lsn confirmed;
  std::vector<CoverageGap> open_gaps;
};

/// One line of JSON, newline included.
[[nodiscard]] std::string to_json(const CoverageRecord& record);
/// nullopt: it is damaged, or of a later version.
[[nodiscard]] std::optional<CoverageRecord> read_coverage_record(std::string_view json);

/// What is found at a start or reconnect.
struct CoverageView {
  CoverageOrigin origin;
  /// The stream will begin here.
  decoder::Lsn from;
  decoder::Lsn wal_end;
  /// This attachment made the slot.
  bool slot_created = false;
  /// On a standby the end of WAL goes back at a restart, to where its replay begins.
  bool standby = false;
};

struct FoundGap {
  GapReason reason = GapReason::kUnknownPast;
  decoder::Lsn from;
  decoder::Lsn to;
};

/// Why commits between what was known and what is found may have gone unseen, a reason at most once. Nothing
/// known and a slot just made is a first start, which is not for this to judge: no gap. Pure.
[[nodiscard]] std::vector<FoundGap> compare_coverage(const std::optional<CoverageRecord>& known,
                                                     const CoverageView& found);

}  // namespace dupwatch::core
