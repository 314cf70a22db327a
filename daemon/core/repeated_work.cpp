#include "daemon/core/repeated_work.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dupwatch::core {

RepeatedWork::RepeatedWork(const Profile& profile) {
  const auto started = profile.find_type(kStartType);
  const auto retrying = profile.find_type(kRetryType);
  if (!started || !retrying || profile.types[*started].group != profile.types[*retrying].group) return;
  started_ = *started;
  start_bit_ = type_bit(*started);
  retry_bit_ = type_bit(*retrying);
}

std::optional<RepeatedStep> RepeatedWork::judge(const RunLog& log, std::uint32_t row, std::string_view run_id,
                                                const TokenCodec& codec) const {
  const auto& event = log.row(row);
  const auto& entity = log.entity(event.entity);
  const auto own = type_bit(event.type);
  if (entity.null_identity ||
      !may_repeat(event.type, (entity.seen & ~own) | (entity.repeated & own), entity.repeated)) {
    return std::nullopt;
  }
  constexpr auto kAll = RunLog::kNone;
  RepeatedStep step{.starts = log.count_of(entity, start_bit_, kAll),
                    .retries = log.count_of(entity, retry_bit_, kAll)};
  if (step.starts <= step.retries + 1) return std::nullopt;
  step.run_id = run_id;
  const auto identity = log.identity(entity, codec);
  if (!identity.empty() && identity.front()) step.correlation_id = *identity.front();
  step.event_id = log.text(event.id, codec);
  step.commit = event.commit;
  step.after_close = entity.closing != RunLog::kNone && log.less(log.row(entity.closing).id, event.id, codec);
  return step;
}

void RepeatedWork::arrived(const RunLog& log, std::uint32_t row, std::string_view run_id,
                           const TokenCodec& codec) {
  if (log.row(row).type != started_) return;
  if (auto step = judge(log, row, run_id, codec)) add(*std::move(step));
}

void RepeatedWork::read_back(const RunLog& log, std::string_view run_id, const TokenCodec& codec) {
  if (start_bit_ == 0) return;
  for (std::uint32_t row = 0; row < log.rows(); ++row) {
    const auto& event = log.row(row);
    if (event.type != started_ || !event.commit.lsn.valid()) continue;
    const auto& entity = log.entity(event.entity);
    // Both starts may have come since: the first one is no repetition.
    if ((entity.repeated & start_bit_) == 0 || log.least_of(entity, start_bit_, codec) == row) continue;
    arrived(log, row, run_id, codec);
  }
}

void RepeatedWork::add(RepeatedStep step) {
  const bool known = std::ranges::any_of(kept_, [&](const RepeatedStep& one) {
    return one.event_id == step.event_id && one.run_id == step.run_id;
  });
  if (known) return;
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
