#include "daemon/core/judging_queue.hpp"

namespace dupwatch::core {

bool JudgingQueue::judge_piece(const ReplayRules& rules, const RunLog& log, Budget& budget,
                               std::vector<ReplayRules::Verdict>& verdicts) {
  const auto begun = progress_.next;
  if (begun == 0) rows_begun_ = log.rows();
  const bool done = rules.judge_piece(log, progress_, budget.rows, budget.verdicts, verdicts);
  const std::size_t looked_at = progress_.next - begun;
  const auto found = verdicts.size();
  budget.rows -= std::min(budget.rows, looked_at + 1);
  budget.verdicts -= std::min(budget.verdicts, found);
  if (front().read_back == 0) pause_ += looked_at * kPausePerRow + found * kPausePerVerdict;
  if (!done) return false;
  progress_ = {};
  return log.rows() == rows_begun_;
}

JudgingQueue::Entry JudgingQueue::pop(Instant now) {
  const auto done = entries_.front();
  entries_.pop_front();
  if (entries_.empty()) {
    next_round_ = now + std::min<Instant::duration>(pause_, kPauseMax);
    pause_ = {};
  }
  return done;
}

std::deque<JudgingQueue::Entry> JudgingQueue::forget() {
  progress_ = {};
  owed_.clear();
  pause_ = {};
  return std::exchange(entries_, {});
}

}  // namespace dupwatch::core
