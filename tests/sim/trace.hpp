#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "daemon/core/packed_text.hpp"

namespace dupwatch::sim {

/// What happened, as a hash always and as text on demand. Equal hashes of two runs of a seed mean that the
/// simulation is deterministic.
class Trace {
 public:
  explicit Trace(bool print) : print_(print) {}

  template <class... Args>
  void operator()(std::string_view what, fmt::format_string<Args...> format, Args&&... args) {
    hash_ = core::hash_text(what, hash_);
    ((hash_ = core::hash_text(text_of(args), hash_)), ...);
    if (print_) fmt::print("{:6} {:<18} {}\n", step, what, fmt::format(format, std::forward<Args>(args)...));
  }
  void operator()(std::string_view what) { operator()(what, "{}", ""); }

  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  std::uint64_t step = 0;

 private:
  static std::string_view text_of(std::string_view text) { return text; }
  static std::string text_of(std::uint64_t number) { return std::to_string(number); }

  bool print_;
  std::uint64_t hash_ = 0;
};

}  // namespace dupwatch::sim
