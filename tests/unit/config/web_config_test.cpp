#include "daemon/config/web_config_file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace dupwatch::config::web_config_test {
namespace {

using core::ClientAuth;
using core::TlsVersion;

core::WebConfig parsed(std::string_view text) {
  auto result = parse_web_config(text, "/etc/dupwatch/web.yml");
  if (const auto* problems = std::get_if<std::vector<ConfigProblem>>(&result)) {
    for (const auto& problem : *problems) ADD_FAILURE() << format_problem(problem);
    return {};
  }
  return std::get<core::WebConfig>(std::move(result));
}

std::string refused(std::string_view text) {
  const auto result = parse_web_config(text, "web.yml");
  std::string out;
  if (const auto* problems = std::get_if<std::vector<ConfigProblem>>(&result)) {
    for (const auto& problem : *problems) out += format_problem(problem) + "\n";
  }
  return out;
}

// As the documentation of exporter-toolkit has it.
TEST(WebConfig, TheDocumentedExampleIsRead) {
  const auto config = parsed(R"(# TLS and basic authentication configuration example.
tls_server_config:
  cert_file: server.crt
  key_file: server.key

# Usernames and passwords required to connect.
basic_auth_users:
  alice: $2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze
  bob: $2y$10$hLqFl9jSjoAAy95Z/zw8Ye8wkdMBM8c5Bn1ptYqP/AXyV0.oy0S8m

rate_limit:
  interval: "1s" # time interval between two requests, set to 0 to disable rate limiter
  burst: 20 # and permits a burst of up to 20 requests.
)");
  EXPECT_TRUE(config.tls.enabled);
  EXPECT_EQ(config.tls.cert.file, "/etc/dupwatch/server.crt");
  EXPECT_EQ(config.tls.key.file, "/etc/dupwatch/server.key");
  EXPECT_EQ(config.tls.client_auth, ClientAuth::kNone);
  EXPECT_EQ(config.tls.min_version, TlsVersion::k12);
  EXPECT_EQ(config.tls.max_version, TlsVersion::k13);
  EXPECT_TRUE(config.tls.prefer_server_cipher_suites);
  ASSERT_EQ(config.users.size(), 2U);
  EXPECT_EQ(config.users[1].name, "bob");
  EXPECT_EQ(config.rate_interval, std::chrono::seconds{1});
  EXPECT_EQ(config.rate_burst, 20U);
}

TEST(WebConfig, EveryKeyOfTheFormatIsRead) {
  const auto config = parsed(R"(tls_server_config:
  cert: |
    -----BEGIN CERTIFICATE-----
    abc
  key: "secret"
  client_ca_file: /ca.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus.example.org, 10.0.0.1]
  min_version: TLS13
  max_version: TLS13
  cipher_suites:
    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    - TLS_AES_128_GCM_SHA256
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP256, X25519]
http_server_config:
  http2: true
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    X-XSS-Protection: "1"
    Strict-Transport-Security: max-age=1
)");
  const auto& tls = config.tls;
  EXPECT_EQ(tls.cert.text, "-----BEGIN CERTIFICATE-----\nabc\n");
  EXPECT_EQ(tls.key.text, "secret");
  EXPECT_EQ(tls.client_ca.file, "/ca.pem");
  EXPECT_EQ(tls.client_auth, ClientAuth::kRequireAndVerify);
  EXPECT_EQ(tls.client_allowed_sans, (std::vector<std::string>{"prometheus.example.org", "10.0.0.1"}));
  EXPECT_EQ(tls.min_version, TlsVersion::k13);
  ASSERT_EQ(tls.cipher_suites.size(), 2U);
  EXPECT_EQ(tls.cipher_suites[0].openssl, "ECDHE-RSA-AES128-GCM-SHA256");
  EXPECT_FALSE(tls.prefer_server_cipher_suites);
  EXPECT_EQ(tls.curves, (std::vector<std::string_view>{"P-256", "X25519"}));
  EXPECT_TRUE(config.http2_asked);
  EXPECT_EQ(config.headers.size(), 5U);
}

TEST(WebConfig, NothingIsPlainHttpForEverybody) {
  for (const auto* text :
       {"", "---\n", "# nothing\n", "tls_server_config:\n", "tls_server_config: {}\nbasic_auth_users: {}\n",
        "tls_server_config:\n  cert_file:\n  min_version: TLS13\n", "rate_limit: {interval: 0}\n"}) {
    const auto config = parsed(text);
    EXPECT_FALSE(config.tls.enabled) << text;
    EXPECT_TRUE(config.users.empty()) << text;
    EXPECT_EQ(config.rate_interval.count(), 0) << text;
  }
}

