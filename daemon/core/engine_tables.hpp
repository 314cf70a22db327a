#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What the engine's tables beside the log show of work that goes wrong and leaves no trace in the log.
namespace dupwatch::core {

/// Closed: metric labels and `kind` in the log.
enum class EngineTableTrouble : std::uint8_t {
  kHookToken,   ///< more than one live hook holds one token
  kSilentWait,  ///< a wait is completed and the log has no wait_completed: its run is woken again and again
  kGivenUpJob   ///< a job of the queue has used up its attempts, and nobody takes it any more
};
inline constexpr std::size_t kEngineTableTroubles = 3;
[[nodiscard]] std::string_view to_string(EngineTableTrouble kind) noexcept;
/// What it means, and what to do about it, for people.
[[nodiscard]] std::string_view meaning_of(EngineTableTrouble kind) noexcept;
[[nodiscard]] std::string_view remedy_of(EngineTableTrouble kind) noexcept;

struct EngineTableRow {
  /// Empty where the table does not tell.
  std::string run_id;
  /// What tells this row from others: ids of hooks, the wait, the task and number of the job. Never a token.
  std::string what;
  friend bool operator==(const EngineTableRow&, const EngineTableRow&) = default;
};

/// As of the last look.
struct EngineTablesStatus {
  /// Rows that lasted; nullopt: the table is not there, too large or may not be read.
  std::array<std::optional<std::uint64_t>, kEngineTableTroubles> rows{};
  /// Jobs that were put into the queue since the server's statistics began; nullopt: not known.
  std::optional<std::uint64_t> jobs;
  /// Of the rows that lasted as many as are shown.
  std::vector<std::pair<EngineTableTrouble, EngineTableRow>> shown{};
  static constexpr std::size_t kShownMax = 50;
};

/// Which rows last: what one look shows alone may be on its way. Not thread-safe.
class EngineTableBook {
 public:
  /// Of one look at one table; the rest is neither told nor counted.
  static constexpr std::size_t kRowsMax = 100;

  /// The rows of a look at one table. Those that two looks in a row show, and that were not told before.
  [[nodiscard]] std::vector<EngineTableRow> seen(EngineTableTrouble kind, std::vector<EngineTableRow> rows);
  /// The table can't be looked at.
  void unreadable(EngineTableTrouble kind);
  /// How many rows last.
  [[nodiscard]] std::optional<std::uint64_t> lasting(EngineTableTrouble kind) const;
  /// Fills `rows` and `shown`; of several kinds each has its part of what is shown.
  void describe(EngineTablesStatus& out) const;

 private:
  struct Row {
    EngineTableRow row;
    bool lasts = false;
  };
  struct Table {
    bool readable = false;
    std::vector<Row> rows;
  };
  std::array<Table, kEngineTableTroubles> tables_;
};

}  // namespace dupwatch::core
