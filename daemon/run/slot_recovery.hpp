#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/core/life_cycle.hpp"
#include "daemon/core/slot_guard.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/run/coverage_keeper.hpp"
#include "daemon/run/own_slot.hpp"
#include "daemon/run/poll_rounds.hpp"
#include "daemon/run/retries.hpp"
#include "daemon/run/source.hpp"
#include "daemon/run/status_part.hpp"

namespace dupwatch::run {

/// What the daemon does when its slot is lost, holds back too much WAL, or stands before a row that cannot be
/// delivered: it opens a gap, gives the slot up or moves it, and polls until there is a slot again. Owned by
/// the loop thread.
class SlotRecovery final : public StatusPart {
 public:
  struct Parts {
    const Source& source;
    core::LifeCycle& life;
    core::Watch& watch;
    CoverageKeeper& coverage;
    Retries& retries;
    PollRounds& polls;
    postgres::Waiter& waiter;
    process::Log& log;
  };
  SlotRecovery(const core::Config& config, Parts parts);

  /// After a failed attempt or stream: waits, polls, or fixes the slot; then the next attempt may begin.
  [[nodiscard]] Retries::Next recover(const postgres::Error& error);
  /// Set when the slot holds back more than it may.
  [[nodiscard]] std::optional<postgres::Error> blown_fuse(const std::optional<postgres::SlotRow>& slot) const;
  /// No session for queries can be had, and the slot must not wait for one.
  void drop_by_stream(postgres::Connection& replication);
  void streaming(core::Instant now) { slot_return_.streaming(now); }
  /// poll.interval may be another.
  void interval_changed() { slot_return_.set_poll_interval(config_.poll.interval); }

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant /*now*/) const override { return {}; }

 private:
  [[nodiscard]] Retries::Next give_up(const postgres::Error& error);
  [[nodiscard]] Retries::Next step_over_poison(const postgres::Error& error);
  void note_loss(core::GapReason reason, const postgres::Error& error);
  /// What stands in the way; nullopt = it is dropped, or was gone.
  [[nodiscard]] std::optional<postgres::Error> drop(core::GapReason reason);
  [[nodiscard]] OwnSlot own_slot() const;

  const core::Config& config_;
  Parts parts_;
  core::SlotReturn slot_return_;
  core::PoisonWatch poison_;
  bool dropped_by_stream_ = false;
  std::uint64_t fuse_blown_ = 0;
  std::uint64_t slots_lost_ = 0;
  std::uint64_t poison_rows_ = 0;
};

/// What an operator may do about a place of the WAL that was stepped over for this error. Pure.
[[nodiscard]] std::string poison_remedy(const postgres::Error& error);

}  // namespace dupwatch::run
