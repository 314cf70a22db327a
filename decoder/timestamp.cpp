#include "decoder/timestamp.hpp"

#include <charconv>
#include <chrono>
#include <limits>

namespace dupwatch::decoder {
namespace {

/// Takes digits and separators from the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : text_(text) {}

  [[nodiscard]] bool done() const noexcept { return text_.empty(); }

  [[nodiscard]] bool accept(char expected) noexcept {
    if (text_.empty() || text_.front() != expected) return false;
    text_.remove_prefix(1);
    return true;
  }

  /// `digits_min` to `digits_max` decimal digits, as many as there are.
  [[nodiscard]] std::optional<int> number(std::size_t digits_min, std::size_t digits_max) noexcept {
    std::size_t size = 0;
    while (size < text_.size() && size < digits_max && text_[size] >= '0' && text_[size] <= '9') ++size;
    if (size < digits_min) return std::nullopt;
    int value = 0;
    std::from_chars(text_.data(), text_.data() + size, value);
    text_.remove_prefix(size);
    digits_ = size;
    return value;
  }

  /// How many digits the last number() took.
  [[nodiscard]] std::size_t digits() const noexcept { return digits_; }

 private:
  std::string_view text_;
  std::size_t digits_ = 0;
};

std::optional<std::chrono::sys_days> scan_date(Scanner& in) noexcept {
  // Five digits reach the last year std::chrono::year can hold; a commit is never later.
  const auto year = in.number(4, 5);
  if (!year || !in.accept('-')) return std::nullopt;
  const auto month = in.number(2, 2);
  if (!month || !in.accept('-')) return std::nullopt;
  const auto day = in.number(2, 2);
  if (!day || *year > static_cast<int>(std::chrono::year::max())) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date};
}

/// HH:MM:SS[.ffffff]
std::optional<std::chrono::microseconds> scan_time_of_day(Scanner& in) noexcept {
  const auto hour = in.number(2, 2);
  if (!hour || !in.accept(':')) return std::nullopt;
  const auto minute = in.number(2, 2);
  if (!minute || !in.accept(':')) return std::nullopt;
  const auto second = in.number(2, 2);
  if (!second || *hour > 24 || *minute > 59 || *second > 60) return std::nullopt;
  int micros = 0;
  if (in.accept('.')) {
    const auto fraction = in.number(1, 6);
    if (!fraction) return std::nullopt;
    micros = *fraction;
    // Postgres drops trailing zeros: ".5" is 500000.
    for (auto digits = in.digits(); digits < 6; ++digits) micros *= 10;
  }
  return std::chrono::hours{*hour} + std::chrono::minutes{*minute} + std::chrono::seconds{*second} +
         std::chrono::microseconds{micros};
}

/// +HH[:MM[:SS]]: what local time is ahead of UTC.
std::optional<std::chrono::seconds> scan_offset(Scanner& in) noexcept {
  const bool behind = in.accept('-');
  if (!behind && !in.accept('+')) return std::nullopt;
  const auto hour = in.number(2, 2);
  if (!hour) return std::nullopt;
  std::chrono::seconds offset = std::chrono::hours{*hour};
  if (in.accept(':')) {
    const auto minute = in.number(2, 2);
    if (!minute) return std::nullopt;
    offset += std::chrono::minutes{*minute};
    if (in.accept(':')) {
      const auto second = in.number(2, 2);
      if (!second) return std::nullopt;
      offset += std::chrono::seconds{*second};
    }
  }
  return behind ? -offset : offset;
}

}  // namespace

std::optional<Timestamp> timestamp_from_wire(std::int64_t micros_since_2000) noexcept {
  if (micros_since_2000 > std::numeric_limits<std::int64_t>::max() - kPostgresEpochMicros)
    return std::nullopt;
  return Timestamp{micros_since_2000 + kPostgresEpochMicros};
}

std::int64_t timestamp_to_wire(Timestamp time) noexcept {
  if (time.micros < std::numeric_limits<std::int64_t>::min() + kPostgresEpochMicros) {
    return std::numeric_limits<std::int64_t>::min();
  }
  return time.micros - kPostgresEpochMicros;
}

std::optional<Timestamp> parse_timestamp(std::string_view text) noexcept {
  Scanner in(text);
  const auto date = scan_date(in);
  if (!date || !in.accept(' ')) return std::nullopt;
  const auto time_of_day = scan_time_of_day(in);
  if (!time_of_day) return std::nullopt;
  const auto offset = scan_offset(in);
  if (!offset || !in.done()) return std::nullopt;
  const std::chrono::microseconds since_epoch = date->time_since_epoch() + *time_of_day - *offset;
  return Timestamp{since_epoch.count()};
}

}  // namespace dupwatch::decoder
