#include "daemon/core/coverage_pages.hpp"

#include <algorithm>
#include <utility>

#include "daemon/core/planted.hpp"

namespace dupwatch::core {

void CoveragePages::begin(CoverageOrigin origin, decoder::Lsn from, std::vector<CoverageGap> open_gaps) {
  record_ = CoverageRecord{.origin = std::move(origin), .confirmed = from, .open_gaps = std::move(open_gaps)};
  // The slot stands there already.
  written_ = allowed_ = from;
  next_page_ = {};
  waiting_.reset();
  make_page();
  begun_with_ = number_;
}

void CoveragePages::note_gaps(std::vector<CoverageGap> open_gaps) {
  if (!record_) return;
  record_->open_gaps = std::move(open_gaps);
  make_page();
}

void CoveragePages::make_page() {
  if (!kept_) return;
  auto record = *record_;
  if (is_planted(Planted::kForgetOpenGaps)) record.open_gaps.clear();
  page_ = Page{.text = to_json(record), .confirmed = record.confirmed, .number = ++number_};
}

std::optional<CoveragePages::Page> CoveragePages::take_page() {
  return std::exchange(page_, std::nullopt);
}

void CoveragePages::written(std::uint64_t number, decoder::Lsn confirmed) noexcept {
  if (number <= written_number_) return;
  written_number_ = number;
  // A page of an earlier stream says nothing of this one's positions: the next page overwrites it.
  if (number >= begun_with_) written_ = confirmed;
}

decoder::Lsn CoveragePages::confirmable(decoder::Lsn wanted, Instant now) {
  if (!record_) return wanted;
  if (!kept_) {
    record_->confirmed = wanted;
    return wanted;
  }
  if (wanted != record_->confirmed && now >= next_page_) {
    next_page_ = now + kSpacing;
    record_->confirmed = wanted;
    make_page();
  }
  if (settled()) {
    waiting_.reset();
  } else if (!waiting_ || written_number_ != waited_for_) {
    waiting_ = now;
    waited_for_ = written_number_;
  }
  const bool waits = !waits_too_long(now) && !is_planted(Planted::kConfirmUnwritten);
  // What was confirmed without the file is not taken back when it answers again.
  allowed_ = std::max(allowed_, waits ? std::min(wanted, written_) : wanted);
  held_back_ = allowed_ < wanted;
  return std::min(wanted, allowed_);
}

bool CoveragePages::take_written() noexcept {
  return settled() && std::exchange(held_back_, false);
}

void CoveragePages::settle(decoder::Lsn position) {
  if (!kept_ || !record_) return;
  if (record_->confirmed != position) {
    record_->confirmed = position;
    make_page();
  }
  next_page_ = Instant::max();
}

}  // namespace dupwatch::core
