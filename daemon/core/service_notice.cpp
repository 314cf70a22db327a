#include "daemon/core/service_notice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace dupwatch::core {
namespace {

/// One line of at most kStatusBytesMax: a newline in a server's message would begin another assignment.
std::string one_line(std::string_view text) {
  std::string line(text.substr(0, ServiceNotice::kStatusBytesMax));
  if (line.size() < text.size()) {
    // No half character: the manager refuses a status that is not UTF-8.
    const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; };
    if (continues(text[line.size()])) {
      while (!line.empty() && continues(line.back())) line.pop_back();
      if (!line.empty()) line.pop_back();
    }
  }
  std::ranges::replace_if(
      line, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
  return line;
}

}  // namespace

void ServiceNotice::status(std::string_view text) {
  status_ = one_line(text);
}

bool ServiceNotice::ping_due(Instant now) const noexcept {
  return watchdog_.count() != 0 && now >= next_ping_;
}

bool ServiceNotice::status_due(Instant now) const noexcept {
  return status_ != status_told_ && (now >= next_status_ || ready_ != ready_told_);
}

std::string ServiceNotice::due(Instant now) const {
  std::string message;
  if (ready_ != ready_told_) message += "READY=1\n";
  if (status_due(now)) message += "STATUS=" + status_ + "\n";
  if (ping_due(now)) {
    message += "WATCHDOG=1\n";
    if (!ready_) message += fmt::format("EXTEND_TIMEOUT_USEC={}\n", watchdog_.count());
  }
  return message;
}

void ServiceNotice::sent(Instant now) {
  if (status_due(now)) {
    status_told_ = status_;
    next_status_ = now + kStatusInterval;
  }
  // Half of the limit, as sd_watchdog_enabled(3) advises.
  if (ping_due(now)) next_ping_ = now + watchdog_ / 2;
  ready_told_ = ready_;
}

core::Instant ServiceNotice::deadline() const noexcept {
  auto deadline = Instant::max();
  if (watchdog_.count() != 0) deadline = next_ping_;
  if (status_ != status_told_) deadline = std::min(deadline, next_status_);
  if (ready_ != ready_told_) deadline = Instant::min();
  return deadline;
}

std::string ServiceNotice::farewell(std::string_view why) {
  return "STOPPING=1\nSTATUS=" + one_line(why) + "\n";
}

ServiceNotice::Microseconds ServiceNotice::watchdog_of(std::string_view microseconds, std::string_view pid,
                                                       std::string_view own) noexcept {
  if (!pid.empty() && pid != own) return Microseconds{0};
  std::int64_t count = 0;
  const auto* const end = microseconds.data() + microseconds.size();
  const auto [rest, error] = std::from_chars(microseconds.data(), end, count);
  if (error != std::errc{} || rest != end || count <= 0) return Microseconds{0};
  return Microseconds{count};
}

}  // namespace dupwatch::core
