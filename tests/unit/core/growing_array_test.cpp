#include "daemon/core/growing_array.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

namespace dupwatch::core {
namespace {

TEST(GrowingArray, HoldsWhatWasPutIntoIt) {
  GrowingArray<std::uint64_t> array;
  EXPECT_EQ(array.size(), 0U);
  EXPECT_EQ(array.capacity(), 0U);
  for (std::uint64_t n = 0; n < 300'000; ++n) array.push_back(n * 3);
  ASSERT_EQ(array.size(), 300'000U);
  std::uint64_t n = 0;
  for (const auto value : array) ASSERT_EQ(value, 3 * n++);
  array[7] = 1;
  EXPECT_EQ(std::as_const(array)[7], 1U);
  EXPECT_EQ(array[8], 24U);
}

TEST(GrowingArray, TakesAValueOfItsOwn) {
  GrowingArray<std::uint64_t> array;
  array.push_back(5);
  while (array.size() < 1000) array.push_back(array[array.size() - 1]);
  EXPECT_EQ(array[999], 5U);
}

TEST(GrowingArray, GrowsByAnEighthOnceItIsLarge) {
  GrowingArray<std::uint64_t> array;
  std::size_t grown = 0;
  for (std::uint64_t n = 0; n < 3'000'000; ++n) {
    const auto before = array.capacity();
    array.push_back(n);
    if (array.capacity() == before) continue;
    ++grown;
    const auto bytes = before * sizeof n;
    EXPECT_EQ(array.capacity(), before == 0 ? 1 : bytes < (1U << 20U) ? 2 * before : before + before / 8);
  }
  EXPECT_LT(grown, 60U);
  EXPECT_GT(grown, 35U);
}

TEST(GrowingArray, KeepsItsRoomWhenItIsCleared) {
  GrowingArray<std::uint32_t> array;
  array.reserve(100);
  EXPECT_EQ(array.capacity(), 100U);
  array.reserve(10);
  EXPECT_EQ(array.capacity(), 100U);
  for (std::uint32_t n = 0; n < 100; ++n) array.push_back(n);
  EXPECT_EQ(array.capacity(), 100U);
  array.clear();
  EXPECT_EQ(array.size(), 0U);
  EXPECT_EQ(array.capacity(), 100U);
}

TEST(GrowingArray, IsEmptyOnceItWasMovedFrom) {
  GrowingArray<std::uint32_t> array;
  array.push_back(1);
  GrowingArray<std::uint32_t> other(std::move(array));
  EXPECT_EQ(other.size(), 1U);
  EXPECT_EQ(array.size(), 0U);      // NOLINT(*-use-after-move): it is what is tested
  EXPECT_EQ(array.capacity(), 0U);  // NOLINT(*-use-after-move)
  array.push_back(2);
  other = std::move(array);
  EXPECT_EQ(other.size(), 1U);
  EXPECT_EQ(other[0], 2U);
  other = GrowingArray<std::uint32_t>{};
  EXPECT_EQ(other.size(), 0U);
}

}  // namespace
}  // namespace dupwatch::core
