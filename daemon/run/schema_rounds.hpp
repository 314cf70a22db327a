#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/round_pace.hpp"
#include "daemon/core/schema_history.hpp"
#include "daemon/core/stats.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/postgres/table_form.hpp"
#include "daemon/process/log.hpp"

namespace dupwatch::run {

/// Looks at the engine's schema while the stream goes on: every kInterval, and at once when the stream
/// describes the table again. A change is said in the log, with what became of the rows of known duplicates.
/// Asks the catalogue, the newest runs' spec versions, and by key for rows of known duplicates, on the query
/// connection. Owned by the loop thread.
class SchemaRounds {
 public:
  static constexpr std::chrono::seconds kInterval{2};
  /// Between two looks that the stream asks for: ANALYZE has it describe the table too.
  static constexpr std::chrono::milliseconds kPause{200};
  /// So long the stream is given to come to the migration, before what it brings is taken for later.
  static constexpr std::chrono::seconds kPatience{10};
  /// Known duplicates that are looked for after a migration, and in one query.
  static constexpr std::size_t kDuplicatesMax = 20'000;
  static constexpr std::size_t kAskedMax = 500;

  SchemaRounds(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql, process::Log& log);

  /// A stream begins; what was seen before it stays known. `specs`: LogTraits'.
  void started(postgres::TableForm table, core::SpecSource specs, core::Instant now);
  void tick(core::Instant now);
  [[nodiscard]] core::Instant deadline() const noexcept {
    if (!applies()) return core::Instant::max();
    if (passing_) return next_;
    return busy_ ? core::Instant::max() : pace_.deadline();
  }

  /// What the rest of the daemon has to know of a look, once.
  struct News {
    /// What `engine: auto` stands for now.
    core::AutoEngines engines{};
    /// Rows in memory may be gone from the table.
    bool deleted = false;
  };
  [[nodiscard]] std::optional<News> take() noexcept { return std::exchange(news_, std::nullopt); }
  [[nodiscard]] core::SchemaStatus status() const;

 private:
  using Look = std::shared_ptr<core::SchemaLook>;
  /// What is looked for after a migration.
  struct Search {
    core::SchemaChange change;
    std::vector<core::ReportedFindings::DuplicateRow> known;
    std::set<core::RowKey> present{};
    std::size_t asked = 0;
  };

  [[nodiscard]] bool applies() const noexcept { return config_.profile.runs.has_value(); }
  void ask_schema();
  void ask_signs(const Look& look);
  void ask_specs(const Look& look);
  /// The look is over.
  void seen(const Look& look);
  void not_seen(const std::optional<postgres::Error>& error);
  void ask_position();
  /// The stream is past the migration: what is known of duplicates is all that it met.
  void passed(core::Instant now);
  void search(const std::shared_ptr<Search>& search);
  void tell(core::SchemaChange change);

  const core::Config& config_;
  core::Watch& watch_;
  postgres::SqlClient& sql_;
  process::Log& log_;
  postgres::TableForm table_;
  core::SpecSource specs_ = core::SpecSource::kNone;
  core::SchemaHistory history_;
  /// Seen once: a catalogue that a transaction is changing can be read in part before its commit and in part
  /// after it.
  std::optional<core::MigrationState> unconfirmed_;
  std::optional<News> news_;
  /// A migration that deletes rows, until the stream is past it.
  struct Passing {
    core::SchemaChange change;
    core::AutoEngines engines;
    core::Instant since{};
    /// When the look before it began.
    core::Instant before{};
    /// Not valid: not known yet.
    decoder::Lsn position;
  };
  std::optional<Passing> passing_;
  std::uint64_t relations_ = 0;
  bool busy_ = false;
  core::RoundPace pace_{kInterval};
  /// While a change passes: the next look at the stream's position.
  core::Instant next_ = core::Instant::max();
  core::Instant asked_{};
  /// When the last look began that was answered.
  core::Instant answered_{};
};

}  // namespace dupwatch::run
