#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace dupwatch::cli {

/// Command line of `quarantine`.
struct QuarantineOptions {
  enum class Action : std::uint8_t { kList, kShow, kApply, kRestore, kPurge, kStatus, kResume };
  Action action = Action::kList;
  bool json = false;
  /// A person has said so already.
  bool yes = false;
  bool dry_run = false;
  /// Entries that list shows at most.
  int limit = 100;
  std::optional<std::string> list_run{};
  std::string run_id{};
  std::string finding_id{};
  std::string entry{};
  /// "noop" or empty.
  std::string neutralise{};
  /// Also where the run stays fatal without the row.
  bool partial = false;
  /// apply: a file of findings, "-" = standard input; empty = one finding.
  std::string from_audit{};
  /// apply --from-audit: the rows in the way of the engine's unique index instead of the fatal ones.
  bool before_migration = false;
  /// Rows a second, 0 = no limit.
  double rate = 20;
  std::optional<std::uint64_t> rows_max{};
  /// purge: age of the entries, milliseconds.
  std::uint64_t older_than_millis = 0;
};

}  // namespace dupwatch::cli
