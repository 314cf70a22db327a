#include "daemon/web/request_rules.hpp"

#include <gtest/gtest.h>

namespace dupwatch::web::request_rules_test {
namespace {

TEST(Target, IsReadInBothForms) {
  const auto origin = parse_target("/api/findings?limit=5&x=%2F");
  ASSERT_TRUE(origin);
  EXPECT_EQ(origin->path, "/api/findings");
  EXPECT_EQ(origin->query, "limit=5&x=%2F");
  EXPECT_EQ(origin->authority, "");
  const auto absolute = parse_target("HTTP://Db-1.internal:9788/metrics?a");
  ASSERT_TRUE(absolute);
  EXPECT_EQ(absolute->authority, "Db-1.internal:9788");
  EXPECT_EQ(absolute->path, "/metrics");
  EXPECT_EQ(absolute->query, "a");
  EXPECT_EQ(parse_target("https://x")->path, "/");
  EXPECT_EQ(parse_target("https://x?q")->query, "q");
  EXPECT_EQ(parse_target("/%72eadyz")->path, "/readyz");
  EXPECT_EQ(parse_target("*")->path, "*");
}

TEST(Target, RefusesWhatIsNone) {
  for (const auto* text :
       {"", "healthz", "ftp://x/", "http://", "http:///x", "/a b", "/%", "/%4", "/%zz", "/%00",
        "/%0d%0aX-Injected:1", "/%7f", "/x#y", "/\xC3\xA4", "/\x01", "\\x", "**", "?x"}) {
    EXPECT_FALSE(parse_target(text)) << text;
  }
}

TEST(Authority, IsReadInAllForms) {
  EXPECT_EQ(parse_authority("LocalHost")->host, "localhost");
  EXPECT_EQ(parse_authority("db-1.internal.:9788")->host, "db-1.internal");
  EXPECT_EQ(parse_authority("db-1.internal:9788")->port, "9788");
  EXPECT_EQ(parse_authority("x:")->port, "");
  EXPECT_EQ(parse_authority("[::1]:9788")->host, "::1");
  EXPECT_EQ(parse_authority("[::1]")->port, "");
  for (const auto* text : {"", ":80", ".", "a b", "a/b", "user@host", "[::1", "[x]:1", "::1", "x:1:2", "x:-1",
                           "x:123456", "[::1]x", "a\r\nb", "ex\xC3\xA4mple"}) {
    EXPECT_FALSE(parse_authority(text)) << text;
  }
  EXPECT_FALSE(parse_authority(std::string(256, 'a')));
}

TEST(HostRules, OnTheLoopbackNamesMustBeGiven) {
  const HostRules rules{"127.0.0.1", {"Dupwatch.Example.org", "*.corp.example", "db-1"}};
  for (const auto* host : {"localhost", "app.localhost", "127.0.0.1", "10.1.2.3", "::1", "fe80::1", "db-1",
                           "dupwatch.example.org", "a.corp.example", "a.b.corp.example"}) {
    EXPECT_TRUE(rules.admits(host)) << host;
  }
  for (const auto* host :
       {"evil.example", "corp.example", "evilcorp.example", "dupwatch.example.org.evil.example",
        "x.dupwatch.example.org", "localhost.evil.example", "127.0.0.1.evil.example", "db-2", "1.2.3", ""}) {
    EXPECT_FALSE(rules.admits(host)) << host;
  }
}

TEST(HostRules, OnANetworkANameThatNobodyCanRegisterIsAdmitted) {
  const HostRules rules{"0.0.0.0", {}};
  EXPECT_TRUE(rules.admits("dupwatch"));
  EXPECT_FALSE(rules.admits("dupwatch.example"));
  EXPECT_TRUE((HostRules{"0.0.0.0", {"*"}}.admits("dupwatch.example")));
}

TEST(SameOrigin, IsWhatABrowserSaysOrAProgramThatSaysNothing) {
  const Authority host{.host = "127.0.0.1", .port = "9788"};
  EXPECT_TRUE(is_same_origin("", "", host));
  EXPECT_TRUE(is_same_origin("", "none", host));
  EXPECT_TRUE(is_same_origin("http://127.0.0.1:9788", "same-origin", host));
  EXPECT_TRUE(is_same_origin("https://127.0.0.1:9788", "", host));
  EXPECT_TRUE(is_same_origin("https://dupwatch.example", "", {.host = "dupwatch.example", .port = ""}));
  EXPECT_TRUE(is_same_origin("https://dupwatch.example", "", {.host = "dupwatch.example", .port = "443"}));
  for (const auto* origin :
       {"null", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1:9789",
        "http://127.0.0.1:9788.evil.example", "127.0.0.1:9788", "file://", "http://localhost:9788"}) {
    EXPECT_FALSE(is_same_origin(origin, "", host)) << origin;
  }
  for (const auto* site : {"cross-site", "same-site", "x"})
    EXPECT_FALSE(is_same_origin("", site, host)) << site;
  EXPECT_FALSE(is_same_origin("http://127.0.0.1:9788", "cross-site", host));
}

TEST(Accept, OpenMetricsIsForWhoWantsItAtLeastAsMuch) {
  using enum MetricsFormat;
  // Prometheus 2 and 3.
  EXPECT_EQ(
      metrics_format("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
                     "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
      kOpenMetrics);
  EXPECT_EQ(metrics_format("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), kText);
  for (const auto* accept :
       {"", "*/*", "text/html", "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.3, text/plain", ",;=", "application/openmetrics-text;q=x"}) {
    EXPECT_EQ(metrics_format(accept), kText) << accept;
  }
}

TEST(AcceptEncoding, Gzip) {
  for (const auto* text : {"gzip", "deflate, gzip;q=0.5", "GZIP", "*", "identity;q=0.1, *;q=0.5"})
    EXPECT_TRUE(accepts_gzip(text)) << text;
  for (const auto* text : {"", "identity", "gzip;q=0", "gzip;q=0, *", "*;q=0", "xgzip"})
    EXPECT_FALSE(accepts_gzip(text)) << text;
}

}  // namespace
}  // namespace dupwatch::web::request_rules_test
