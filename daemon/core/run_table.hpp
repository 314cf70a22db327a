#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/core/planted.hpp"

namespace dupwatch::core {

/// Handles by 32 bits of hash: linear probing, the entries in the order of their hashes, which is that of
/// their homes as well. So the look-up of a run that is not there ends where it would lie, also in a full
/// table; and growing reads the old table and writes the new one from front to back, without asking any run.
class RunTable {
 public:
  using Handle = std::uint32_t;
  static constexpr Handle kNone = 0xFFFFFFFF;

  RunTable();

  /// The first run with this hash that `is` accepts; kNone = there is none.
  template <typename Is>
  [[nodiscard]] Handle find(std::uint32_t hash, const Is& is) const {
    auto i = home(hash);
    while (slots_[i] < slot(hash, 0)) {
      count_work(Work::kProbes);
      ++i;
    }
    for (; slots_[i] < slot(hash, kNone); ++i) {
      count_work(Work::kProbes);
      const auto run = static_cast<Handle>(slots_[i]);
      if (is(run)) return run;
    }
    return kNone;
  }
  void insert(Handle run, std::uint32_t hash);
  /// The run must be there.
  void erase(Handle run, std::uint32_t hash);
  [[nodiscard]] std::uint64_t bytes() const noexcept { return slots_.capacity() * sizeof(Slot); }

 private:
  /// The hash above the handle.
  using Slot = std::uint64_t;
  /// Behind every entry. No handle is kNone.
  static constexpr Slot kFree = ~Slot{0};
  static constexpr std::size_t kHomesMin = 1024;
  /// Behind the last home: what is pushed further needs more with a probability of 1e-12 at the fullest.
  static constexpr std::size_t kTail = 96;

  [[nodiscard]] static constexpr Slot slot(std::uint32_t hash, Handle run) noexcept {
    return Slot{hash} << 32U | run;
  }
  [[nodiscard]] std::size_t home(std::uint32_t hash) const noexcept {
    return (std::uint64_t{hash} * homes_) >> 32U;
  }
  [[nodiscard]] std::size_t home_of(Slot slot) const noexcept {
    return home(static_cast<std::uint32_t>(slot >> 32U));
  }
  void grow();

  std::size_t homes_ = kHomesMin;
  std::size_t runs_ = 0;
  /// The last one is free always.
  std::vector<Slot> slots_;
};

}  // namespace dupwatch::core
