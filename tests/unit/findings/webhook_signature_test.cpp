#include "daemon/findings/webhook_signature.hpp"

#include <gtest/gtest.h>

namespace dupwatch::findings::signature_test {
namespace {

// printf '%s' '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'a key'
TEST(Signature, IsWhatOpensslSays) {
  EXPECT_EQ(signature("a key", 1'700'000'000, R"({"a":1})"),
            "t=1700000000,v1="
            "85a348998c6c8644706e36f7b616e18dbf737188e3718bcaa5f2f776217e805f");
}

TEST(Signature, DependsOnTimeKeyAndBody) {
  const auto base = signature("a", 1, "b");
  EXPECT_NE(base, signature("a", 2, "b"));
  EXPECT_NE(base, signature("b", 1, "b"));
  EXPECT_NE(base, signature("a", 1, "c"));
}

}  // namespace
}  // namespace dupwatch::findings::signature_test
