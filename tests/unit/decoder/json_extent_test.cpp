#include "decoder/json_extent.hpp"

#include <gtest/gtest.h>

namespace dupwatch::decoder::json_extent_test {
namespace {

using Kind = JsonExtent::Kind;

TEST(JsonExtent, TellsTheKindsOfDamageApart) {
  EXPECT_EQ(measure_json_object("").kind, Kind::kOpen);
  EXPECT_EQ(measure_json_object(" \n").kind, Kind::kOpen);
  EXPECT_EQ(measure_json_object("[1]").kind, Kind::kNoObject);
  EXPECT_EQ(measure_json_object("{\"a\":[1,{\"b\":2}]").kind, Kind::kOpen);
  EXPECT_EQ(measure_json_object("{\"a\":[1,{\"b\":2}]} \r\n\t").kind, Kind::kClosed);
  EXPECT_EQ(measure_json_object("{} x").kind, Kind::kTrailing);
  EXPECT_EQ(measure_json_object("{} x").offset, 3U);
}

TEST(JsonExtent, BracketsInStringsDoNotCount) {
  EXPECT_EQ(measure_json_object(R"({"a":"}"})").kind, Kind::kClosed);
  EXPECT_EQ(measure_json_object(R"({"a":"\"}"})").kind, Kind::kClosed);
  EXPECT_EQ(measure_json_object(R"({"a":"\\"})").kind, Kind::kClosed);
  EXPECT_EQ(measure_json_object(R"({"a":"}\)").kind, Kind::kOpen);
}

}  // namespace
}  // namespace dupwatch::decoder::json_extent_test
