#include "tests/sim/server.hpp"

#include <algorithm>
#include <utility>

namespace dupwatch::sim {

Server::Server(const Options& options, core::Prng& random)
    : options_(options), random_(random), frames_(options.plugin) {}

const Transaction& Server::commit(std::vector<oracle::Event> rows, std::uint64_t step) {
  wal_end_ += 8 + random_.below(200);
  const auto commit_lsn = wal_end_;
  wal_end_ += 0x30;
  const auto lag = options_.visibility_lag == 0 ? 0 : random_.below(options_.visibility_lag);
  transactions_.push_back(Transaction{.commit_lsn = commit_lsn,
                                      .end_lsn = wal_end_,
                                      .xid = ++xid_,
                                      .rows = std::move(rows),
                                      .visible_at = step + lag});
  return transactions_.back();
}

void Server::create_slot() {
  slot_ = slot_on_disk_ = wal_end_;
}

std::uint64_t Server::start_stream(std::uint64_t wanted) {
  streaming_ = true;
  relation_sent_ = false;
  started_from_ = std::max(slot_, wanted);
  next_ = 0;
  row_ = 0;
  // Only transactions whose commit record starts at the position or after it are sent.
  while (next_ < transactions_.size() && transactions_[next_].commit_lsn < started_from_) ++next_;
  return started_from_;
}

void Server::end_stream() {
  streaming_ = false;
}

std::optional<std::string> Server::next_message() {
  sent_row_ = nullptr;
  if (next_ == transactions_.size()) return std::nullopt;
  const auto& transaction = transactions_[next_];
  if (row_ == 0) {
    row_ = 1;
    return frames_.begin(transaction.commit_lsn, transaction.xid);
  }
  if (row_ <= transaction.rows.size()) {
    if (!relation_sent_) {
      relation_sent_ = true;
      if (const auto relation = frames_.relation(); !relation.empty()) return relation.front();
    }
    sent_row_ = &transaction.rows[row_++ - 1];
    return frames_.insert(transaction.commit_lsn - 1, transaction.xid, *sent_row_);
  }
  row_ = 0;
  ++next_;
  return frames_.commit(transaction.commit_lsn, transaction.end_lsn, transaction.xid);
}

std::uint64_t Server::reached() {
  if (within_transaction() || next_ == transactions_.size()) return wal_end_;
  const auto sent = next_ == 0 ? started_from_ : std::max(started_from_, transactions_[next_ - 1].end_lsn);
  return sent + random_.below(transactions_[next_].commit_lsn - sent + 1);
}

std::string Server::keepalive(std::uint64_t& position) {
  position = reached();
  return walsender::Frames::keepalive(position, random_.below(4) == 0);
}

std::string Server::message(std::uint64_t& position, std::string_view content) {
  position = reached();
  return frames_.message(position, content);
}

void Server::receive_status(std::uint64_t confirmed) {
  slot_ = std::max(slot_, confirmed);
}

void Server::crash() {
  streaming_ = false;
  slot_ = slot_on_disk_;
}

std::vector<oracle::Event> Server::snapshot(const std::set<std::string>& run_ids, std::uint64_t step) const {
  std::vector<oracle::Event> out;
  for (const auto& transaction : transactions_) {
    if (transaction.visible_at > step && transaction.commit_lsn >= started_from_) continue;
    for (const auto& row : transaction.rows) {
      if (run_ids.contains(row.run_id)) out.push_back(row);
    }
  }
  return out;
}

}  // namespace dupwatch::sim
