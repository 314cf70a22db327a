#include "daemon/core/page_link.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::page_link_test {
namespace {

TEST(PageLink, LeadsToAFinding) {
  EXPECT_EQ(finding_link("https://dw.example.org/sub", 0xabcULL),
            "https://dw.example.org/sub/#finding=0000000000000abc");
  EXPECT_EQ(finding_link("", 1), "");
}

TEST(PageLink, EncodesTheRun) {
  EXPECT_EQ(run_link("http://h:1", "wrun_01-a.B~"), "http://h:1/#run=wrun_01-a.B~");
  EXPECT_EQ(run_link("http://h:1", "a b&c=d#e%\"\xc3\xa9\n"),
            "http://h:1/#run=a%20b%26c%3Dd%23e%25%22%C3%A9%0A");
  EXPECT_EQ(run_link("", "wrun"), "");
}

TEST(PageLink, KnowsTheHostOfAUrl) {
  EXPECT_EQ(url_host("https://dw.example.org"), "dw.example.org");
  EXPECT_EQ(url_host("http://dw.example.org:9788/sub/path:1"), "dw.example.org");
  EXPECT_EQ(url_host("http://[::1]:9788"), "[::1]");
  EXPECT_EQ(url_host(""), "");
  EXPECT_EQ(url_host("dw.example.org"), "");
}

}  // namespace
}  // namespace dupwatch::core::page_link_test
