#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>

#include "daemon/config/config_file.hpp"

namespace dupwatch::config::basic_auth_test {
namespace {

const Environment kEnvironment = [](std::string_view name) {
  return name == "EMPTY" ? std::optional<std::string>{""} : std::nullopt;
};

/// A file system of one file.
FileReader file(std::string text) {
  return [text = std::move(text)](const std::string& path) -> std::variant<std::string, int> {
    if (path == "/run/password") return text;
    return ENOENT;
  };
}

core::HttpConfig accepted(std::string_view text, const FileReader& files = {}) {
  auto result = parse_config(text, "d.yaml", kEnvironment, files);
  if (auto* problems = std::get_if<std::vector<ConfigProblem>>(&result)) {
    for (const auto& problem : *problems) ADD_FAILURE() << format_problem(problem);
    return {};
  }
  return std::get<core::Config>(std::move(result)).http;
}

std::string refused(std::string_view text, const FileReader& files = {}) {
  const auto result = parse_config(text, "d.yaml", kEnvironment, files);
  const auto* problems = std::get_if<std::vector<ConfigProblem>>(&result);
  if (problems == nullptr) {
    ADD_FAILURE() << "accepted: " << text;
    return {};
  }
  std::string all;
  for (const auto& problem : *problems) all += format_problem(problem) + "\n";
  return all;
}

TEST(BasicAuthSection, IsOffWithoutAUser) {
  for (const auto* text : {"", "http: {}", "http: {basic_auth: }", "http: {basic_auth: {user: \"\"}}",
                           "http: {basic_auth: {user: \"${EMPTY}\", password: \"\"}}"}) {
    EXPECT_FALSE(accepted(text).basic_auth.enabled()) << text;
  }
}

TEST(BasicAuthSection, IsReadWhateverTheOrder) {
  const core::BasicAuthConfig wanted{.user = "prom", .password = "a b:c"};
  for (const auto* text : {"http: {listen: :80, basic_auth: {user: prom, password: \"a b:c\"}}",
                           "http: {basic_auth: {password: \"a b:c\", user: prom}, listen: :80}"}) {
    const auto http = accepted(text);
    EXPECT_EQ(http.basic_auth, wanted) << text;
    EXPECT_EQ(http.host, "0.0.0.0") << text;
    EXPECT_EQ(http.port, 80) << text;
  }
}

TEST(BasicAuthSection, ThePasswordMayStandInAFile) {
  const auto* text = "http: {basic_auth: {user: prom, password_file: /run/password}}";
  for (const auto* content : {"s3cret", "s3cret\n", "s3cret\r\n"}) {
    EXPECT_EQ(accepted(text, file(content)).basic_auth.password, "s3cret");
  }
  EXPECT_EQ(accepted(text, file(" a b \n")).basic_auth.password, " a b ") << "a blank is part of it";
}

TEST(BasicAuthSection, AFileWithoutAPasswordIsRefusedAndNotShown) {
  const auto* text = "http: {basic_auth: {user: prom, password_file: /run/password}}";
  const std::string place = "d.yaml:1:48: http.basic_auth.password_file: found ";
  EXPECT_EQ(refused(text, file("")).find(place + "an empty file, expected a password; "), 0U);
  EXPECT_EQ(refused(text, file("\n")).find(place + "an empty file"), 0U);
  for (const auto& content : {std::string("s3cret\ns3cret\n"), "s3cret" + std::string(1024, 'x')}) {
    const auto all = refused(text, file(content));
    EXPECT_EQ(all.find(place + "a file that is not one line, expected at most 1024 bytes"), 0U) << all;
    EXPECT_EQ(all.find("s3cret"), std::string::npos) << all;
  }
  const auto missing = refused("http: {basic_auth: {user: prom, password_file: /run/other}}", file("x"));
  EXPECT_EQ(missing.find(place + "\"/run/other\" (No such file or directory), expected a readable"), 0U)
      << missing;
}

TEST(BasicAuthSection, HalfAPairIsRefused) {
  EXPECT_EQ(refused("http: {basic_auth: {user: prom}}")
                .find("d.yaml:1:27: http.basic_auth: found a user without a password, expected password or "
                      "password_file; "),
            0U);
  EXPECT_NE(refused("http: {basic_auth: {user: prom, password: \"${EMPTY}\"}}").find("without a password"),
            std::string::npos)
      << "an empty variable opens nothing";
  EXPECT_NE(refused("http: {basic_auth: {password: x}}").find("http.basic_auth.user: found no name"),
            std::string::npos);
  EXPECT_NE(refused("http: {basic_auth: {password_file: /run/password}}", file("x")).find("found no name"),
            std::string::npos);
  EXPECT_NE(refused("http: {basic_auth: {user: u, password: x, password_file: /run/password}}", file("x"))
                .find("found both password and password_file"),
            std::string::npos);
}

TEST(BasicAuthSection, WhatIsRefusedIsNotCalledMissingToo) {
  EXPECT_EQ(refused("http: {basic_auth: {user: \"a:b\", password: x}}"),
            "d.yaml:1:27: http.basic_auth.user: found \"a:b\", expected a name of at most 255 bytes without "
            "control characters; the colon ends the name in HTTP's basic authentication, so it can't hold "
            "one\n");
  EXPECT_EQ(
      refused("http: {basic_auth: {user: u, password: \"s3cret${UNSET}\"}}"),
      "d.yaml:1:40: http.basic_auth.password: expected the environment variable UNSET to be set; set it, or "
      "give a default: ${UNSET:-...}\n");
}

TEST(BasicAuthSection, KeysOfTheSectionAreKnownThereAlone) {
  EXPECT_NE(refused("http: {basic_auth: {usr: x}}").find("did you mean \"user\"?"), std::string::npos);
  EXPECT_NE(refused("http: {user: x}").find("did you mean http.basic_auth.user?"), std::string::npos);
  EXPECT_NE(refused("http: {basic_auth.user: x}").find("unknown key"), std::string::npos);
}

TEST(HttpSection, TlsIsRefusedWithWhereItBelongs) {
  for (const auto* key : {"tls_cert", "tls_key", "tls", "ssl_certificate", "https_listen"}) {
    const auto all = refused("http: {" + std::string(key) + ": /etc/x.pem}");
    EXPECT_EQ(all.find("d.yaml:1:8: http: found the unknown key \"" + std::string(key) + "\""), 0U) << all;
    EXPECT_NE(all.find("certificates stand in the file that http.web_config_file names"), std::string::npos)
        << all;
  }
  EXPECT_EQ(refused("log: {tls_cert: x}").find("web_config_file"), std::string::npos);
}

TEST(LoadConfigFile, ReadsThePasswordFileAndNoPipe) {
  const auto folder = testing::TempDir() + "basic_auth_" + std::to_string(getpid());
  const auto config = folder + ".yaml";
  const auto password = folder + ".password";
  std::ofstream{config} << "http: {basic_auth: {user: prom, password_file: " << password << "}}";
  std::ofstream{password} << "s3cret\n";
  auto loaded = load_config_file(config, kEnvironment);
  ASSERT_TRUE(std::holds_alternative<core::Config>(loaded));
  EXPECT_EQ(std::get<core::Config>(loaded).http.basic_auth.password, "s3cret");
  ASSERT_EQ(std::remove(password.c_str()), 0);
  // Opening one without a writer would never return.
  ASSERT_EQ(mkfifo(password.c_str(), 0600), 0);
  loaded = load_config_file(config, kEnvironment);
  const auto& problems = std::get<std::vector<ConfigProblem>>(loaded);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_NE(format_problem(problems[0]).find("expected a readable regular file"), std::string::npos);
  EXPECT_EQ(std::remove(password.c_str()), 0);
  EXPECT_EQ(std::remove(config.c_str()), 0);
}

}  // namespace
}  // namespace dupwatch::config::basic_auth_test
