#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#include "daemon/config/config_file.hpp"

namespace dupwatch::config::reference_files_test {
namespace {

const Environment kNoEnvironment = [](std::string_view) { return std::optional<std::string>{}; };
const std::string kFolder = std::string{DUPWATCH_SOURCE_DIR} + "/config/";

core::Config loaded(const std::string& name) {
  auto result = load_config_file(kFolder + name, kNoEnvironment);
  if (auto* problems = std::get_if<std::vector<ConfigProblem>>(&result)) {
    for (const auto& problem : *problems) ADD_FAILURE() << format_problem(problem);
    return {};
  }
  return std::get<core::Config>(std::move(result));
}

/// Each key of the file with its sections, also where it is commented out as "# key:".
std::vector<std::string> keys_in(const std::string& name) {
  std::ifstream file{kFolder + name};
  const std::regex top{"^([a-z_]+):.*"};
  const std::regex nested{"^  (?:# )?([a-z_]+):.*"};
  const std::regex inner{"^    ([a-z_]+):.*"};
  std::vector<std::string> keys;
  std::string section;
  std::string subsection;
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (std::regex_match(line, match, top)) {
      section = match[1];
      keys.push_back(section);
    } else if (std::regex_match(line, match, nested)) {
      subsection = section + "." + match[1].str();
      keys.push_back(subsection);
    } else if (std::regex_match(line, match, inner)) {
      keys.push_back(subsection + "." + match[1].str());
    }
  }
  return keys;
}

TEST(ReferenceFile, HoldsEveryKeyOnceInTheParsersOrder) {
  const auto known = known_keys();
  EXPECT_EQ(keys_in("dupwatch.yaml"), std::vector<std::string>(known.begin(), known.end()));
}

TEST(ReferenceFile, ItsValuesAreTheDefaults) {
  const auto file = loaded("dupwatch.yaml");
  const core::Config defaults;
  EXPECT_EQ(file.connection.dsn, defaults.connection.dsn);
  EXPECT_EQ(file.connection.connect_timeout, defaults.connection.connect_timeout);
  EXPECT_EQ(file.connection.startup_timeout, defaults.connection.startup_timeout);
  EXPECT_EQ(file.connection.tcp_user_timeout, defaults.connection.tcp_user_timeout);
  EXPECT_EQ(file.connection.backoff_min, defaults.connection.backoff_min);
  EXPECT_EQ(file.connection.backoff_max, defaults.connection.backoff_max);
  EXPECT_EQ(file.profile.name, defaults.profile.name);
  EXPECT_EQ(file.profile.qualified_name(), defaults.profile.qualified_name());
  EXPECT_EQ(file.slot.lost_policy, defaults.slot.lost_policy);
  EXPECT_EQ(file.slot.max_retained_wal.bytes, defaults.slot.max_retained_wal.bytes);
  EXPECT_EQ(file.slot.max_retained_wal.percent, defaults.slot.max_retained_wal.percent);
  EXPECT_EQ(file.poll.interval, defaults.poll.interval);
  EXPECT_EQ(file.slot.name, defaults.slot.name);
  EXPECT_EQ(file.slot.plugin, defaults.slot.plugin);
  EXPECT_EQ(file.slot.publication, defaults.slot.publication);
  EXPECT_EQ(file.slot.temporary, defaults.slot.temporary);
  EXPECT_EQ(file.slot.create, defaults.slot.create);
  EXPECT_EQ(file.slot.failover, defaults.slot.failover);
  EXPECT_EQ(file.baseline, defaults.baseline);
  EXPECT_EQ(file.rules.engine, defaults.rules.engine);
  for (const auto& setting : file.rules.rules) {
    EXPECT_TRUE(setting.enabled);
    EXPECT_EQ(setting.severity, std::nullopt);
  }
  EXPECT_EQ(file.recheck.interval, defaults.recheck.interval);
  EXPECT_EQ(file.recheck.stuck_after, defaults.recheck.stuck_after);
  EXPECT_EQ(file.recheck.orphan_after, defaults.recheck.orphan_after);
  EXPECT_EQ(file.index.memory_max_bytes, defaults.index.memory_max_bytes);
  EXPECT_EQ(file.index.run_grace, defaults.index.run_grace);
  EXPECT_EQ(file.heartbeat.interval, defaults.heartbeat.interval);
  EXPECT_EQ(file.heartbeat.timeout, defaults.heartbeat.timeout);
  EXPECT_EQ(file.heartbeat.dsn, defaults.heartbeat.dsn);
  EXPECT_EQ(file.findings.file, defaults.findings.file);
  EXPECT_EQ(file.findings.table_schema, defaults.findings.table_schema);
  EXPECT_EQ(file.findings.table_name, defaults.findings.table_name);
  EXPECT_EQ(file.findings.log_rate_max, defaults.findings.log_rate_max);
  EXPECT_EQ(file.findings.keep, defaults.findings.keep);
  EXPECT_EQ(file.findings.acknowledged, defaults.findings.acknowledged);
  EXPECT_EQ(file.http.host, defaults.http.host);
  EXPECT_EQ(file.http.port, defaults.http.port);
  EXPECT_EQ(file.http.basic_auth, defaults.http.basic_auth);
  EXPECT_EQ(file.http.external_url, defaults.http.external_url);
  EXPECT_EQ(file.http.reload, defaults.http.reload);
  EXPECT_EQ(file.log.format, defaults.log.format);
  EXPECT_EQ(file.log.level, defaults.log.level);
}

TEST(ReferenceFile, EveryKeyWithADefaultIsWrittenOut) {
  std::ifstream file{kFolder + "dupwatch.yaml"};
  const std::regex commented_out{"^  # ([a-z_]+):.*"};
  std::string section;
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (!line.empty() && line.front() != ' ' && line.front() != '#') section = line.substr(0, line.find(':'));
    if (std::regex_match(line, match, commented_out)) {
      EXPECT_EQ(section, "table") << line;
    }
  }
}

TEST(GenericExample, DescribesTheOrdersTable) {
  const auto profile = loaded("generic.yaml").profile;
  EXPECT_EQ(profile.qualified_name(), "shop.order_events");
  EXPECT_EQ(profile.types.size(), 6U);
  const auto shipped = profile.find_type("line_shipped");
  const auto note = profile.find_type("line_note");
  ASSERT_TRUE(shipped && note);
  EXPECT_TRUE(profile.types[*shipped].unique);
  EXPECT_TRUE(profile.types[*shipped].closes);
  EXPECT_FALSE(profile.types[*note].unique);
  EXPECT_EQ(profile.types[*note].group, profile.types[*shipped].group);
}

}  // namespace
}  // namespace dupwatch::config::reference_files_test