TEST(WebConfig, EveryMistakeIsNamedAtOnce) {
  const auto words = refused(R"(tls_server_config:
  cert_file: a.pem
  client_auth_type: RequireAndVerifyClientCerts
  min_version: TLS14
  cipher_suites: [TLS_INVENTED]
  curve_preferences: [CurveP255]
  cert_fil: b
http_server_config:
  http2: perhaps
  headers: {X-Frame-Options: allow, X-Other: y}
basic_auth_users:
  alice: secret
  bob: $2y$30$hLqFl9jSjoAAy95Z/zw8Ye8wkdMBM8c5Bn1ptYqP/AXyV0.oy0S8m
rate_limit: {interval: 5, burst: -1}
http3: yes
)");
  for (const auto* part : {
           "web.yml:3:21: tls_server_config.client_auth_type: found \"RequireAndVerifyClientCerts\"",
           "did you mean \"RequireAndVerifyClientCert\"?",
           "min_version: found \"TLS14\", expected one of TLS10, TLS11, TLS12, TLS13",
           "cipher_suites: found \"TLS_INVENTED\"",
           "curve_preferences: found \"CurveP255\"",
           "found the unknown key \"cert_fil\"",
           "http2: found \"perhaps\", expected true or false",
           "X-Frame-Options: found \"allow\", expected deny or sameorigin",
           "found the unknown key \"X-Other\"",
           "basic_auth_users.alice: expected a password's bcrypt",
           "basic_auth_users.bob: expected a cost of at most 16",
           "rate_limit.interval: found \"5\"",
           "rate_limit.burst: found \"-1\"",
           "found the unknown key \"http3\", expected one of tls_server_config, http_server_config, "
           "rate_limit, "
           "basic_auth_users",
           "found no private key, expected key_file or key",
       }) {
    EXPECT_NE(words.find(part), std::string::npos) << part << "\n in\n" << words;
  }
  EXPECT_EQ(words.find("secret"), std::string::npos);
  EXPECT_EQ(words.find("hLqFl9"), std::string::npos);
}

TEST(WebConfig, WhatNoKeySaysAloneIsCheckedToo) {
  const std::string pair = "tls_server_config:\n  cert_file: a\n  key_file: b\n";
  EXPECT_EQ(refused(pair), "");
  EXPECT_NE(refused(pair + "  client_ca_file: c\n").find("without a policy"), std::string::npos);
  EXPECT_NE(refused(pair + "  client_allowed_sans: [x]\n").find("client_allowed_sans"), std::string::npos);
  EXPECT_NE(refused(pair + "  client_allowed_sans: [x]\n  client_auth_type: VerifyClientCertIfGiven\n")
                .find("client_allowed_sans"),
            std::string::npos);
  EXPECT_EQ(refused(pair + "  client_allowed_sans: [x]\n  client_auth_type: RequireAnyClientCert\n"), "");
  EXPECT_NE(refused(pair + "  cert: x\n").find("both cert and cert_file"), std::string::npos);
  EXPECT_NE(refused(pair + "  min_version: TLS13\n  max_version: TLS12\n").find("less than min_version"),
            std::string::npos);
  EXPECT_NE(refused("tls_server_config:\n  client_auth_type: NoClientCert\n").find("no certificate"),
            std::string::npos);
  for (const auto* text :
       {"- a\n", "x\n", "tls_server_config: 1\n", "basic_auth_users: [a]\n", "basic_auth_users: {a: {}}\n",
        "basic_auth_users: {\"a:b\": c}\n", "tls_server_config.cert_file: a\n", "a: &x b\n"}) {
    EXPECT_NE(refused(text), "") << text;
  }
}

TEST(WebConfig, DurationsAreGos) {
  const auto interval = [](const std::string& text) {
    return parsed("rate_limit: {interval: " + text + ", burst: 1}\n").rate_interval;
  };
  using std::chrono::milliseconds;
  EXPECT_EQ(interval("100ms"), milliseconds{100});
  EXPECT_EQ(interval("1m30s"), std::chrono::seconds{90});
  EXPECT_EQ(interval("1.5s"), milliseconds{1500});
  for (const auto* text : {"1", "s", "1x", "-1s", "1s1", "99999999h", "1e9s", "nans"}) {
    EXPECT_NE(refused("rate_limit: {interval: " + std::string{text} + "}\n"), "") << text;
  }
}

}  // namespace
}  // namespace dupwatch::config::web_config_test
