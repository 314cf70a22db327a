#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/cli/findings_watch.hpp"
#include "daemon/core/finding.hpp"

namespace dupwatch::cli {

/// What `findings watch` has printed, so that a list that comes again is told once. Pure.
class PrintedFindings {
 public:
  /// `options` must outlive it.
  PrintedFindings(const WatchOptions& options, bool colours) : options_(options), colours_(colours) {}

  /// What to print of the list as it is now: all of it the first time, then what is new in it.
  [[nodiscard]] std::string list(std::vector<core::Finding> findings, decoder::Timestamp now);
  /// What to print of a report; nothing where it was printed before, or where nobody asked for such.
  [[nodiscard]] std::string one(const core::Finding& finding, decoder::Timestamp now);

 private:
  const WatchOptions& options_;
  bool colours_;
  bool begun_ = false;
  std::unordered_map<std::uint64_t, std::string> known_;
};

}  // namespace dupwatch::cli
