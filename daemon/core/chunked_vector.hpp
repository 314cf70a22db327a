#pragma once

#include <cstddef>
#include <vector>

namespace dupwatch::core {

/// Numbered places that never move. Larger pieces than std::deque's 512 bytes: the list of them stays in a
/// cache of the processor when the places are too many for any.
template <typename T>
class ChunkedVector {
 public:
  [[nodiscard]] T& operator[](std::size_t number) noexcept {
    return pieces_[number / kPiece][number % kPiece];
  }
  [[nodiscard]] const T& operator[](std::size_t number) const noexcept {
    return pieces_[number / kPiece][number % kPiece];
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  void add() {
    if (size_ % kPiece == 0) pieces_.emplace_back().reserve(kPiece);
    pieces_.back().emplace_back();
    ++size_;
  }

 private:
  static constexpr std::size_t kPiece = 1024;

  std::vector<std::vector<T>> pieces_;
  std::size_t size_ = 0;
};

}  // namespace dupwatch::core
