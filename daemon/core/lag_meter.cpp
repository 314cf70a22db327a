#include "daemon/core/lag_meter.hpp"

#include <algorithm>

namespace dupwatch::core {

void LagMeter::sample(decoder::Lsn tip, Instant now) noexcept {
  tip_ = std::max(tip_, tip);
  if (tip <= judged_ || (!unreached_.empty() && tip <= unreached_.back().tip)) return;
  const auto size = unreached_.size();
  if (size >= 2 && unreached_[size - 1].at - unreached_[size - 2].at < spacing_) unreached_.pop_back();
  unreached_.push_back(Sample{.tip = tip, .at = now});
  if (unreached_.size() <= kSamplesMax) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < unreached_.size(); i += 2) unreached_[kept++] = unreached_[i];
  unreached_.resize(kept);
  // The samples to come must be as far apart as those that are left: with every later sample kept and all of
  // them thinned again and again, only the last ones would remain, and the first.
  spacing_ = (unreached_.back().at - unreached_.front().at) / (kept - 1);
}

void LagMeter::judged(decoder::Lsn position) noexcept {
  tip_ = std::max(tip_, position);
  judged_ = position;
  while (!unreached_.empty() && unreached_.front().tip <= position) unreached_.pop_front();
  if (unreached_.empty()) spacing_ = {};
}

std::chrono::duration<double> LagMeter::lag(Instant now) const noexcept {
  if (unreached_.empty() || now <= unreached_.front().at) return {};
  return now - unreached_.front().at;
}

}  // namespace dupwatch::core
