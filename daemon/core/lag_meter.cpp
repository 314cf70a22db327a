#include "daemon/core/lag_meter.hpp"

#include <algorithm>

namespace dupwatch::core {

void LagMeter::sample(decoder::Lsn tip, Instant now) noexcept {
  tip_ = std::max(tip_, tip);
  newest_ = Sample{.tip = tip, .at = now};
  if (!unreached_) unreached_ = newest_;
}

void LagMeter::judged(decoder::Lsn position) noexcept {
  tip_ = std::max(tip_, position);
  if (unreached_ && position >= unreached_->tip) {
    unreached_.reset();
    if (newest_ && position < newest_->tip) unreached_ = newest_;
  }
}

std::chrono::duration<double> LagMeter::lag(Instant now) const noexcept {
  if (!unreached_ || now <= unreached_->at) return {};
  return now - unreached_->at;
}

}  // namespace dupwatch::core
