#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace dupwatch::postgres {

/// Splits a row of COPY TO STDOUT in text format.
class CopyFields {
 public:
  /// Run, id, type, the identity columns of a profile, xmin, commit time and spec version; further fields are
  /// left out.
  static constexpr std::size_t kMax = 3 + 4 + 3;

  /// With or without the newline. Views live as long as `line` and until the next call.
  void split(std::string_view line);
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// nullopt = NULL.
  [[nodiscard]] const std::optional<std::string_view>& operator[](std::size_t index) const noexcept {
    return fields_[index];
  }

 private:
  [[nodiscard]] std::optional<std::string_view> value_of(std::string_view field);

  std::array<std::optional<std::string_view>, kMax> fields_{};
  std::size_t size_ = 0;
  /// What had escapes, written out.
  std::string text_;
};

}  // namespace dupwatch::postgres
