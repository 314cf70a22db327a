#include "daemon/run/slot_recovery.hpp"

#include <fmt/format.h>

#include <utility>

#include "daemon/process/clock.hpp"

namespace dupwatch::run {

using postgres::Error;
using postgres::Fault;

SlotRecovery::SlotRecovery(const core::Config& config, Parts parts)
    : config_(config), parts_(parts), slot_return_(config.poll.interval) {}

Retries::Next SlotRecovery::recover(const Error& error) {
  if (error.fault == Fault::kSlotLost) return give_up(error);
  if (parts_.life.streaming() && postgres::may_be_of_a_row(error)) return step_over_poison(error);
  return parts_.retries.again(error);
}

std::optional<Error> SlotRecovery::blown_fuse(const std::optional<postgres::SlotRow>& slot) const {
  if (!slot || slot->lost()) return std::nullopt;
  const auto limit = core::fuse_bytes(config_.slot.max_retained_wal, slot->keep_size_bytes);
  if (!limit || slot->retained_bytes < static_cast<std::int64_t>(*limit)) return std::nullopt;
  return Error{
      .fault = Fault::kSlotLost,
      .cause = postgres::Cause::kFuse,
      .sqlstate = {},
      .message = fmt::format("slot {} holds back {} bytes of WAL, slot.max_retained_wal allows {}: dupwatch "
                             "drops it and polls",
                             config_.slot.name, slot->retained_bytes, *limit),
      .remedy =
          "end the transaction or lock that holds the slot back, or give dupwatch more CPU; with more "
          "room on the primary's disk raise slot.max_retained_wal"};
}

void SlotRecovery::drop_by_stream(postgres::Connection& replication) {
  if (const auto failed = postgres::drop_streamed_slot(replication, config_.slot.name, parts_.waiter)) {
    parts_.log.error("the slot could not be dropped by its own stream",
                     {{"reason", std::string(to_string(failed->cause))},
                      {"sqlstate", failed->sqlstate},
                      {"error", failed->message}});
    return;
  }
  dropped_by_stream_ = true;
  parts_.log.warn(
      "dropped its own replication slot",
      {{"event", "slot_dropped"}, {"slot", config_.slot.name}, {"why", "fuse"}, {"by", "stream"}});
}

Retries::Next SlotRecovery::give_up(const Error& error) {
  const bool fuse = error.cause == postgres::Cause::kFuse;
  const auto reason = fuse ? core::GapReason::kFuse : core::GapReason::kSlotLost;
  const auto policy = fuse ? core::LostPolicy::kRecreateAndScan : core::lost_policy(config_.slot);
  if (parts_.life.gives_up(reason)) note_loss(reason, error);
  if (policy == core::LostPolicy::kStop) {
    return {.code = parts_.retries.judge(core::Obstacle::kSlotGivenUp, error)};
  }
  if (policy == core::LostPolicy::kRecreateAndScan && !std::exchange(dropped_by_stream_, false)) {
    if (const auto failed = drop(reason)) return parts_.retries.again_after(*failed);
  }
  parts_.retries.slot_is_free();
  // A slot that may not be made is not waited for.
  const bool for_ever = policy == core::LostPolicy::kPoll || !config_.slot.create;
  const auto now = process::steady_now();
  const auto until = for_ever ? core::Instant::max() : now + slot_return_.lost(now, !fuse);
  return {.stop = !parts_.polls.wait(until, parts_.waiter)};
}

void SlotRecovery::note_loss(core::GapReason reason, const Error& error) {
  const auto from = parts_.watch.confirmed();
  ++(reason == core::GapReason::kFuse ? fuse_blown_ : slots_lost_);
  parts_.coverage.open(reason, from, decoder::Lsn{});
  parts_.log.error(error.message, {{"event", "coverage_gap"},
                                   {"gap", std::string(to_string(reason))},
                                   {"reason", std::string(to_string(error.cause))},
                                   {"from", decoder::to_string(from)},
                                   {"losses", std::to_string(slot_return_.losses()), true},
                                   {"remedy", error.remedy}});
}

std::optional<Error> SlotRecovery::drop(core::GapReason reason) {
  const auto when = reason == core::GapReason::kFuse ? DropWhen::kAnyway : DropWhen::kLost;
  auto dropped = drop_own_slot(parts_.source.connection, own_slot(), when, parts_.waiter);
  if (auto* failed = std::get_if<Error>(&dropped)) return std::move(*failed);
  if (const auto& freed = std::get<std::optional<std::int64_t>>(dropped)) {
    parts_.log.warn("dropped its own replication slot",
                    {{"event", "slot_dropped"},
                     {"slot", config_.slot.name},
                     {"why", std::string(to_string(reason))},
                     {"released_wal_bytes", std::to_string(*freed), true}});
  }
  return std::nullopt;
}

OwnSlot SlotRecovery::own_slot() const {
  return {.name = config_.slot.name,
          .plugin = parts_.source.plugin,
          .database = parts_.source.system.database,
          .walsender_pid = parts_.source.walsender_pid};
}

std::string poison_remedy(const Error& error) {
  // Of the error table, for the row that no memory can be had for.
  if (error.sqlstate.empty()) return error.remedy;
  // Rows are decoded as the catalogue was when they were written.
  if (error.cause == postgres::Cause::kPublicationMissing) {
    return "none needed: the publication was missing when these rows were written, and it is back";
  }
  return "use pgoutput with a publication whose column list leaves the payload out (dupwatch setup "
         "--print-sql): then no payload can stop the stream";
}

Retries::Next SlotRecovery::step_over_poison(const Error& error) {
  // Before the last time the error is one more disconnect, whatever the error table says of it.
  const auto repeats =
      error.fault == Fault::kTransient ? core::PoisonWatch::kRepeatsTransient : core::PoisonWatch::kRepeats;
  const auto from = parts_.watch.confirmed();
  if (poison_.failed(error.sqlstate, error.message, from) < repeats) return parts_.retries.pause(error);
  const auto moved = step_over(parts_.source.connection, own_slot(), parts_.waiter);
  if (const auto* failed = std::get_if<Error>(&moved)) return parts_.retries.again_after(*failed);
  const auto to = std::get<decoder::Lsn>(moved);
  poison_.reset();
  ++poison_rows_;
  parts_.life.gives_up(core::GapReason::kPoisonRow);
  parts_.coverage.open(core::GapReason::kPoisonRow, from, to);
  parts_.log.error(
      "one place of the WAL can't be delivered, time after time: it was stepped over, and a scan looks for "
      "what was there",
      {{"event", "coverage_gap"},
       {"gap", "poison_row"},
       {"sqlstate", error.sqlstate},
       {"error", error.message},
       {"from", decoder::to_string(from)},
       {"to", decoder::to_string(to)},
       {"remedy", poison_remedy(error)}});
  return {};
}

void SlotRecovery::describe(core::StatusSnapshot& out, core::Instant /*now*/) const {
  out.slot.fuse_blown = fuse_blown_;
  out.slot.lost = slots_lost_;
  out.slot.poison_rows = poison_rows_;
  out.slot.polls = parts_.polls.scans();
}

}  // namespace dupwatch::run
