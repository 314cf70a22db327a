#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/log_traits.hpp"
#include "daemon/core/replay_rules.hpp"
#include "daemon/core/run_log.hpp"
#include "daemon/core/slot_gap.hpp"
#include "daemon/process/clock.hpp"

struct pg_result;

namespace dupwatch::table {

/// One run as replay reads it: its rows in the order of their ids, and what the rules say of each. Pure but
/// for reading the rows.
class JudgedRun {
 public:
  struct Event {
    std::string id;
    std::string type;
    std::optional<std::string> correlation_id;
    decoder::Xid xid = 0;
    /// Commit time where the server keeps it, else created_at with its zone, else the time in the id; 0 = not
    /// known.
    decoder::Timestamp time;
    /// The identity columns, NULL as nullopt.
    std::vector<std::optional<std::string>> identity{};
  };
  using RowIds = std::set<std::string, std::less<>>;
  /// What is to become of rows.
  enum class Rewrite : std::uint8_t {
    kRemoved,
    kNoop  ///< they keep their place, with a type that says nothing
  };

  JudgedRun(const core::Config& config, std::string run_id, const core::LogTraits& traits);
  /// The run as it would be with these rows rewritten, judged.
  JudgedRun(const JudgedRun& run, const RowIds& rows, Rewrite rewrite);
  /// A row of run_rows_query, in order.
  void add(const pg_result& result, int index);
  /// The same from its values alone.
  void add(Event event);
  /// All rows are there.
  void judge();

  /// Somebody has acknowledged the finding with this id, as `said` shows; nothing where there is none.
  void acknowledge(const core::Finding& said);

  [[nodiscard]] const std::string& run_id() const noexcept { return run_id_; }
  [[nodiscard]] const std::vector<Event>& events() const noexcept { return events_; }
  /// With the severity for the run's own engine generation.
  [[nodiscard]] const std::vector<core::Finding>& findings() const noexcept { return findings_; }
  /// Something in the log is fatal to a run that goes on.
  [[nodiscard]] bool fails() const noexcept;
  /// Findings whose row at fault is events()[index], as indices into findings().
  [[nodiscard]] std::vector<std::size_t> findings_at(std::size_t event) const;
  /// Events that begin a step's body again although the retries before them do not explain it, as indices
  /// into events(): no findings.
  [[nodiscard]] std::vector<std::size_t> begun_again() const;
  [[nodiscard]] core::Engine engine() const noexcept { return engine_.engine; }
  [[nodiscard]] core::EngineFrom engine_from() const noexcept { return engine_.from; }
  /// The worst severity for a generation; nullopt = no rule speaks.
  [[nodiscard]] std::optional<core::Severity> worst(core::Engine engine) const;
  [[nodiscard]] bool slot_numbered() const noexcept { return log_.first_slot() != core::RunLog::kNone; }
  /// The type that ended the run, empty while it goes on.
  [[nodiscard]] std::string end_type() const;
  /// Hooks that are created and not disposed of, and waits that are created and not completed.
  [[nodiscard]] std::vector<std::string> open_entities(std::string_view kind) const;

 private:
  void keep(Event event);

  const core::Config& config_;
  std::string run_id_;
  core::TokenCodec codec_{process::random_seed()};
  core::ReplayRules rules_;
  core::RunLog log_;
  core::SlotNumbers slots_;
  std::vector<Event> events_;
  std::vector<core::Finding> findings_;
  std::array<std::optional<core::Severity>, core::kEngines> worst_{};
  core::LogTraits traits_;
  core::TakenEngine engine_;
};

/// What an engine of that generation does with the run, in a few words. `ended`: otherwise than by a failure.
[[nodiscard]] std::string_view outcome_text(std::optional<core::Severity> worst, bool ended) noexcept;

}  // namespace dupwatch::table
