#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "daemon/core/backoff.hpp"
#include "daemon/core/durability.hpp"
#include "daemon/core/engine.hpp"
#include "daemon/core/keyed_hash.hpp"
#include "daemon/core/planted.hpp"
#include "daemon/core/rule.hpp"
#include "decoder/decoder.hpp"
#include "tests/oracle/findings.hpp"

namespace dupwatch::sim {

/// Mistakes that the shipped Durability (see core::DurabilityBug), the core (core::Planted) or the shell
/// around it could make. Each must be caught: a simulator that misses one proves nothing about its absence.
enum class Bug : std::uint8_t {
  kNone,
  kConfirmReceived,    ///< confirms what was received, not what was judged
  kConfirmKeepalive,   ///< confirms a keepalive's position whatever is pending
  kConfirmHeartbeat,   ///< confirms the position of a heartbeat that came back
  kConfirmBeforeSync,  ///< takes findings for durable that are written but not synced
  kConfirmFailedSync,  ///< takes a failed sync for a good one
  kRetrySync,          ///< syncs again after a failed sync without writing again
  kForgetReplacement,  ///< takes what went to a file that was deleted for written
  kIgnoreTable,        ///< does not wait for the findings table
  kMarkLate,           ///< gives a mark the position of the time when it is reached
  kSkipReadBack,       ///< says "done" without reading anything back
  kPartialReadBack,    ///< takes a read-back that failed half way for complete
  kStaleReadBack,      ///< reads back through a snapshot from before the request
  kDropReadBackRow,    ///< loses a row of a read-back now and then
  kDropFindings,       ///< loses a batch of findings now and then
  kDropFindingsOnDisconnect,
  kRestoreUnsynced,   ///< takes what a killed process wrote for durable without a sync
  kRestoreOneStore,   ///< takes what the table has for written to the file as well
  kDropMessage,       ///< loses a message of the stream now and then
  kIgnoreStarts,      ///< takes step_started for a type of no interest
  kIgnoreRunEnds,     ///< takes the events that end a run for types of no interest
  kResumeAtReceived,  ///< starts the next stream where the last one broke off
};

/// Where the bug is one of Durability.
struct PlantedBug {
  Bug bug = Bug::kNone;
  [[nodiscard]] constexpr bool has(core::DurabilityBug which) const noexcept {
    switch (which) {
      case core::DurabilityBug::kConfirmBeforeSync:
        return bug == Bug::kConfirmBeforeSync;
      case core::DurabilityBug::kConfirmFailedSync:
        return bug == Bug::kConfirmFailedSync;
      case core::DurabilityBug::kRetrySync:
        return bug == Bug::kRetrySync;
      case core::DurabilityBug::kForgetReplacement:
        return bug == Bug::kForgetReplacement;
      case core::DurabilityBug::kIgnoreTable:
        return bug == Bug::kIgnoreTable;
      case core::DurabilityBug::kMarkLate:
        return bug == Bug::kMarkLate;
    }
    return false;
  }
};

inline constexpr std::array kBugs = {
    std::pair{Bug::kConfirmReceived, std::string_view("confirm_received")},
    std::pair{Bug::kConfirmKeepalive, std::string_view("confirm_keepalive")},
    std::pair{Bug::kConfirmHeartbeat, std::string_view("confirm_heartbeat")},
    std::pair{Bug::kConfirmBeforeSync, std::string_view("confirm_before_sync")},
    std::pair{Bug::kConfirmFailedSync, std::string_view("confirm_failed_sync")},
    std::pair{Bug::kRetrySync, std::string_view("retry_sync")},
    std::pair{Bug::kForgetReplacement, std::string_view("forget_replacement")},
    std::pair{Bug::kIgnoreTable, std::string_view("ignore_table")},
    std::pair{Bug::kMarkLate, std::string_view("mark_late")},
    std::pair{Bug::kSkipReadBack, std::string_view("skip_read_back")},
    std::pair{Bug::kPartialReadBack, std::string_view("partial_read_back")},
    std::pair{Bug::kStaleReadBack, std::string_view("stale_read_back")},
    std::pair{Bug::kDropReadBackRow, std::string_view("drop_read_back_row")},
    std::pair{Bug::kDropFindings, std::string_view("drop_findings")},
    std::pair{Bug::kDropFindingsOnDisconnect, std::string_view("drop_findings_on_disconnect")},
    std::pair{Bug::kRestoreUnsynced, std::string_view("restore_unsynced")},
    std::pair{Bug::kRestoreOneStore, std::string_view("restore_one_store")},
    std::pair{Bug::kDropMessage, std::string_view("drop_message")},
    std::pair{Bug::kIgnoreStarts, std::string_view("ignore_starts")},
    std::pair{Bug::kIgnoreRunEnds, std::string_view("ignore_run_ends")},
    std::pair{Bug::kResumeAtReceived, std::string_view("resume_at_received")},
};

/// How stream and table may come to disagree, without any error.
enum class Lie : std::uint8_t {
  kDeaf,         ///< the publication publishes no inserts
  kBlind,        ///< our queries show no rows
  kPartlyBlind,  ///< they show those of some runs
};

/// Those that are switches of the core itself.
inline constexpr std::array kCoreBugs = {
    std::pair{core::Planted::kConfirmUnwritten, std::string_view("confirm_unwritten")},
    std::pair{core::Planted::kForgetOpenGaps, std::string_view("forget_open_gaps")},
    std::pair{core::Planted::kIgnoreAhead, std::string_view("ignore_ahead")},
    std::pair{core::Planted::kIgnoreRestored, std::string_view("ignore_restored")},
    std::pair{core::Planted::kIgnoreHistory, std::string_view("ignore_history")},
    std::pair{core::Planted::kIgnoreReplaced, std::string_view("ignore_replaced")},
    std::pair{core::Planted::kIgnoreUnknownPast, std::string_view("ignore_unknown_past")},
    std::pair{core::Planted::kIgnoreNewSlot, std::string_view("ignore_new_slot")},
    std::pair{core::Planted::kTrustRuns, std::string_view("trust_runs")},
    std::pair{core::Planted::kTrustRestarted, std::string_view("trust_restarted")},
    std::pair{core::Planted::kCloseUnscanned, std::string_view("close_unscanned")},
    std::pair{core::Planted::kCloseUndurable, std::string_view("close_undurable")},
    std::pair{core::Planted::kDeaf, std::string_view("deaf")},
    std::pair{core::Planted::kBlind, std::string_view("blind")},
    std::pair{core::Planted::kHasty, std::string_view("hasty")},
    std::pair{core::Planted::kForgetRecovery, std::string_view("forget_recovery")},
    std::pair{core::Planted::kCloseUnseen, std::string_view("close_unseen")},
};

/// What one seed does and how often; chances are in percent per step. Each fault is left out of half of the
/// seeds altogether (swarm testing): faults hide one another.
struct Options {
  decoder::Plugin plugin = decoder::Plugin::kPgoutput;
  /// As configured, and what the schema shows; nullopt = auto.
  std::optional<core::Engine> engine;
  core::Engine ulid_engine = core::Engine::kV4;
  /// Runs say their own, see spec_of_run().
  bool by_run = false;
  std::uint64_t transactions = 0;
  std::uint64_t rows_max = 1;    ///< per transaction
  std::uint64_t open_runs = 1;   ///< that events are spread over at one time
  std::uint64_t old_rows = 0;    ///< in the table before the slot existed
  std::uint64_t memory_max = 0;  ///< bytes
  /// Two runs of many rows take turns, and one log at most fits into memory open.
  bool long_runs = false;
  std::uint64_t run_grace_ms = 0;
  /// Steps from a commit's place in the WAL until other sessions see it, at most.
  std::uint64_t visibility_lag = 0;

