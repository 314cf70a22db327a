#include "daemon/web/acknowledge_request.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dupwatch::web::acknowledge_request_test {
namespace {

// 2026-11-24T05:21:38Z
constexpr decoder::Timestamp kNow{1'795'497'698'000'000};
constexpr std::string_view kPath = "/api/findings/0123456789abcdef/acknowledge";

std::variant<AcknowledgeRequest, std::string> parse(std::string body, std::string_view user = {},
                                                    std::string type = "application/json",
                                                    std::string_view path = kPath) {
  return parse_acknowledge(
      path, {.method = "POST", .target = "", .content_type = std::move(type), .body = std::move(body)}, user,
      kNow);
}

TEST(AcknowledgeRequest, SaysWhoWhyAndUntilWhen) {
  const auto wish = parse(R"({"comment":"fixed in 42","until":"8h","by":"alice"})");
  ASSERT_TRUE(std::holds_alternative<AcknowledgeRequest>(wish)) << std::get<std::string>(wish);
  const auto& request = std::get<AcknowledgeRequest>(wish);
  EXPECT_EQ(request.finding_id, 0x0123456789ABCDEFU);
  ASSERT_TRUE(request.acknowledgement);
  EXPECT_EQ(request.acknowledgement->by, "alice");
  EXPECT_EQ(request.acknowledgement->comment, "fixed in 42");
  EXPECT_EQ(request.acknowledgement->at.micros, kNow.micros);
  EXPECT_EQ(request.acknowledgement->until.micros, kNow.micros + 8LL * 3600 * 1'000'000);
}

TEST(AcknowledgeRequest, TheUserWithThePasswordComesBeforeTheNameThatIsSaid) {
  const auto by = [](const std::string& said, std::string_view user) {
    return std::get<AcknowledgeRequest>(parse(R"({"comment":"c","until":"1h")" + said + "}", user))
        .acknowledgement->by;
  };
  EXPECT_EQ(by(R"(,"by":"alice")", "ops"), "ops (alice)");
  EXPECT_EQ(by(R"(,"by":"ops")", "ops"), "ops");
  EXPECT_EQ(by("", "ops"), "ops");
  EXPECT_EQ(by("", ""), "unknown");
}

TEST(AcknowledgeRequest, WhatIsWrongIsSaid) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "expected {"},
      {"[]", "expected {"},
      {R"({"comment":"c","until":"1h","more":1})", "expected {"},
      {R"({"comment":"c","comment":"d","until":"1h"})", "expected {"},
      {R"({"comment":1,"until":"1h"})", "expected {"},
      {"{\"comment\":\"\xff\",\"until\":\"1h\"}", "expected {"},
      {R"({"until":"1h"})", "comment: "},
      {R"({"comment":" \n","until":"1h"})", "comment: "},
      {R"({"comment":")" + std::string(1001, 'c') + R"(","until":"1h"})", "comment: at most 1000 bytes"},
      {R"({"comment":"c","until":"1h","by":")" + std::string(101, 'b') + R"("})", "by: at most 100 bytes"},
      {R"({"comment":"c"})", "until: "},
      {R"({"comment":"c","until":"2026-11-24T05:21:37Z"})", "until: "},
  };
  for (const auto& [body, beginning] : cases) {
    const auto wish = parse(body);
    ASSERT_TRUE(std::holds_alternative<std::string>(wish)) << body.substr(0, 80);
    EXPECT_TRUE(std::get<std::string>(wish).starts_with(beginning)) << std::get<std::string>(wish);
  }
  const std::string good = R"({"comment":"c","until":"1h"})";
  EXPECT_TRUE(std::holds_alternative<AcknowledgeRequest>(parse(good, {}, "application/json; charset=utf-8")));
  for (const auto* type : {"", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"}) {
    EXPECT_TRUE(std::holds_alternative<std::string>(parse(good, {}, type))) << type;
  }
  for (const auto* path :
       {"/api/findings//acknowledge", "/api/findings/xyz/acknowledge", "/api/findings/1/unacknowledge"}) {
    EXPECT_EQ(std::get<std::string>(parse(good, {}, "application/json", path)),
              "a finding id has 16 hexadecimal digits");
  }
}

TEST(AcknowledgeRequest, ToTakeItBackNothingNeedBeSaid) {
  const auto wish = parse("", {}, "", "/api/findings/0123456789abcdef/unacknowledge");
  ASSERT_TRUE(std::holds_alternative<AcknowledgeRequest>(wish));
  EXPECT_FALSE(std::get<AcknowledgeRequest>(wish).acknowledgement);
  EXPECT_EQ(std::get<AcknowledgeRequest>(wish).finding_id, 0x0123456789ABCDEFU);
  EXPECT_TRUE(is_acknowledge_path("/api/findings/0123456789abcdef/unacknowledge"));
  EXPECT_TRUE(is_acknowledge_path(kPath));
  EXPECT_FALSE(is_acknowledge_path("/api/findings/0123456789abcdef"));
  EXPECT_FALSE(is_acknowledge_path("/acknowledge"));
}

}  // namespace
}  // namespace dupwatch::web::acknowledge_request_test
