#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "daemon/core/latency_histogram.hpp"
#include "daemon/core/packed_text.hpp"
#include "decoder/change.hpp"

namespace dupwatch::core {

/// How long rows stay invisible behind greater ids, of all rows that the stream brought. A reader that goes
/// by `WHERE id > last` loses a row of which it has already passed a greater one; if it leaves the newest
/// rows alone for the delay, it does not.
struct OrderWatchStats {
  bool enabled = false;
  std::uint64_t rows = 0;
  /// Rows that committed when a row with a greater id, of any run, had.
  std::uint64_t behind = 0;
  /// Every row; one that is not behind waits for nothing.
  LatencyHistogram delay;
  /// The delay that this share of all rows needs, in seconds: kOrderShares.
  std::array<double, 4> needed{};
};
inline constexpr std::array<double, 4> kOrderShares = {0.5, 0.99, 0.999, 1};
inline constexpr std::array<std::string_view, 4> kOrderShareNames = {"0.5", "0.99", "0.999", "1"};

/// Watches the order in which the ids of a table commit. Memory is bounded: of long ago less is known, and
/// then a delay is said to be up to a hundredth longer than it was. Not thread-safe.
class OrderWatch {
 public:
  /// Moments at which the greatest id grew, and the share of its age by which one may be told too early.
  static constexpr std::size_t kStepsMax = 8192;
  static constexpr std::int64_t kAgeShare = 128;
  /// Longer ids are left out.
  static constexpr std::size_t kIdBytesMax = 256;

  void set_order(TextOrder order) noexcept { order_ = order; }
  void begin(const decoder::Begin& transaction);
  /// A row of the transaction.
  void row(std::string_view id);
  /// From now on readers see them.
  void commit();

  [[nodiscard]] OrderWatchStats stats() const;
  [[nodiscard]] std::size_t steps() const noexcept { return steps_.size(); }

 private:
  /// An id and when the first id from it on, or a greater one, was there.
  struct Step {
    std::string id;
    std::int64_t micros = 0;
  };
  [[nodiscard]] bool less(std::string_view a, std::string_view b) const noexcept {
    return less_text(a, b, order_);
  }
  void observe(std::int64_t micros);
  void thin_out();
  [[nodiscard]] double needed_by(double share) const;

  /// Eight buckets for each power of two of microseconds.
  static constexpr std::size_t kParts = 8;
  static constexpr std::size_t kBuckets = 64 * kParts;
  [[nodiscard]] static std::size_t bucket_of(std::uint64_t micros) noexcept;
  [[nodiscard]] static std::uint64_t end_of(std::size_t bucket) noexcept;

  TextOrder order_ = TextOrder::kBytes;
  std::deque<Step> steps_;  ///< ids ascend
  decoder::Begin transaction_;
  decoder::Begin last_;
  bool again_ = false;  ///< the transaction was there before
  std::string greatest_;
  bool has_rows_ = false;
  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t longest_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t behind_ = 0;
  LatencyHistogram delay_;
};

}  // namespace dupwatch::core
