#pragma once

#include <cstdint>
#include <vector>

namespace dupwatch::core {

/// Which findings were told, and with which verdict, in eight bytes each: for those that nothing else is
/// remembered of any more. A hash of 56 bits stands for the finding, so of 2^21 of them one is taken for
/// another with a chance of 1 in 2^35. At its bound it begins again. Not thread-safe.
class ToldFindings {
 public:
  /// Of slots of 16 MiB seven eighths.
  static constexpr std::size_t kEntriesMax = (std::size_t{1} << 21U) / 8 * 7;
  explicit ToldFindings(std::uint64_t seed, std::size_t entries_max = kEntriesMax)
      : seed_(seed), entries_max_(entries_max) {}

  void put(std::uint64_t id, std::uint8_t verdict);
  /// It was told with this verdict last.
  [[nodiscard]] bool has(std::uint64_t id, std::uint8_t verdict) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return entries_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return slots_.capacity() * sizeof(std::uint64_t); }

 private:
  [[nodiscard]] std::uint64_t key_of(std::uint64_t id) const noexcept;
  /// Where the finding is, or would be.
  [[nodiscard]] std::size_t slot_of(std::uint64_t key) const noexcept;

  std::uint64_t seed_;
  std::size_t entries_max_;
  std::size_t entries_ = 0;
  /// Open addressing: the hash above the verdict, 0 = free.
  std::vector<std::uint64_t> slots_;
};

}  // namespace dupwatch::core
