#include "daemon/core/repeated_work.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dupwatch::core {
namespace {

[[nodiscard]] std::string correlation_of(const RunLog& log, const RunLog::Entity& entity,
                                         const TokenCodec& codec) {
  const auto identity = log.identity(entity, codec);
  return !identity.empty() && identity.front() ? std::string{*identity.front()} : std::string{};
}

}  // namespace

RepeatedWork::RepeatedWork(const Profile& profile) {
  const auto started = profile.find_type(kStartType);
  const auto retrying = profile.find_type(kRetryType);
  if (!started || !retrying || profile.types[*started].group != profile.types[*retrying].group) return;
  started_ = *started;
  retrying_ = *retrying;
  start_bit_ = type_bit(*started);
  retry_bit_ = type_bit(*retrying);
}

std::optional<RepeatedStep> RepeatedWork::judge(const RunLog& log, std::uint32_t row, std::string_view run_id,
                                                const TokenCodec& codec) const {
  const auto& event = log.row(row);
  const auto& entity = log.entity(event.entity);
  const auto own = type_bit(event.type);
  if (entity.null_identity ||
      !wants(event.type, (entity.seen & ~own) | (entity.repeated & own), entity.repeated)) {
    return std::nullopt;
  }
  constexpr auto kAll = RunLog::kNone;
  RepeatedStep step{.starts = log.count_of(entity, start_bit_, kAll),
                    .retries = log.count_of(entity, retry_bit_, kAll)};
  if (step.starts <= step.retries + 1) return std::nullopt;
  step.run_id = run_id;
  step.correlation_id = correlation_of(log, entity, codec);
  step.event_id = log.text(event.id, codec);
  step.commit = event.commit;
  step.after_close = entity.closing != RunLog::kNone && log.less(log.row(entity.closing).id, event.id, codec);
  return step;
}

void RepeatedWork::arrived(const RunLog& log, std::uint32_t row, std::string_view run_id,
                           const TokenCodec& codec, Instant now) {
  const auto& event = log.row(row);
  if (event.type == started_) {
    if (auto step = judge(log, row, run_id, codec)) {
      hold({.step = *std::move(step), .millis = ulid_millis(event.id), .until = now + kPatience});
    }
  } else if (event.type == retrying_ && !held_.empty()) {
    explain(log, row, run_id, codec);
  }
}

void RepeatedWork::read_back(const RunLog& log, std::string_view run_id, const TokenCodec& codec,
                             Instant now) {
  if (start_bit_ == 0) return;
  for (std::uint32_t row = 0; row < log.rows(); ++row) {
    const auto& event = log.row(row);
    if (event.type != started_ || !event.commit.lsn.valid()) continue;
    const auto& entity = log.entity(event.entity);
    // Both starts may have come since: the first one is no repetition.
    if ((entity.repeated & start_bit_) == 0 || log.least_of(entity, start_bit_, codec) == row) continue;
    arrived(log, row, run_id, codec, now);
  }
}

void RepeatedWork::hold(Held held) {
  const auto same = [&](const RepeatedStep& one) {
    return one.event_id == held.step.event_id && one.run_id == held.step.run_id;
  };
  if (std::ranges::any_of(kept_, same) || std::ranges::any_of(held_, same, &Held::step)) return;
  if (held_.size() == kHeldMax) {
    add(std::move(held_.front().step));
    held_.pop_front();
  }
  held_.push_back(std::move(held));
}

/// Ids of slots are given by the database, one after the other, so only the order of ULIDs is that of two
/// processes' clocks. Other ids compare by their bytes: no engine makes any.
void RepeatedWork::explain(const RunLog& log, std::uint32_t retry, std::string_view run_id,
                           const TokenCodec& codec) {
  const auto& event = log.row(retry);
  const auto correlation = correlation_of(log, log.entity(event.entity), codec);
  const auto millis = ulid_millis(event.id);
  const auto id = log.text(event.id, codec);
  const auto found = std::ranges::find_if(held_, [&](const Held& one) {
    if (one.step.run_id != run_id || one.step.correlation_id != correlation) return false;
    if (millis == 0 || one.millis == 0) return id < one.step.event_id;
    return millis <= one.millis + kRaceMillis;
  });
  if (found != held_.end()) held_.erase(found);
}

void RepeatedWork::settle(Instant now) {
  while (!held_.empty() && held_.front().until <= now) {
    add(std::move(held_.front().step));
    held_.pop_front();
  }
}

void RepeatedWork::add(RepeatedStep step) {
  ++total_;
  if (new_.size() < kNewMax) new_.push_back(step);
  if (kept_.size() == kKeptMax) kept_.pop_front();
  kept_.push_back(std::move(step));
}

std::string repeated_text(const RepeatedStep& step) {
  return fmt::format("begun {} times with {} {} recorded{}", step.starts, step.retries,
                     step.retries == 1 ? "retry" : "retries", step.after_close ? ", after its result" : "");
}

}  // namespace dupwatch::core
