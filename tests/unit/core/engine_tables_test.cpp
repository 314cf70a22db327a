#include "daemon/core/engine_tables.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core {
namespace {

constexpr auto kWait = EngineTableTrouble::kSilentWait;
constexpr auto kToken = EngineTableTrouble::kHookToken;

std::vector<EngineTableRow> rows(std::initializer_list<const char*> whats) {
  std::vector<EngineTableRow> out;
  for (const auto* what : whats) out.push_back({.run_id = "wrun_1", .what = what});
  return out;
}

TEST(EngineTableBook, ToldOnceWhenTwoLooksShowIt) {
  EngineTableBook book;
  EXPECT_FALSE(book.lasting(kWait)) << "nobody has looked";
  EXPECT_TRUE(book.seen(kWait, rows({"a"})).empty());
  EXPECT_EQ(book.lasting(kWait), 0U);
  EXPECT_EQ(book.seen(kWait, rows({"b", "a"})), rows({"a"}));
  EXPECT_EQ(book.lasting(kWait), 1U);
  EXPECT_EQ(book.seen(kWait, rows({"a", "b"})), rows({"b"}));
  EXPECT_TRUE(book.seen(kWait, rows({"a", "b"})).empty());
  EXPECT_EQ(book.lasting(kWait), 2U);
}

TEST(EngineTableBook, WhatWentAndComesBackIsToldAgain) {
  EngineTableBook book;
  (void)book.seen(kWait, rows({"a"}));
  (void)book.seen(kWait, rows({"a"}));
  EXPECT_TRUE(book.seen(kWait, {}).empty());
  EXPECT_EQ(book.lasting(kWait), 0U);
  EXPECT_TRUE(book.seen(kWait, rows({"a"})).empty());
  EXPECT_EQ(book.seen(kWait, rows({"a"})), rows({"a"}));
}

TEST(EngineTableBook, TablesAreLookedAtOnTheirOwn) {
  EngineTableBook book;
  (void)book.seen(kWait, rows({"a"}));
  EXPECT_TRUE(book.seen(kToken, rows({"a"})).empty());
  (void)book.seen(kWait, rows({"a"}));
  book.unreadable(kToken);
  EXPECT_FALSE(book.lasting(kToken));
  EXPECT_EQ(book.lasting(kWait), 1U);
}

TEST(EngineTableBook, KeepsSoManyOfALook) {
  EngineTableBook book;
  std::vector<EngineTableRow> many;
  for (std::size_t i = 0; i < EngineTableBook::kRowsMax + 7; ++i)
    many.push_back({.run_id = "", .what = std::to_string(i)});
  (void)book.seen(kToken, many);
  EXPECT_EQ(book.seen(kToken, many).size(), EngineTableBook::kRowsMax);
  EXPECT_EQ(book.lasting(kToken), EngineTableBook::kRowsMax);
}

TEST(EngineTableBook, OfEachKindSomeOfWhatLastsIsShown) {
  EngineTableBook book;
  std::vector<EngineTableRow> many;
  for (std::size_t i = 0; i < EngineTablesStatus::kShownMax; ++i)
    many.push_back({.run_id = "", .what = std::to_string(i)});
  (void)book.seen(kToken, many);
  (void)book.seen(kToken, many);
  (void)book.seen(kWait, rows({"a"}));
  (void)book.seen(kWait, rows({"a", "new"}));
  EngineTablesStatus status;
  book.describe(status);
  EXPECT_EQ(status.rows,
            (std::array<std::optional<std::uint64_t>, kEngineTableTroubles>{50, 1, std::nullopt}));
  ASSERT_EQ(status.shown.size(), 17U);
  EXPECT_EQ(status.shown.front(), std::pair(kToken, many.front()));
  EXPECT_EQ(status.shown.back(), std::pair(kWait, EngineTableRow{.run_id = "wrun_1", .what = "a"}));
}

}  // namespace
}  // namespace dupwatch::core
