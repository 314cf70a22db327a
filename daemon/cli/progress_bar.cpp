#include "daemon/cli/progress_bar.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace dupwatch::cli {
namespace {

constexpr std::chrono::milliseconds kInterval{250};
constexpr std::size_t kBarCells = 24;

}  // namespace

std::string progress_text(std::uint64_t done, std::uint64_t total, std::string_view unit, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  if (total == 0) return fmt::format("{} {}, {:.0f} a second", done, unit, rate);
  // The total is the planner's estimate.
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto cells = static_cast<std::size_t>(part * static_cast<double>(kBarCells));
  const double left = rate > 0 ? (static_cast<double>(total) - static_cast<double>(done)) / rate : 0;
  return fmt::format("[{}{}] {:3.0f} %  {} of about {} {}, {:.0f} a second, {:.0f} s left",
                     std::string(cells, '#'), std::string(kBarCells - cells, '.'), part * 100, done, total,
                     unit, rate, std::max(0.0, left));
}

ProgressBar::ProgressBar(std::string_view unit, std::uint64_t total)
    : unit_(unit), total_(total), terminal_(isatty(STDERR_FILENO) == 1), began_(process::steady_now()) {}

void ProgressBar::show(std::uint64_t done) {
  const auto now = process::steady_now();
  if (!terminal_ || now < next_) return;
  next_ = now + kInterval;
  shown_ = true;
  const double seconds = std::chrono::duration<double>(now - began_).count();
  fmt::print(stderr, "\r\x1b[K{}", progress_text(done, total_, unit_, seconds));
  (void)std::fflush(stderr);
}

void ProgressBar::clear() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
  shown_ = false;
}

}  // namespace dupwatch::cli
