#include "daemon/core/reload.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <string>

#include "daemon/config/config_file.hpp"

namespace dupwatch::config::reload_test {
namespace {

using core::Config;
using Names = std::vector<std::string_view>;

Config parsed(std::string_view text) {
  const auto none = [](std::string_view) { return std::optional<std::string>{}; };
  auto result = parse_config(text, "d.yaml", none);
  if (auto* problems = std::get_if<std::vector<ConfigProblem>>(&result)) {
    for (const auto& problem : *problems) ADD_FAILURE() << format_problem(problem);
    return {};
  }
  return std::get<Config>(std::move(result));
}

struct Change {
  std::string_view key;
  /// A file whose one difference from the defaults is the key.
  std::string_view text;
};

// Written out by hand: what the table compares must be what the key sets.
constexpr Change kLive[] = {
    {"slot.lost_policy", "slot: {lost_policy: poll}"},
    {"slot.max_retained_wal", "slot: {max_retained_wal: 1GiB}"},
    {"poll.interval", "poll: {interval: 5s}"},
    {"recheck.interval", "recheck: {interval: 5s}"},
    {"recheck.stuck_after", "recheck: {stuck_after: 5m}"},
    {"recheck.orphan_after", "recheck: {orphan_after: 5s}"},
    {"heartbeat.interval", "heartbeat: {interval: 5s}"},
    {"heartbeat.timeout", "heartbeat: {timeout: 5s}"},
    {"findings.log_rate_max", "findings: {log_rate_max: 5}"},
    {"findings.acknowledged", "findings: {acknowledged: [0ce15d2f56d50204]}"},
    {"http.basic_auth", "http: {basic_auth: {user: u, password: p}}"},
    {"http.allowed_hosts", "http: {allowed_hosts: [a.example]}"},
    {"http.external_url", "http: {external_url: 'http://[::1]:9788'}"},
    {"webhook.severities", "webhook: {severities: [harmless]}"},
    {"log.format", "log: {format: json}"},
    {"log.level", "log: {level: warn}"},
};

constexpr Change kFixed[] = {
    {"connection.dsn", "connection: {dsn: host=db}"},
    {"connection.connect_timeout", "connection: {connect_timeout: 5s}"},
    {"connection.startup_timeout", "connection: {startup_timeout: 5s}"},
    {"connection.tcp_user_timeout", "connection: {tcp_user_timeout: 5s}"},
    {"connection.backoff_min", "connection: {backoff_min: 50ms}"},
    {"connection.backoff_max", "connection: {backoff_max: 5s}"},
    {"table", "table: {name: public.workflow_events}"},
    {"engine", "engine: v5"},
    {"rules.duplicate", "rules: {duplicate: off}"},
    {"rules.duplicate_created", "rules: {duplicate_created: off}"},
    {"rules.second_terminal", "rules: {second_terminal: harmless}"},
    {"rules.lifecycle_after_close", "rules: {lifecycle_after_close: off}"},
    {"rules.delivery_after_disposal", "rules: {delivery_after_disposal: off}"},
    {"rules.id_scheme", "rules: {id_scheme: off}"},
    {"rules.slot_gap", "rules: {slot_gap: off}"},
    {"rules.duplicate_run_event", "rules: {duplicate_run_event: off}"},
    {"rules.hook_self_conflict", "rules: {hook_self_conflict: off}"},
    {"rules.run_lost", "rules: {run_lost: off}"},
    {"rules.after_run_end", "rules: {after_run_end: off}"},
    {"rules.stuck_step", "rules: {stuck_step: off}"},
    {"rules.orphan", "rules: {orphan: fatal}"},
    {"rules.profile_rule", "rules: {profile_rule: fatal}"},
    {"slot.name", "slot: {name: other}"},
    {"slot.plugin", "slot: {plugin: wal2json}"},
    {"slot.publication", "slot: {publication: other}"},
    {"slot.temporary", "slot: {temporary: true}"},
    {"slot.create", "slot: {create: false}"},
    {"slot.failover", "slot: {failover: true}"},
    {"baseline", "baseline: all"},
    {"index.memory_max", "index: {memory_max: 1MiB}"},
    {"index.run_grace", "index: {run_grace: 5s}"},
    {"heartbeat.interval", "heartbeat: {interval: 0s}"},
    {"heartbeat.dsn", "heartbeat: {dsn: host=db}"},
    {"findings.file", "findings: {file: /f}"},
    {"findings.table", "findings: {table: dupwatch.findings}"},
    {"findings.keep", "findings: {keep: 5}"},
    {"http.listen", "http: {listen: 127.0.0.1:5}"},
    {"http.listen", "http: {listen: 127.0.0.2:9788}"},
    {"http.web_config_file", "http: {web_config_file: /web.yml}"},
    {"http.reload", "http: {reload: true}"},
    {"webhook.url", "webhook: {url: http://h}"},
    {"webhook.secret", "webhook: {secret: s}"},
    {"webhook.ca_file", "webhook: {ca_file: /f}"},
    {"webhook.timeout", "webhook: {timeout: 5s}"},
    {"webhook.retry_for", "webhook: {retry_for: 5s}"},
    {"quarantine.mode", "quarantine: {mode: record}"},
    {"quarantine.dry_run", "quarantine: {dry_run: true}"},
    {"quarantine.dsn", "quarantine: {dsn: host=db}"},
    {"quarantine.rules", "quarantine: {rules: [duplicate_created]}"},
    {"quarantine.max_per_minute", "quarantine: {max_per_minute: 5}"},
    {"quarantine.max_per_hour", "quarantine: {max_per_hour: 300}"},
    {"quarantine.max_per_run", "quarantine: {max_per_run: 4}"},
};

TEST(TakeOver, NothingComesOfTheSame) {
  const auto text = "connection: {dsn: host=db}\nhttp: {basic_auth: {user: u, password: p}}";
  auto running = parsed(text);
  const auto change = core::take_over(running, parsed(text));
  EXPECT_EQ(change.applied, Names{});
  EXPECT_EQ(change.needs_restart, Names{});
}

TEST(TakeOver, ALiveKeyIsAppliedAloneAndOnce) {
  for (const auto& [key, text] : kLive) {
    auto running = parsed("");
    const auto wanted = parsed(text);
    const auto change = core::take_over(running, wanted);
    EXPECT_EQ(change.applied, Names{key}) << text;
    EXPECT_EQ(change.needs_restart, Names{}) << text;
    EXPECT_EQ(core::take_over(running, wanted).applied, Names{}) << key << ": it is in force now";
    EXPECT_EQ(core::take_over(running, parsed("")).applied, Names{key}) << key << ": and back";
  }
}

TEST(TakeOver, AnyOtherKeyIsNamedEachTimeAndLeftAlone) {
  for (const auto& [key, text] : kFixed) {
    auto running = parsed("");
    for (int round = 0; round < 2; ++round) {
      const auto change = core::take_over(running, parsed(text));
      EXPECT_EQ(change.applied, Names{}) << text;
      EXPECT_EQ(change.needs_restart, Names{key}) << text;
    }
    EXPECT_EQ(core::take_over(running, parsed("")).needs_restart, Names{}) << key << ": it was taken over";
  }
}

TEST(TakeOver, AnotherProfileIsNamed) {
  auto running = parsed("");
  const auto wanted = parsed(
      "profile: generic\ntable: {name: s.t, run_column: r, id_column: i, identity_columns: [c]}\nlog: "
      "{level: warn}");
  const auto change = core::take_over(running, wanted);
  EXPECT_EQ(change.applied, Names{"log.level"});
  EXPECT_EQ(change.needs_restart, (Names{"profile", "table"}));
  EXPECT_EQ(running.profile.name, "workflow-devkit");
  EXPECT_EQ(running.log.level, core::LogLevel::kWarn);
}

TEST(TakeOver, AHeartbeatIsNotSwitchedOn) {
  auto running = parsed("heartbeat: {interval: 0s}");
  EXPECT_EQ(core::take_over(running, parsed("")).needs_restart, Names{"heartbeat.interval"});
  EXPECT_EQ(running.heartbeat.interval.count(), 0);
}

/// A key that is a section, or stands for one.
bool covers(std::string_view name, std::string_view key) {
  return key == name || (key.starts_with(name) && key.substr(name.size()).starts_with('.'));
}

TEST(ReloadKeys, HoldEveryKeyOfTheConfiguration) {
  const auto known = known_keys();
  const auto rows = core::reload_keys();
  for (const auto key : known) {
    const bool section = std::ranges::any_of(known, [&](auto k) { return k != key && covers(key, k); });
    const auto count = std::ranges::count_if(rows, [&](const auto& row) { return covers(row.name, key); });
    EXPECT_TRUE(count == 1 || (section && count == 0))
        << key << " is compared " << count << " times at a reload";
  }
  for (const auto& row : rows) EXPECT_EQ(std::ranges::count(known, row.name), 1) << row.name;
}

TEST(ReloadKeys, EachIsTriedAbove) {
  for (const auto& row : core::reload_keys()) {
    const auto has = [&](const auto& changes) {
      return std::ranges::any_of(changes, [&](const Change& change) { return change.key == row.name; });
    };
    if (row.name == "profile") continue;
    EXPECT_TRUE(row.live ? has(kLive) : has(kFixed)) << row.name;
  }
}

/// The comment before each key of the reference file.
std::map<std::string, std::string> comments() {
  std::ifstream file{std::string{DUPWATCH_SOURCE_DIR} + "/config/dupwatch.yaml"};
  const std::regex key{"^( *)([a-z_]+):.*"};
  std::map<std::string, std::string> out;
  std::string section;
  std::string comment;
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (line.find_first_not_of(' ') == std::string::npos) {
      comment.clear();
    } else if (std::regex_match(line, match, key)) {
      const bool top = match[1].length() == 0;
      if (top) section = match[2];
      out[top ? section : section + "." + match[2].str()] = comment;
    } else {
      comment += line + "\n";
    }
  }
  return out;
}

TEST(ReferenceFile, SaysOfEachKeyWhetherItIsReloadable) {
  const auto said = comments();
  for (const auto& row : core::reload_keys()) {
    const auto comment = said.find(std::string{row.name});
    ASSERT_NE(comment, said.end()) << row.name;
    EXPECT_EQ(comment->second.find("Reloadable") != std::string::npos, row.live) << row.name;
  }
}

}  // namespace
}  // namespace dupwatch::config::reload_test
