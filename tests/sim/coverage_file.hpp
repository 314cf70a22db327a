#pragma once

#include <optional>
#include <string>
#include <utility>

namespace dupwatch::sim {

/// The daemon's coverage file: a page is there as a whole or not at all.
class CoverageFile {
 public:
  void write(std::string text) { before_ = std::exchange(text_, std::move(text)); }
  [[nodiscard]] const std::optional<std::string>& text() const noexcept { return text_; }
  void lose() { text_.reset(); }
  void damage() {
    if (text_) text_->resize(text_->size() / 2);
  }
  /// Somebody keeps a copy, and puts it back later: false when there is none.
  void copy() { copy_ = text_; }
  [[nodiscard]] bool put_copy_back() {
    if (!copy_ || copy_ == text_) return false;
    text_ = copy_;
    return true;
  }
  /// The machine crashes: the rename of the last page may not have reached the disk.
  [[nodiscard]] bool forget_rename() {
    if (!before_ || before_ == text_) return false;
    text_ = before_;
    return true;
  }

 private:
  std::optional<std::string> text_;
  std::optional<std::string> before_;
  std::optional<std::string> copy_;
};

}  // namespace dupwatch::sim
