#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/instant.hpp"

namespace dupwatch::core {

/// Runs whose slot numbers, as the stream has brought them, leave a hole: the runs to ask the table about,
/// and when. A hole is none while the writer of its slot has not committed, so it must last. The stream may
/// lack rows of types that no rule knows, so the table has the last word. Not thread-safe.
class SlotHoles {
 public:
  /// So long a hole must last; engines themselves wait 0.2 s.
  static constexpr std::chrono::seconds kLasts{5};
  /// A hole that was told is asked for so often: its run may have been deleted.
  static constexpr std::chrono::minutes kAskedAgain{1};
  /// Runs that are remembered; of more holes at once the others are found by the periodic look at the tables.
  static constexpr std::size_t kRunsMax = 10'000;

  /// A row of a run came, which has now `rows` rows, all with slot numbers, of which `greatest` is the
  /// largest.
  void note(std::string_view run_id, std::uint64_t rows, std::uint64_t greatest, Instant now);
  /// Up to `count` runs to ask the table about; they are asked again only when their time comes again.
  [[nodiscard]] std::vector<std::string> due(Instant now, std::size_t count);
  /// When due() has something; max() = nothing waits.
  [[nodiscard]] Instant next_due() const noexcept { return next_; }
  /// What the table said of a run that was due.
  void answered(std::string_view run_id, bool hole, Instant now);
  /// The question had no answer.
  void unanswered(std::string_view run_id, Instant now);
  /// The table has shown the hole, and since then neither it nor the stream has shown it filled.
  [[nodiscard]] bool told(std::string_view run_id) const;
  /// The stream starts again elsewhere, or the table was truncated.
  void clear() noexcept {
    runs_.clear();
    next_ = Instant::max();
  }
  [[nodiscard]] std::size_t size() const noexcept { return runs_.size(); }

 private:
  struct Run {
    /// Slots that are not there, slot 1 among them.
    std::uint64_t missing = 0;
    /// max() = not to be asked about: the table has no hole with so many missing.
    Instant due{};
    bool told = false;
    /// The stream has filled a hole, and the table was not asked since.
    bool filled = false;
  };
  void ask_at(Run& run, Instant when) noexcept;

  std::map<std::string, Run, std::less<>> runs_;
  /// Not later than the first that is due.
  Instant next_ = Instant::max();
};

}  // namespace dupwatch::core
