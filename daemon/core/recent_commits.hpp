#pragma once

#include <cstddef>
#include <vector>

#include "daemon/core/run_log.hpp"

namespace dupwatch::core {

/// LSN and time of the transactions seen last. A packed log keeps transaction ids alone, and two rows that
/// race are seldom far apart.
class RecentCommits {
 public:
  /// Ids are given out in turn, so that about as many transactions are known.
  static constexpr std::size_t kTransactions = 8192;

  void note(const CommitInfo& commit) {
    if (commits_.empty()) commits_.resize(kTransactions);
    commits_[commit.xid % kTransactions] = commit;
  }
  void clear() noexcept { commits_.clear(); }
  /// What is not known of the row's transaction is filled in.
  void complete(CommitInfo& commit) const noexcept {
    if (commits_.empty()) return;
    const auto& recent = commits_[commit.xid % kTransactions];
    if (commit.xid == 0 || recent.xid != commit.xid || commit.lsn.valid()) return;
    commit = recent;
  }

 private:
  /// Empty until the first transaction.
  std::vector<CommitInfo> commits_;
};

}  // namespace dupwatch::core
