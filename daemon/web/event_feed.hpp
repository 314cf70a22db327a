#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/web/status_store.hpp"

namespace dupwatch::web {

/// What one client of /api/events is sent, in the format of server-sent events and without its socket. The
/// events: `list` (load /api/findings, then take what follows), `finding` (as in /api/findings) and `status`
/// (as /api/status, at most once a second). One thread.
class EventFeed {
 public:
  using Clock = StatusStore::Clock;
  static constexpr std::chrono::seconds kStatusInterval{1};
  /// Without anything to say, a comment is sent so often: a proxy takes a silent connection for dead, and a
  /// client that is gone is noticed by writing to it alone.
  static constexpr std::chrono::seconds kKeepalive{15};
  /// Findings in one piece; the rest is in the next.
  static constexpr std::size_t kFindingsMax = 64;

  /// `last_event_id` is the header of a client that comes back, else empty. It goes on where the client was
  /// if the store still keeps everything since.
  EventFeed(const StatusStore& store, std::string_view last_event_id);

  /// What is to be sent at `now`; empty = nothing.
  [[nodiscard]] std::string next(Clock::time_point now);
  /// Call next() at this time, or earlier when the store has an update after last().
  [[nodiscard]] Clock::time_point deadline() const noexcept;
  [[nodiscard]] std::uint64_t last() const noexcept { return last_; }

 private:
  void append_list_event(std::string& out);
  void append_status(std::string& out, Clock::time_point now);

  const StatusStore& store_;
  bool list_due_ = true;
  std::uint64_t last_ = 0;
  Clock::time_point next_status_{};
  Clock::time_point next_keepalive_{};
  std::string status_;
};

}  // namespace dupwatch::web
