#include <algorithm>
#include <utility>

#include "daemon/core/watch.hpp"

/// What is judged later than its row comes: runs as a whole, and rows of long runs.
namespace dupwatch::core {

void Watch::defer(RunIndex::Handle known, const EventRow& row) {
  if (known != RunIndex::kNone && !index_.pending(known)) index_.redelivered(known);
  deferred_.add(row);
  confirm_.hold();
}

bool Watch::add_deferred() {
  if (deferred_.empty()) return false;
  for (std::size_t rows = 0; rows < kDeferredPiece; ++rows) {
    const auto row = deferred_.take(now_);
    if (!row) {
      // What was evicted meanwhile waits for its read-back.
      settled_by_ = std::max(settled_by_, last_read_back());
      release();
      return false;
    }
    const auto known = index_.find(row->run_id);
    if (known != RunIndex::kNone && index_.is_costly(known)) deferred_.opened(index_.rows_of(known));
    add_opened(known, *row);
  }
  return true;
}

bool Watch::judge_on(Instant now) {
  now_ = std::max(now_, now);
  if (now_ >= read_backs_.next()) {
    read_backs_.again();
    settled_by_ = std::max(settled_by_, last_read_back());
    release();
  }
  if (judging_.empty() && deferred_.due(now_) && add_deferred()) return true;
  if (judging_.empty() && judging_.due(now_)) settle();
  if (judging_.empty()) return false;
  for (JudgingQueue::Budget budget; !judging_.empty() && budget.left();) {
    const auto next = judging_.front();
    const bool judged = judging_.judge_piece(rules_, index_.log(next.run), budget, current_.verdicts);
    report_verdicts(next.run, next.origin);
    if (judged) finish_judging();
  }
  index_.evict(now_);
  return !judging_.empty();
}

void Watch::finish_judging() {
  const auto done = judging_.pop(now_);
  if (done.read_back == 0) {
    index_.resume(done.run);
  } else {
    const auto taken = rules_.engine_of(index_.log(done.run));
    ++counters_.runs_by_engine[static_cast<std::size_t>(taken.engine)][static_cast<std::size_t>(taken.from)];
    repeated_work_.read_back(index_.log(done.run), index_.run_id(done.run), index_.codec(), now_);
    index_.complete(done.run);
    observe_slots(done.run);
    --pending_runs_;
    if (done.last) confirm_.read_back_done(done.read_back);
  }
  if (done.doubtful) index_.forget(index_.run_id(done.run));
  release();
}

void Watch::owe(RunIndex::Handle run) {
  if (!index_.owe(run)) return;
  judging_.owe(index_.run_id(run));
  confirm_.hold();
}

void Watch::settle() {
  for (const auto& run_id : judging_.take_owed()) {
    const auto run = index_.find(run_id);
    if (run == RunIndex::kNone) {
      // It was evicted: its read-back judges all of it.
      request(index_.insert_pending(run_id));
    } else if (!index_.pending(run)) {
      index_.suspend(run);
      judging_.add({.run = run});
    }
  }
  settled_by_ = std::max(settled_by_, last_read_back());
  release();
}

void Watch::report_verdicts(RunIndex::Handle run, Origin origin) {
  if (current_.verdicts.empty()) return;
  const auto run_id = index_.run_id(run);
  index_.keep_commits(run, recent_commits_);
  for (const auto& verdict : current_.verdicts) {
    auto finding = rules_.describe(index_.log(run), verdict, run_id, origin);
    if (is_lasting(verdict.shape)) {
      late_.rules.note(run_id, finding.id, now_);
    } else {
      reporter_.report(std::move(finding), now_);
    }
  }
  current_.verdicts.clear();
}

}  // namespace dupwatch::core
