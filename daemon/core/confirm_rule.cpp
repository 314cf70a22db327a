#include "daemon/core/confirm_rule.hpp"

#include <algorithm>

namespace dupwatch::core {

void ConfirmRule::stream_started(decoder::Lsn from) {
  open_transaction_ = false;
  waiting_.clear();
  judged_ = taken_ = durable_ = from;
}

void ConfirmRule::commit(decoder::Lsn end_lsn, std::uint64_t read_back) {
  open_transaction_ = false;
  if (read_back <= read_back_done_ && waiting_.empty() && !held_) {
    judged_ = std::max(judged_, end_lsn);
    return;
  }
  // Commits are confirmed in order: this one waits at least for what its predecessors wait for.
  const auto needed = waiting_.empty() ? read_back : std::max(read_back, waiting_.back().read_back);
  if (!waiting_.empty() && waiting_.back().read_back == needed) {
    waiting_.back().end_lsn = std::max(waiting_.back().end_lsn, end_lsn);
  } else {
    waiting_.push_back(Waiting{.end_lsn = end_lsn, .read_back = needed});
  }
}

void ConfirmRule::keepalive(decoder::Lsn wal_end) noexcept {
  if (idle()) judged_ = std::max(judged_, wal_end);
}

void ConfirmRule::read_back_done(std::uint64_t read_back) {
  read_back_done_ = std::max(read_back_done_, read_back);
  advance();
}

void ConfirmRule::release(std::uint64_t read_back) {
  held_ = false;
  for (auto& waiting : waiting_) waiting.read_back = std::max(waiting.read_back, read_back);
  advance();
}

void ConfirmRule::advance() {
  while (!held_ && !waiting_.empty() && waiting_.front().read_back <= read_back_done_) {
    judged_ = std::max(judged_, waiting_.front().end_lsn);
    waiting_.pop_front();
  }
}

void ConfirmRule::findings_durable() noexcept {
  durable_ = std::max(durable_, taken_);
}

void ConfirmRule::findings_durable(decoder::Lsn position) noexcept {
  durable_ = std::max(durable_, std::min(position, taken_));
}

}  // namespace dupwatch::core
