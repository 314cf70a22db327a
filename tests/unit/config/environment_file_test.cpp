#include "daemon/config/environment_file.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dupwatch::config::environment_file_test {
namespace {

using Pairs = Variables;

TEST(EnvironmentFile, ReadsAssignmentsAsSystemdDoes) {
  EXPECT_EQ(parse_environment_file("A=1\n\n# B=2\n; C=3\n  D = x y  \nE=\n"),
            (Pairs{{"A", "1"}, {"D", "x y"}, {"E", ""}}));
}

TEST(EnvironmentFile, QuotesKeepBlanksAndSpecialCharacters) {
  EXPECT_EQ(parse_environment_file("A=\" x \"\nB='a\"b # c'\nC=\"a\\\"b\\\\c\\n\"\nD=a\\ b\n"),
            (Pairs{{"A", " x "}, {"B", "a\"b # c"}, {"C", "a\"b\\c\\n"}, {"D", "a b"}}));
}

TEST(EnvironmentFile, AValueGoesOnOverLines) {
  EXPECT_EQ(parse_environment_file("A=one\\\ntwo\nB='1\n2'\nC=3"),
            (Pairs{{"A", "onetwo"}, {"B", "1\n2"}, {"C", "3"}}));
}

TEST(EnvironmentFile, WhatIsNoAssignmentIsIgnored) {
  EXPECT_EQ(parse_environment_file("no assignment\n1A=x\n=y\nA-B=z\nexport F=1\nA=1\nA=2"),
            (Pairs{{"A", "2"}}));
  EXPECT_TRUE(parse_environment_file("").empty());
  EXPECT_TRUE(parse_environment_file("A").empty());
}

TEST(EnvironmentFile, AHashInsideAValueIsPartOfIt) {
  EXPECT_EQ(parse_environment_file("PW=a#b@c/d=e"), (Pairs{{"PW", "a#b@c/d=e"}}));
}

TEST(EnvironmentFile, AFileThatIsNotThereHasNone) {
  EXPECT_TRUE(read_environment_file("/nonexistent/dupwatch").empty());
}

}  // namespace
}  // namespace dupwatch::config::environment_file_test
