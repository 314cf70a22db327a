#include "daemon/core/run_key.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace dupwatch::core::run_key_test {
namespace {

std::string key_of(const std::vector<std::string>& values) {
  std::vector<decoder::Value> scope;
  for (std::size_t i = 0; i + 1 < values.size(); ++i) scope.push_back(decoder::Value::of(values[i]));
  std::string out = "what was there before";
  write_run_key(out, scope, values.back());
  return out;
}

TEST(RunKey, IsTheRunWithoutScopeColumns) {
  EXPECT_EQ(key_of({"a/b%2F"}), "a/b%2F");
  EXPECT_EQ(split_run_key("a/b%2F", 0), (std::vector<std::string>{"a/b%2F"}));
}

TEST(RunKey, ReadsAsItsValuesWithSlashesBetween) {
  EXPECT_EQ(key_of({"acme", "eu", "wrun_1"}), "acme/eu/wrun_1");
  EXPECT_EQ(key_of({"a/b", "50%", "c/d%"}), "a%2Fb/50%25/c/d%");
  EXPECT_EQ(key_of({"", ""}), "/");
}

TEST(RunKey, OfTooFewPartsIsNone) {
  EXPECT_EQ(split_run_key("wrun_1", 1), std::nullopt);
  EXPECT_EQ(split_run_key("acme/wrun_1", 2), std::nullopt);
  EXPECT_EQ(split_run_key("", 1), std::nullopt);
}

TEST(RunKey, WhatIsNoEscapeStands) {
  EXPECT_EQ(split_run_key("50%/%2/r", 2), (std::vector<std::string>{"50%", "%2", "r"}));
}

RC_GTEST_PROP(RunKey, IsTakenApartIntoWhatItWasMadeOf, ()) {
  const auto text = rc::gen::container<std::string>(rc::gen::element('/', '%', '2', 'F', '5', 'a'));
  auto values = *rc::gen::container<std::vector<std::string>>(text);
  values.push_back(*text);
  RC_ASSERT(split_run_key(key_of(values), values.size() - 1) == values);
}

}  // namespace
}  // namespace dupwatch::core::run_key_test
