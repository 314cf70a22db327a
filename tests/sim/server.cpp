#include "tests/sim/server.hpp"

#include <algorithm>
#include <utility>

#include "daemon/core/packed_text.hpp"

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
                                      .visible_at = step + lag,
                                      .published = publishes_ && !publication_missing_});
  return transactions_.back();
}

void Server::create_slot() {
  slot_ = slot_on_disk_ = wal_end_;
  has_slot_ = true;
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
  if (transaction.published && row_ <= transaction.rows.size()) {
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
  // The postmaster outlives the crash of a backend.
  if (random_.below(2) == 0) ++postmaster_;
}

void Server::back_up() {
  backup_ = Backup{.transactions = transactions_.size(),
                   .wal_end = wal_end_,
                   .xid = xid_,
                   .slot = slot_on_disk_,
                   .has_slot = has_slot_,
                   .publication_missing = publication_missing_,
                   .publication = publication_};
}

void Server::restore(bool other_timeline) {
  streaming_ = false;
  transactions_.resize(backup_->transactions);
  wal_end_ = backup_->wal_end;
  xid_ = backup_->xid;
  slot_ = slot_on_disk_ = backup_->slot;
  has_slot_ = backup_->has_slot && !other_timeline;
  publication_missing_ = backup_->publication_missing;
  publication_ = backup_->publication;
  if (other_timeline) ++timeline_;
  ++postmaster_;
}

std::vector<oracle::Event> Server::snapshot(const std::set<std::string>& run_ids, std::uint64_t step) const {
  std::vector<oracle::Event> out;
  for (const auto& transaction : transactions_) {
    if (!is_visible(transaction, step)) continue;
    for (const auto& row : transaction.rows) {
      if (run_ids.contains(row.run_id) && !is_hidden(row.run_id)) out.push_back(row);
    }
  }
  return out;
}

bool Server::is_hidden(const std::string& run_id) const noexcept {
  if (hidden_ == Hidden::kSomeRuns) return core::hash_text(run_id, 0) % 2 == 0;
  return hidden_ == Hidden::kAllRuns;
}

std::vector<std::pair<const oracle::Event*, std::uint32_t>> Server::tail(std::size_t rows,
                                                                         std::uint64_t step) const {
  std::vector<std::pair<const oracle::Event*, std::uint32_t>> out;
  for (auto transaction = transactions_.rbegin(); transaction != transactions_.rend(); ++transaction) {
    if (!is_visible(*transaction, step)) continue;
    for (const auto& row : transaction->rows) {
      if (!is_hidden(row.run_id)) out.emplace_back(&row, transaction->xid);
      if (out.size() == rows) return out;
    }
  }
  return out;
}

bool Server::shows(const std::string& run_id, const std::string& id, std::uint64_t step) const {
  const auto rows = snapshot({run_id}, step);
  return std::ranges::any_of(rows, [&](const oracle::Event& row) { return row.id == id; });
}

core::Witness::Moment Server::moment(std::uint64_t step) const {
  core::Witness::Moment moment{
      .xmin = xid_ + 1U, .xmax = xid_ + 1U, .lsn = decoder::Lsn{wal_end_}, .edits = std::nullopt};
  for (const auto& transaction : transactions_) {
    if (!is_visible(transaction, step)) moment.xmin = std::min<std::uint64_t>(moment.xmin, transaction.xid);
  }
  return moment;
}

std::vector<std::string> Server::run_ids() const {
  std::set<std::string> out;
  for (const auto& transaction : transactions_) {
    for (const auto& row : transaction.rows) out.insert(row.run_id);
  }
  return {out.begin(), out.end()};
}

}  // namespace dupwatch::sim
