#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/process/clock.hpp"

namespace dupwatch::cli {

/// A bar with what is done, how fast, and what is left; without a bar where `total` is 0, which is not known.
/// Pure.
[[nodiscard]] std::string progress_text(std::uint64_t done, std::uint64_t total, std::string_view unit,
                                        double seconds);

/// One line on standard error while something long goes on; silent when that is no terminal.
class ProgressBar {
 public:
  /// `total` 0 = not known.
  ProgressBar(std::string_view unit, std::uint64_t total);
  /// At most four times a second.
  void show(std::uint64_t done);
  void clear();

 private:
  std::string_view unit_;
  std::uint64_t total_;
  bool terminal_;
  bool shown_ = false;
  core::Instant began_;
  core::Instant next_{};
};

}  // namespace dupwatch::cli
