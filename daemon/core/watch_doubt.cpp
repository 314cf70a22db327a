#include <limits>
#include <utility>
#include <vector>

#include "daemon/core/planted.hpp"
#include "daemon/core/watch.hpp"

/// What the watch does not believe, or believes no longer.
namespace dupwatch::core {

bool Watch::is_possible(decoder::Lsn position) {
  if (bound_.allows(position, now_)) return true;
  ++counters_.decode_errors[static_cast<std::size_t>(decoder::DecodeErrorKind::kMalformed)];
  notice(Notice::Kind::kDecodeError,
         "position " + decoder::to_string(position) + " is beyond anything that the server can have written");
  return false;
}

bool Watch::ask_again(RunIndex::Handle run) {
  if (index_.log(run).is_shown()) {
    read_backs_.seen(run);
    return false;
  }
  if (!read_backs_.ask_again(run, now_)) return false;
  // The commits that wait for the batch that was answered wait on.
  confirm_.hold();
  return true;
}

void Watch::release() {
  if (judging_.empty() && !judging_.owes() && deferred_.empty() && !read_backs_.asks_again())
    confirm_.release(settled_by_);
}

void Watch::doubt_runs() {
  if (is_planted(Planted::kTrustRuns)) return;
  index_.clear_complete();
  recent_commits_.clear();
  judging_.doubt();
  read_backs_.doubt();
  witness_.excuse();
}

void Watch::forget_rows() {
  for (const auto& batch : read_backs_.forget()) {
    for (const auto run : batch) index_.complete(run);
  }
  for (const auto& judged : judging_.forget()) index_.resume(judged.run);
  deferred_.clear();
  pending_runs_ = 0;
  current_.verdicts.clear();
  late_.clear();
  // None of what waits is confirmed any more: the next stream begins before it.
  confirm_.release(std::numeric_limits<std::uint64_t>::max());
  doubt_runs();
  witness_.reset();
}

void Watch::rechecked(RunView view, Instant asked) {
  if (witness_.may_be_blind() && !is_planted(Planted::kCloseUnseen)) {
    // Rows may be there that our queries do not show.
    view.log_read = view.tables_read = false;
    std::erase_if(view.findings, [](const Finding& finding) { return !is_table_rule(finding.rule); });
  }
  const auto run_id = view.run_id;
  // Rows in memory are gone from the table: the next event of the run reads it again.
  if (reporter_.rechecked(std::move(view), asked, late_.slots.told(run_id), now_)) index_.forget(run_id);
}

}  // namespace dupwatch::core
