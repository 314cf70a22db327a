#include "daemon/web/basic_auth.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dupwatch::web::basic_auth_test {
namespace {

// The vectors of RFC 4648, 10.
TEST(Base64, DecodesWhatTheRfcSays) {
  EXPECT_EQ(decode_base64(""), "");
  EXPECT_EQ(decode_base64("Zg=="), "f");
  EXPECT_EQ(decode_base64("Zm8="), "fo");
  EXPECT_EQ(decode_base64("Zm9v"), "foo");
  EXPECT_EQ(decode_base64("Zm9vYg=="), "foob");
  EXPECT_EQ(decode_base64("Zm9vYmE="), "fooba");
  EXPECT_EQ(decode_base64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(decode_base64("+/+/"), "\xFB\xFF\xBF");
}

TEST(Base64, RefusesAllElse) {
  for (const auto* text :
       {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zm9v Zg==", "Zm=v", "Zm9-", "Zm9_", "=Zm9"}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
}

TEST(BasicAuth, AdmitsThePairAlone) {
  // RFC 7617, 2: Aladdin, open sesame.
  const BasicAuth auth{{.user = "Aladdin", .password = "open sesame"}};
  EXPECT_TRUE(auth.admits("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
  EXPECT_TRUE(auth.admits("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")) << "a scheme has no case";
  EXPECT_TRUE(auth.admits("BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
  for (const auto* header : {
           "",
           "Basic",
           "Basic ",
           "BasicQWxhZGRpbjpvcGVuIHNlc2FtZQ==",
           "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
           "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
           "Basic Aladdin:open sesame",
           "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",    // padding left out
           "Basic QWxhZGRpbjpvcGVuIHNlc2Ft",      // open sesam
           "Basic QWxhZGRpbjpvcGVuIHNlc2FtZTE=",  // open sesame1
           "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQA=",  // open sesame and a zero byte
           "Basic QWxhZGRpbjpPcGVuIHNlc2FtZQ==",  // Open sesame
           "Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==",  // aladdin
           "Basic QWxhZGRpbg==",                  // no colon
           "Basic Og==",                          // both empty
           "Basic OQ==, Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
       }) {
    EXPECT_FALSE(auth.admits(header)) << header;
  }
}

TEST(BasicAuth, ThePasswordMayHoldColonsAndUtf8) {
  const BasicAuth auth{{.user = "u", .password = "a:b:\xC3\xA4"}};
  EXPECT_TRUE(auth.admits("Basic dTphOmI6w6Q="));
  // The same bytes, divided otherwise, are another pair of the same text: the user of the configuration has
  // no colon.
  EXPECT_FALSE(auth.admits("Basic dTphOmI6w6U="));
}

TEST(BasicAuth, TheLongestPairFitsAndALongerHeaderIsRefused) {
  const std::string user(255, 'u');
  const std::string password(1024, 'p');
  const BasicAuth auth{{.user = user, .password = password}};
  // "uuu" and "ppp" are base64 words of their own; 255 = 85 * 3, then ":pp", then 1022 = 340 * 3 + 2.
  std::string token;
  for (int i = 0; i < 85; ++i) token += "dXV1";
  token += "OnBw";
  for (int i = 0; i < 340; ++i) token += "cHBw";
  EXPECT_TRUE(auth.admits("Basic " + token + "cHA="));
  EXPECT_FALSE(auth.admits("Basic " + token + "cHBw"));
  EXPECT_FALSE(auth.admits("Basic " + std::string(8000, 'A')));
}

}  // namespace
}  // namespace dupwatch::web::basic_auth_test
