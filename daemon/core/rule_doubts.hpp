#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/core/instant.hpp"
#include "daemon/core/slot_holes.hpp"

namespace dupwatch::core {

/// Rows that lack something, as the rules about openers and about holes understand it: the runs to ask the
/// table about, and when. What is missing may be in a transaction that has not committed, so it must last,
/// for each row since its own arrival, and the table has the last word. Not thread-safe. What SlotHoles does
/// beyond this, to remember what the table said and what the stream has filled since, these rules have no use
/// for.
class RuleDoubts {
 public:
  static constexpr std::chrono::seconds kLasts{5};
  static constexpr std::chrono::seconds kRetry{1};
  /// Runs that wait at once; what is more is not asked about.
  static constexpr std::size_t kRunsMax = 50'000;
  /// Rows whose arrival is remembered.
  static constexpr std::size_t kRowsMax = 200'000;

  /// A row lacks something: `finding_id` is what is to be reported of it. False: no room to remember when it
  /// came.
  bool note(std::string_view run_id, std::uint64_t finding_id, Instant now);
  /// Up to `count` runs to ask the table about; each is to be answered or put off.
  [[nodiscard]] std::vector<std::string> due(Instant now, std::size_t count);
  /// When due() has something; max() = nothing waits.
  [[nodiscard]] Instant next_due() const noexcept { return next_; }
  /// Of a run that was asked about: the row had come long enough before.
  [[nodiscard]] bool has_lasted(std::string_view run_id, std::uint64_t finding_id) const;
  /// The table has answered. The run is due again when the youngest row has waited, so that a run in which
  /// something is missing all the time is read no more often than that.
  void answered(std::string_view run_id);
  /// The question had no answer.
  void put_off(std::string_view run_id, Instant now);
  /// The stream starts again elsewhere, or the table was truncated.
  void clear() noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return runs_.size(); }

 private:
  struct Run {
    /// max() = the table is being asked.
    Instant due = Instant::max();
    Instant asked{};
    /// When each row will have waited.
    std::unordered_map<std::uint64_t, Instant> rows;
  };
  void ask_at(Run& run, Instant when);

  std::map<std::string, Run, std::less<>> runs_;
  std::size_t rows_ = 0;
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
