#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace dupwatch::core {

/// What std::vector is, for plain values that may become many megabytes: such an array grows by an eighth and
/// where it lies (the kernel moves its pages), so that it is never there twice. Not thread-safe.
template <typename T>
class GrowingArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  GrowingArray() = default;
  GrowingArray(GrowingArray&& other) noexcept { swap(other); }
  GrowingArray& operator=(GrowingArray&& other) noexcept {
    GrowingArray moved(std::move(other));
    swap(moved);
    return *this;
  }
  GrowingArray(const GrowingArray&) = delete;
  GrowingArray& operator=(const GrowingArray&) = delete;
  ~GrowingArray() = default;

  [[nodiscard]] T& operator[](std::size_t number) noexcept { return begin()[number]; }
  [[nodiscard]] const T& operator[](std::size_t number) const noexcept { return begin()[number]; }
  [[nodiscard]] T* begin() noexcept { return values_.get(); }
  [[nodiscard]] T* end() noexcept { return begin() + size_; }
  [[nodiscard]] const T* begin() const noexcept { return values_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  void push_back(const T& value) {
    const T kept = value;  // of this array perhaps
    if (size_ == capacity_) {
      reserve(capacity_ +
              (capacity_ * sizeof(T) < kLargeBytes ? std::max<std::size_t>(capacity_, 1) : capacity_ / 8));
    }
    begin()[size_++] = kept;
  }
  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    // NOLINTNEXTLINE(*-no-malloc, *-owning-memory): std::vector can't grow where it lies
    auto* grown = static_cast<T*>(std::realloc(static_cast<void*>(begin()), capacity * sizeof(T)));
    if (grown == nullptr) throw std::bad_alloc();
    (void)values_.release();
    values_.reset(grown);
    capacity_ = capacity;
  }
  void clear() noexcept { size_ = 0; }

 private:
  static constexpr std::size_t kLargeBytes = std::size_t{1} << 20U;
  struct Free {
    void operator()(T* values) const noexcept { std::free(values); }  // NOLINT(*-no-malloc, *-owning-memory)
  };
  void swap(GrowingArray& other) noexcept {
    std::swap(values_, other.values_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  std::unique_ptr<T, Free> values_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace dupwatch::core
