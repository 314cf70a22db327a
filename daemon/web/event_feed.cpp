#include "daemon/web/event_feed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "daemon/core/finding.hpp"
#include "daemon/web/json.hpp"
#include "daemon/web/verdict.hpp"

namespace dupwatch::web {
namespace {

/// The number in "ORIGIN-NUMBER" if the store gave it.
[[nodiscard]] std::optional<std::uint64_t> number_in(std::string_view id, const StatusStore& store) {
  if (!id.starts_with(store.origin())) return std::nullopt;
  id.remove_prefix(store.origin().size());
  if (!id.starts_with('-')) return std::nullopt;
  id.remove_prefix(1);
  std::uint64_t number = 0;
  const auto* end = id.data() + id.size();
  const auto [rest, error] = std::from_chars(id.data(), end, number);
  if (error != std::errc{} || rest != end || number > store.last_update()) return std::nullopt;
  return number;
}

}  // namespace

EventFeed::EventFeed(const StatusStore& store, std::string_view last_event_id) : store_(store) {
  if (const auto number = number_in(last_event_id, store)) {
    list_due_ = false;
    last_ = *number;
  }
}

void EventFeed::append_list_event(std::string& out) {
  list_due_ = false;
  last_ = store_.last_update();
  out += fmt::format("id: {}-{}\nevent: list\ndata: {{}}\n\n", store_.origin(), last_);
}

void EventFeed::append_status(std::string& out, Clock::time_point now) {
  next_status_ = now + kStatusInterval;
  const auto snapshot = store_.snapshot();
  auto status = status_json(*snapshot, judge(*snapshot, store_.alive(now)));
  if (status == status_) return;
  status_ = std::move(status);
  // JSON has no newline, so one `data` line holds it.
  out += fmt::format("event: status\ndata: {}\n\n", status_);
}

std::string EventFeed::next(Clock::time_point now) {
  std::string out;
  const auto updates = store_.updates_after(last_, kFindingsMax);
  if (list_due_ || !updates.complete) {
    append_list_event(out);
  } else {
    for (const auto& finding : updates.findings) {
      out += fmt::format("event: finding\ndata: {}\n", core::to_json(*finding));
      // The last one of a piece alone has the number: a client that comes back gets a piece anew, not half.
      if (finding == updates.findings.back())
        out += fmt::format("id: {}-{}\n", store_.origin(), updates.last);
      out += '\n';
    }
    last_ = updates.last;
  }
  if (now >= next_status_) append_status(out, now);
  if (out.empty() && now >= next_keepalive_) out = ": keepalive\n\n";
  if (!out.empty()) next_keepalive_ = now + kKeepalive;
  return out;
}

EventFeed::Clock::time_point EventFeed::deadline() const noexcept {
  return std::min(next_status_, next_keepalive_);
}

}  // namespace dupwatch::web
