#include "daemon/core/heartbeat.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dupwatch::core {

std::string_view to_string(Heartbeat::Loss loss) noexcept {
  switch (loss) {
    case Heartbeat::Loss::kPassed:
      return "the server has sent what was written after it";
    case Heartbeat::Loss::kNoReader:
      return "the slot has no reader";
    case Heartbeat::Loss::kSilent:
      return "the server has sent nothing at all";
  }
  return "?";
}

void Heartbeat::stream_started(Instant now) {
  beat_.reset();
  on_ = config_.interval.count() != 0;
  next_ = on_ ? now : Instant::max();
  if (!any_stream_) last_returned_ = now;
  any_stream_ = true;
}

void Heartbeat::switch_off() noexcept {
  on_ = false;
  beat_.reset();
  next_ = Instant::max();
}

void Heartbeat::configure(const HeartbeatConfig& config, Instant now) {
  config_ = config;
  next_ = std::min(next_, now + config_.interval);
}

std::optional<std::string> Heartbeat::next(Instant now) {
  // One that is overdue is not given up: a second one would say nothing that the first does not.
  if (!on_ || beat_ || now < next_) return std::nullopt;
  beat_ = Beat{.content = fmt::format("beat {:016x}", random_.next()), .sent = now, .end = {}};
  last_sent_ = now;
  any_sent_ = true;
  next_ = now + config_.interval;
  return beat_->content;
}

void Heartbeat::emitted(std::string_view content, decoder::Lsn end) noexcept {
  if (beat_ && beat_->content == content) beat_->end = end;
}

void Heartbeat::not_emitted(std::string_view content) noexcept {
  if (beat_ && beat_->content == content) beat_.reset();
}

bool Heartbeat::returned(std::string_view content, Instant now) {
  if (!beat_ || beat_->content != content) return false;
  round_trip_.observe(std::chrono::duration<double>(now - beat_->sent).count());
  last_returned_ = now;
  restarts_ = 0;
  beat_.reset();
  return true;
}

Milliseconds Heartbeat::patience() const noexcept {
  return config_.timeout * (std::int64_t{1} << std::min(restarts_, kDoublingsMax));
}

std::optional<Heartbeat::Loss> Heartbeat::lost(const View& view, Instant now) const noexcept {
  if (!beat_ || !beat_->end.valid() || now - beat_->sent < patience()) return std::nullopt;
  if (view.received >= beat_->end) return Loss::kPassed;
  const auto silence = now - std::max(view.heard, beat_->sent);
  if (view.slot_active == false && silence >= config_.timeout) return Loss::kNoReader;
  if (silence >= patience() * kSilenceFactor) return Loss::kSilent;
  return std::nullopt;
}

void Heartbeat::restarting() noexcept {
  restarts_ = std::min(restarts_ + 1, kDoublingsMax);
}

std::chrono::duration<double> Heartbeat::overdue(Instant now) const noexcept {
  if (!beat_ || now - beat_->sent < config_.timeout) return {};
  return now - beat_->sent;
}

core::Instant Heartbeat::deadline() const noexcept {
  return on_ && !beat_ ? next_ : Instant::max();
}

}  // namespace dupwatch::core
