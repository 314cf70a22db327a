#include "daemon/core/witness.hpp"

#include <algorithm>
#include <utility>

#include "daemon/core/packed_text.hpp"
#include "daemon/core/planted.hpp"

namespace dupwatch::core {
namespace {

/// Transaction ids of rows have 32 bits and go round.
bool before(decoder::Xid xid, std::uint64_t other) noexcept {
  return static_cast<std::int32_t>(xid - static_cast<std::uint32_t>(other)) < 0;
}

}  // namespace

std::string_view to_string(Disagreement kind) noexcept {
  return kind == Disagreement::kDeaf ? "deaf" : "blind";
}

std::uint64_t Witness::hash_of(std::string_view run_id, std::string_view id) const noexcept {
  return hash_text(id, hash_text(run_id, seed_));
}

bool Witness::was_streamed(std::uint64_t hash) const noexcept {
  if (is_planted(Planted::kDeaf)) return true;
  return std::ranges::any_of(streamed_, [hash](const Streamed& row) { return row.hash == hash; });
}

bool Witness::anything_after(decoder::Lsn lsn) const noexcept {
  return std::ranges::any_of(streamed_, [lsn](const Streamed& row) { return row.lsn > lsn; });
}

void Witness::stream_started(decoder::Lsn from) {
  // What lies between the end of an earlier stream and this one is a gap's matter.
  complete_from_ = std::max(complete_from_, from);
  suspects_.clear();
  end_standing();
}

void Witness::reset() {
  streamed_.clear();
  next_ = 0;
  complete_from_ = {};
  floors_.clear();
  moment_.reset();
  suspects_.clear();
  kept_.clear();
  end_standing();
}

void Witness::excuse() noexcept {
  floors_.clear();
  suspects_.clear();
  kept_.clear();
}

void Witness::explain() noexcept {
  excuse();
  verdicts_.clear();
  standing_.reset();
  recovery_.reset();
}

void Witness::streamed(std::string_view run_id, std::string_view id, decoder::Xid xid,
                       decoder::Lsn commit_lsn, Instant now) {
  const Streamed row{.hash = hash_of(run_id, id), .lsn = commit_lsn};
  if (streamed_.size() < kStreamedMax) {
    streamed_.push_back(row);
  } else {
    complete_from_ = std::max(complete_from_, streamed_[next_].lsn);
    streamed_[next_] = row;
    next_ = (next_ + 1) % kStreamedMax;
  }
  if (now - kept_at_ < kAskedSpacing || !moment_ || kept_.size() == kAskedMax) return;
  kept_at_ = now;
  kept_.push_back({.row = {.run_id = std::string(run_id), .id = std::string(id)},
                   .xid = xid,
                   .lsn = commit_lsn,
                   .edits = moment_->edits,
                   .asked = false,
                   .missed = {}});
}

const Witness::Floor* Witness::floor_of(decoder::Xid xid) {
  while (!floors_.empty() && floors_.front().asked < complete_from_) floors_.pop_front();
  const auto found = std::find_if(floors_.rbegin(), floors_.rend(),
                                  [xid](const Floor& floor) { return !before(xid, floor.xmax); });
  return found == floors_.rend() ? nullptr : &*found;
}

void Witness::seen(std::string_view run_id, std::string_view id, decoder::Xid xid, Instant now) {
  const auto* from = xid == 0 ? nullptr : floor_of(xid);
  if (from == nullptr || seen_ == kSeenMax) return;
  ++seen_;
  const auto hash = hash_of(run_id, id);
  if (was_streamed(hash)) {
    ++stats_.rows;
    agree(Disagreement::kDeaf, xid);
    return;
  }
  const bool known =
      std::ranges::any_of(suspects_, [hash](const Suspect& suspect) { return suspect.hash == hash; });
  if (known || suspects_.size() == kSuspectsMax) return;
  suspects_.push_back({.row = {.run_id = std::string(run_id), .id = std::string(id)},
                       .xid = xid,
                       .hash = hash,
                       .floor = *from,
                       .bound = {},
                       .since = now,
                       .passed = {}});
}

void Witness::at(const Moment& moment, decoder::Lsn asked, Instant now) {
  ++stats_.comparisons;
  seen_ = 0;
  moment_ = moment;
  moment_at_ = now;
  // The id of a row that is frozen for long may look new, but not be one that was given out by now.
  std::erase_if(suspects_, [&](const Suspect& suspect) {
    return !suspect.bound.valid() && !before(suspect.xid, moment.xmax);
  });
  for (auto& suspect : suspects_) {
    if (!suspect.bound.valid()) suspect.bound = moment.lsn;
  }
  floors_.push_back({.xmax = moment.xmax, .asked = asked, .edits = moment.edits});
  if (floors_.size() > kFloorsMax) floors_.pop_front();
}

std::vector<Witness::Row> Witness::to_ask() {
  std::vector<Row> rows;
  for (auto& kept : kept_) {
    // What is in progress for others need not be visible, such as a commit that waits for its standbys.
    kept.asked = moment_ && before(kept.xid, moment_->xmin);
    if (kept.asked) rows.push_back(kept.row);
  }
  return rows;
}

void Witness::answered(const std::vector<Row>& shown, Instant now) {
  const auto is_shown = [&](const Kept& kept) {
    return is_planted(Planted::kBlind) || std::ranges::any_of(shown, [&](const Row& row) {
             return row.run_id == kept.row.run_id && row.id == kept.row.id;
           });
  };
  const auto missing =
      std::ranges::count_if(kept_, [&](const Kept& kept) { return kept.asked && !is_shown(kept); });
  std::erase_if(kept_, [&](Kept& kept) {
    if (!kept.asked) return false;
    if (is_shown(kept)) {
      ++stats_.rows;
      agree(Disagreement::kBlind, kept.xid);
      return true;
    }
    if (!kept.missed) kept.missed = now;
    const bool counted = kept.edits && moment_->edits;
    if (counted && *kept.edits != *moment_->edits) return true;  // it may be gone
    if (moment_at_ - *kept.missed < kEditsLate) return false;
    if (counted || (shown.empty() && std::cmp_greater_equal(missing, kWithoutCounts))) {
      disagree(Disagreement::kBlind, std::move(kept.row), kept.lsn);
    }
    return true;
  });
}

std::vector<Witness::Verdict> Witness::judge(decoder::Lsn judged, Instant now) {
  const auto waits = [](const Suspect& suspect) { return suspect.passed.has_value(); };
  std::erase_if(suspects_, [&](Suspect& suspect) {
    if (was_streamed(suspect.hash)) {
      ++stats_.rows;
      return true;
    }
    if (suspect.floor.asked < complete_from_) return true;
    const bool past = is_planted(Planted::kHasty) || judged >= suspect.bound;
    if (!suspect.passed && suspect.bound.valid() && past) suspect.passed = now;
    return !suspect.passed && now - suspect.since > kPatience;
  });
  const auto passed = std::ranges::count_if(suspects_, waits);
  std::erase_if(suspects_, [&](Suspect& suspect) {
    if (!suspect.passed) return false;
    const bool counted = suspect.floor.edits && moment_->edits;
    // An UPDATE writes rows that look new, and the stream does not bring them.
    if (counted && suspect.floor.edits->updates != moment_->edits->updates) return true;
    if (moment_at_ - *suspect.passed < kEditsLate) return false;
    const bool silent = !anything_after(suspect.floor.asked);
    if (counted || (silent && std::cmp_greater_equal(passed, kWithoutCounts))) {
      disagree(Disagreement::kDeaf, std::move(suspect.row), suspect.floor.asked);
    }
    return true;
  });
  return std::exchange(verdicts_, {});
}

void Witness::disagree(Disagreement kind, Row row, decoder::Lsn since) {
  ++stats_.disagreements[static_cast<std::size_t>(kind)];
  standing_since_ = standing_ == kind ? std::min(standing_since_, since) : since;
  standing_ = kind;
  standing_xmax_ = moment_ ? moment_->xmax : 0;
  verdicts_.push_back({.kind = kind, .row = std::move(row), .since = since});
}

void Witness::agree(Disagreement kind, decoder::Xid xid) noexcept {
  if (standing_ == kind && !before(xid, standing_xmax_)) end_standing();
}

void Witness::end_standing() noexcept {
  if (standing_ && !is_planted(Planted::kForgetRecovery)) {
    recovery_ = Recovery{.kind = *standing_, .since = standing_since_};
  }
  standing_.reset();
}

bool Witness::may_be_blind() const noexcept {
  return standing_ == Disagreement::kBlind ||
         std::ranges::any_of(kept_, [](const Kept& kept) { return kept.missed.has_value(); });
}

}  // namespace dupwatch::core
