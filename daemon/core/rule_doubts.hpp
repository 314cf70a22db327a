#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/instant.hpp"
#include "daemon/core/slot_holes.hpp"

namespace dupwatch::core {

/// Runs in which something is missing, as the rules about openers and about holes understand it: the runs to
/// ask the table about, and when. It may be in a transaction that has not committed, so it must last, and the
/// table has the last word. Not thread-safe. What SlotHoles does beyond this, to remember what the table said
/// and what the stream has filled since, these rules have no use for: a run is asked about once for each row
/// that raises a doubt.
class RuleDoubts {
 public:
  static constexpr std::chrono::seconds kLasts{5};
  static constexpr std::chrono::seconds kRetry{1};
  /// Runs that wait at once; what is more is not asked about.
  static constexpr std::size_t kRunsMax = 50'000;

  void note(std::string_view run_id, Instant now);
  /// Up to `count` runs to ask the table about; each is to be answered or put off.
  [[nodiscard]] std::vector<std::string> due(Instant now, std::size_t count);
  /// When due() has something; max() = nothing waits.
  [[nodiscard]] Instant next_due() const noexcept { return next_; }
  /// The question had no answer.
  void put_off(std::string_view run_id, Instant now);
  /// The stream starts again elsewhere, or the table was truncated.
  void clear() noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return runs_.size(); }

 private:
  void ask_at(std::string_view run_id, Instant when);

  std::map<std::string, Instant, std::less<>> runs_;
  /// Not later than the first that is due.
  Instant next_ = Instant::max();
};

/// What is missing, and may yet come.
struct LateRows {
  SlotHoles slots;
  RuleDoubts rules;
  /// What is known of rows: they are gone from the table.
  void clear() noexcept {
    slots.clear();
    rules.clear();
  }
};

}  // namespace dupwatch::core
