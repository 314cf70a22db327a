#include "daemon/core/life_cycle.hpp"

#include <utility>

namespace dupwatch::core {

LifeCycle::LifeCycle() : state_(Apart{}) {}

LifeCycle::Apart& LifeCycle::apart() {
  if (auto* known = std::get_if<Apart>(&state_)) return *known;
  return state_.emplace<Apart>(Apart{.has_streamed = has_streamed(), .gap = pending_gap()});
}

void LifeCycle::attempts() {
  auto& now = apart();
  if (now.step != StreamState::kStandby) now.step = StreamState::kConnecting;
}

void LifeCycle::attached() {
  apart().step = StreamState::kStarting;
}

void LifeCycle::stream_ended() {
  if (auto* stream = std::get_if<Streaming>(&state_)) stream->ended = true;
}

bool LifeCycle::gives_up(GapReason reason) {
  if (auto* stream = std::get_if<Streaming>(&state_)) return std::exchange(stream->gap, reason) != reason;
  return std::exchange(apart().gap, reason) != reason;
}

void LifeCycle::polls(bool waits) {
  auto& now = apart();
  now.without_slot = true;
  if (waits) now.step = StreamState::kPolling;
}

void LifeCycle::backs_off() {
  apart().step = StreamState::kBackingOff;
}

bool LifeCycle::stands_by() {
  auto& now = apart();
  now.step = StreamState::kStandby;
  return !std::exchange(now.stood_by, true);
}

StreamState LifeCycle::state() const {
  if (const auto* now = std::get_if<Apart>(&state_)) return now->step;
  return streaming() ? StreamState::kStreaming : StreamState::kStopping;
}

bool LifeCycle::stream_open() const {
  const auto* stream = std::get_if<Streaming>(&state_);
  return stream != nullptr && !stream->ended;
}

bool LifeCycle::has_streamed() const {
  const auto* now = std::get_if<Apart>(&state_);
  return now != nullptr ? now->has_streamed : streaming();
}

WatchMode LifeCycle::mode() const {
  const auto* now = std::get_if<Apart>(&state_);
  return now != nullptr && now->without_slot ? WatchMode::kPolling : WatchMode::kStreaming;
}

bool LifeCycle::scans_for_want_of_slot() const {
  return mode() == WatchMode::kPolling && state() != StreamState::kStarting;
}

std::optional<GapReason> LifeCycle::pending_gap() const {
  if (const auto* now = std::get_if<Apart>(&state_)) return now->gap;
  if (const auto* stream = std::get_if<Streaming>(&state_)) return stream->gap;
  return std::nullopt;
}

}  // namespace dupwatch::core
