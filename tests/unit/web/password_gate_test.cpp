#include "daemon/web/password_gate.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dupwatch::web::password_gate_test {
namespace {

bool admits(const PasswordGate& gate, std::string_view header) {
  return gate.look(header) == PasswordGate::Verdict::kAdmitted;
}

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

TEST(PasswordGate, AdmitsThePairAlone) {
  // RFC 7617, 2: Aladdin, open sesame.
  const PasswordGate auth{{.user = "Aladdin", .password = "open sesame"}, {}};
  EXPECT_TRUE(admits(auth, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
  EXPECT_TRUE(admits(auth, "basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")) << "a scheme has no case";
  EXPECT_TRUE(admits(auth, "BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
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
    EXPECT_FALSE(admits(auth, header)) << header;
  }
}

TEST(PasswordGate, ThePasswordMayHoldColonsAndUtf8) {
  const PasswordGate auth{{.user = "u", .password = "a:b:\xC3\xA4"}, {}};
  EXPECT_TRUE(admits(auth, "Basic dTphOmI6w6Q="));
  // The same bytes, divided otherwise, are another pair of the same text: the user of the configuration has
  // no colon.
  EXPECT_FALSE(admits(auth, "Basic dTphOmI6w6U="));
}

TEST(PasswordGate, TheLongestPairFitsAndALongerHeaderIsRefused) {
  const std::string user(255, 'u');
  const std::string password(1024, 'p');
  const PasswordGate auth{{.user = user, .password = password}, {}};
  // "uuu" and "ppp" are base64 words of their own; 255 = 85 * 3, then ":pp", then 1022 = 340 * 3 + 2.
  std::string token;
  for (int i = 0; i < 85; ++i) token += "dXV1";
  token += "OnBw";
  for (int i = 0; i < 340; ++i) token += "cHBw";
  EXPECT_TRUE(admits(auth, "Basic " + token + "cHA="));
  EXPECT_FALSE(admits(auth, "Basic " + token + "cHBw"));
  EXPECT_FALSE(admits(auth, "Basic " + std::string(8000, 'A')));
}

// Of "secret" and "open sesame", by htpasswd.
const core::WebUser kAlice{.name = "alice",
                           .hash = "$2b$04$FDaQzGGJezCHS0rjfXMIR.zJslrH4YUilc7fO97c/Rrlyf/wZMAa."};
const core::WebUser kBob{.name = "bob",
                         .hash = "$2b$04$oskDjUwYOiP14ObM5ivNR.PWGI2bAyfhpn4b2SHX2E/ow4ag1GX.G"};

std::string header_of(const std::string& token) {
  return "Basic " + token;
}

TEST(PasswordGate, BcryptIsAskedOnceForEachAnswer) {
  const PasswordGate gate{{}, {kAlice, kBob}};
  EXPECT_TRUE(gate.closed());
  const auto alice = header_of("YWxpY2U6c2VjcmV0");            // alice:secret
  const auto bob = header_of("Ym9iOm9wZW4gc2VzYW1l");          // bob:open sesame
  const auto swapped = header_of("YWxpY2U6b3BlbiBzZXNhbWU=");  // alice:open sesame
  const auto nobody = header_of("Y2Fyb2w6c2VjcmV0");           // carol:secret
  using Verdict = PasswordGate::Verdict;
  for (const auto& header : {alice, bob, swapped, nobody}) EXPECT_EQ(gate.look(header), Verdict::kUnknown);
  EXPECT_TRUE(gate.check(alice));
  EXPECT_TRUE(gate.check(bob));
  EXPECT_FALSE(gate.check(swapped));
  EXPECT_FALSE(gate.check(nobody));
  EXPECT_EQ(gate.look(alice), Verdict::kAdmitted);
  EXPECT_EQ(gate.look(swapped), Verdict::kRefused);
  EXPECT_EQ(gate.look(nobody), Verdict::kRefused);
  for (const auto* header : {"", "Basic YWxpY2U=", "Basic YWxpY2U6c2VjcmV0AA==", "Bearer x"}) {
    EXPECT_FALSE(gate.check(header)) << header;
  }
}

TEST(PasswordGate, WrongPasswordsDoNotPushARightOneOut) {
  const PasswordGate gate{{}, {kAlice}};
  EXPECT_TRUE(gate.check("Basic YWxpY2U6c2VjcmV0"));
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef";
  for (const char a : kDigits) {
    for (const char b : kDigits.substr(0, 8)) {
      EXPECT_FALSE(gate.check(std::string{"Basic YWxpY2U6"} + a + b + "AA"));
    }
  }
  EXPECT_EQ(gate.look("Basic YWxpY2U6c2VjcmV0"), PasswordGate::Verdict::kAdmitted);
}

TEST(PasswordGate, TheUserOfTheConfigurationAndThoseOfTheFileAreAdmittedAlike) {
  const PasswordGate gate{{.user = "Aladdin", .password = "open sesame"}, {kAlice}};
  EXPECT_TRUE(admits(gate, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
  EXPECT_TRUE(gate.check("Basic YWxpY2U6c2VjcmV0"));
  EXPECT_FALSE(gate.admits_the_same(PasswordGate{{}, {kAlice}}));
  EXPECT_TRUE(gate.admits_the_same(PasswordGate{{.user = "Aladdin", .password = "open sesame"}, {kAlice}}));
}

}  // namespace
}  // namespace dupwatch::web::password_gate_test