  std::uint64_t disconnect = 0;
  std::uint64_t daemon_crash = 0;
  std::uint64_t machine_crash = 0;
  std::uint64_t server_crash = 0;
  std::uint64_t read_back_failure = 0;
  bool findings_table = false;
  std::uint64_t sink_stall = 0;
  std::uint64_t sync_failure = 0;
  std::uint64_t table_failure = 0;
  std::uint64_t file_replaced = 0;

  // What is done to the server and to the coverage file behind the daemon's back.
  std::uint64_t slot_moved = 0;
  std::uint64_t slot_dropped = 0;
  std::uint64_t restored = 0;
  std::uint64_t republished = 0;
  bool coverage_file = true;
  std::uint64_t coverage_file_lost = 0;
  std::uint64_t page_failure = 0;
  std::uint64_t scan_failure = 0;
  /// The witness asks the table; the server counts what becomes of its rows.
  bool witness = false;
  bool counts = false;
  /// After so many transactions; 0 = never.
  std::uint64_t lie_after = 0;
  Lie lie = Lie::kDeaf;
};

/// The spec version in the rows of a run: none, or that of an engine that the oracle knows.
inline int spec_of_run(const Options& options, std::string_view run_id) {
  constexpr std::array kSpecs = {0, 3, 5, 8};
  return options.by_run ? kSpecs.at(core::hash_text(run_id, 1) % kSpecs.size()) : 0;
}
inline core::AutoEngines auto_engines(const Options& options) {
  return {.ulids = options.ulid_engine,
          .by_run = options.by_run ? core::SpecSource::kEvents : core::SpecSource::kNone};
}

/// The configuration's part of them, for the oracle.
inline oracle::Settings oracle_settings(const Options& options) {
  oracle::Settings settings;
  settings.engine = options.engine ? core::to_string(*options.engine) : "auto";
  settings.ulid_engine = core::to_string(options.ulid_engine);
  if (options.by_run) {
    settings.own = [options](const std::string& run_id) {
      const auto own = core::engine_of_spec(spec_of_run(options, run_id));
      return own ? std::string(core::to_string(*own)) : std::string();
    };
  }
  return settings;
}

inline void add_history(Options& options, core::Prng& random) {
  const auto sometimes = [&](std::uint64_t most) {
    return random.below(2) == 0 ? std::uint64_t{0} : 1 + random.below(most);
  };
  options.slot_moved = sometimes(3);
  options.slot_dropped = sometimes(2);
  options.restored = sometimes(2);
  options.republished = sometimes(3);
  options.scan_failure = sometimes(10);
  if (!options.witness || random.below(2) == 0) return;
  options.lie_after = 5 + random.below(options.transactions);
  constexpr std::array kLies = {Lie::kDeaf, Lie::kBlind, Lie::kPartlyBlind};
  options.lie = kLies.at(random.below(kLies.size()));
  // Without counts only a table that shows nothing at all is proof.
  if (options.lie == Lie::kPartlyBlind) options.counts = true;
}

inline Options make_options(core::Prng& random) {
  const auto sometimes = [&](std::uint64_t most) {
    return random.below(2) == 0 ? std::uint64_t{0} : 1 + random.below(most);
  };
  Options options;
  options.plugin = random.below(2) == 0 ? decoder::Plugin::kPgoutput : decoder::Plugin::kWal2json;
  if (random.below(2) == 0) {
    constexpr std::array kEngines = {core::Engine::kV4, core::Engine::kV5BeforeClassSkip, core::Engine::kV5};
    options.engine = kEngines.at(random.below(kEngines.size()));
  }
  if (random.below(2) == 0) options.ulid_engine = core::Engine::kV5BeforeClassSkip;
  options.transactions = 10 + random.below(40);
  options.rows_max = 1 + random.below(6);
  options.open_runs = 1 + random.below(6);
  options.old_rows = sometimes(30);
  options.memory_max = random.below(2) == 0 ? std::uint64_t{1} << 30U : 8192 + random.below(8192);
  options.run_grace_ms = random.below(2) == 0 ? 1'000'000 : 1 + random.below(300);
  options.disconnect = sometimes(5);
  options.daemon_crash = sometimes(3);
  options.machine_crash = sometimes(2);
  options.server_crash = sometimes(2);
  options.read_back_failure = sometimes(40);
  options.sink_stall = sometimes(10);
  options.sync_failure = sometimes(40);
  options.findings_table = random.below(2) == 0;
  options.table_failure = sometimes(40);
  options.file_replaced = sometimes(10);
  // A run that leaves memory is read back when it is met again, so its rows must be visible by then: with
  // eviction, visibility lag breaks an assumption (see Server::snapshot), not the daemon.
  options.long_runs = options.transactions % 5 == 0;
  if (options.long_runs) options.memory_max = std::uint64_t{64} << 10U;
  const bool evicts = options.memory_max < (std::uint64_t{1} << 30U) || options.run_grace_ms < 1'000'000;
  if (!evicts) options.visibility_lag = sometimes(40);
  options.coverage_file = random.below(3) != 0;
  options.page_failure = sometimes(40);
  options.coverage_file_lost = sometimes(30);
  options.witness = random.below(2) == 0;
  options.counts = random.below(2) == 0;
  // A scan of a gap must see what was committed in it.
  if (options.visibility_lag == 0) add_history(options, random);
  // No draw: what a seed did before it does still.
  options.by_run = options.transactions % 2 == 0;
  return options;
}

}  // namespace dupwatch::sim
