#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "daemon/config/config_file.hpp"

namespace dupwatch::config::parse_test {
namespace {

using core::Config;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

Environment environment(std::map<std::string, std::string, std::less<>> variables = {}) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional{found->second};
  };
}

Config accepted(std::string_view text, const Environment& env = environment()) {
  auto result = parse_config(text, "dupwatch.yaml", env);
  if (auto* problems = std::get_if<std::vector<ConfigProblem>>(&result)) {
    for (const auto& problem : *problems) ADD_FAILURE() << format_problem(problem);
    return {};
  }
  return std::get<Config>(std::move(result));
}

/// All problems, one per line.
std::string refused(std::string_view text, const Environment& env = environment()) {
  const auto result = parse_config(text, "dupwatch.yaml", env);
  const auto* problems = std::get_if<std::vector<ConfigProblem>>(&result);
  if (problems == nullptr) {
    ADD_FAILURE() << "accepted: " << text;
    return {};
  }
  std::string all;
  for (const auto& problem : *problems) all += format_problem(problem) + "\n";
  return all;
}

const core::RuleSetting& setting(const Config& config, core::Rule rule) {
  return config.rules.rules.at(static_cast<std::size_t>(rule));
}

TEST(ParseConfig, EmptyTextGivesTheDefaults) {
  for (const auto* text : {"", "\n", "# nothing\n", "---\n", "{}", "connection:\nhttp:\n"}) {
    const auto config = accepted(text);
    EXPECT_EQ(config.slot.name, "dupwatch") << text;
    EXPECT_EQ(config.profile.qualified_name(), "workflow.workflow_events") << text;
    EXPECT_EQ(config.connection.dsn, "") << text;
  }
}

TEST(ParseConfig, ReadsEveryKey) {
  const auto config = accepted(R"(
connection:
  dsn: host=db
  connect_timeout: 3s
  startup_timeout: 0s
  tcp_user_timeout: 5m
  backoff_min: 20ms
  backoff_max: 1h
slot: {name: s_1, plugin: pgoutput, publication: Pub, temporary: true, create: false}
baseline: all
engine: v5
rules: {duplicate: off, duplicate_created: fatal, second_terminal: conflict, orphan: harmless, run_lost: unknown}
recheck: {interval: 0s, stuck_after: 2h, orphan_after: 90s}
index: {memory_max: 2GiB, run_grace: 24h}
findings: {file: /var/lib/f.jsonl, log_rate_max: 0, keep: 7, acknowledged: [00000000000000ff, "0000000000000002"]}
http: {listen: "[::1]:0"}
log: {format: json, level: error}
)");
  EXPECT_EQ(config.connection.dsn, "host=db");
  EXPECT_EQ(config.connection.connect_timeout, seconds{3});
  EXPECT_EQ(config.connection.startup_timeout, seconds{0});
  EXPECT_EQ(config.connection.tcp_user_timeout, seconds{300});
  EXPECT_EQ(config.connection.backoff_min, milliseconds{20});
  EXPECT_EQ(config.connection.backoff_max, hours{1});
  EXPECT_EQ(config.slot.name, "s_1");
  EXPECT_EQ(config.slot.plugin, core::PluginChoice::kPgoutput);
  EXPECT_EQ(config.slot.publication, "Pub");
  EXPECT_TRUE(config.slot.temporary);
  EXPECT_FALSE(config.slot.create);
  EXPECT_EQ(config.baseline, core::Baseline::kAll);
  EXPECT_EQ(config.rules.engine, core::Engine::kV5);
  EXPECT_FALSE(setting(config, core::Rule::kDuplicate).enabled);
  EXPECT_EQ(setting(config, core::Rule::kDuplicateCreated).severity, core::Severity::kFatal);
  EXPECT_EQ(config.recheck.interval, seconds{0});
  EXPECT_EQ(config.recheck.stuck_after, hours{2});
  EXPECT_EQ(config.recheck.orphan_after, seconds{90});
  EXPECT_EQ(config.index.memory_max_bytes, std::uint64_t{2} << 30U);
  EXPECT_EQ(config.index.run_grace, hours{24});
  EXPECT_EQ(config.findings.file, "/var/lib/f.jsonl");
  EXPECT_EQ(config.findings.log_rate_max, 0U);
  EXPECT_EQ(config.findings.keep, 7U);
  EXPECT_EQ(config.findings.acknowledged, (std::vector<std::uint64_t>{2, 0xFF})) << "sorted";
  EXPECT_EQ(config.http.host, "::1");
  EXPECT_EQ(config.http.port, 0);
  EXPECT_EQ(config.log.format, core::LogFormat::kJson);
  EXPECT_EQ(config.log.level, core::LogLevel::kError);
}

TEST(ParseConfig, EveryChoiceMapsToItsEnumValue) {
  EXPECT_EQ(accepted("slot: {plugin: auto}").slot.plugin, core::PluginChoice::kAuto);
  EXPECT_EQ(accepted("slot: {plugin: wal2json}").slot.plugin, core::PluginChoice::kWal2json);
  EXPECT_EQ(accepted("slot: {lost_policy: poll}").slot.lost_policy, core::LostPolicy::kPoll);
  EXPECT_EQ(accepted("slot: {lost_policy: stop}").slot.lost_policy, core::LostPolicy::kStop);
  EXPECT_EQ(accepted("slot: {max_retained_wal: 2GiB}").slot.max_retained_wal.bytes, std::uint64_t{2} << 30U);
  EXPECT_EQ(accepted("slot: {max_retained_wal: 0B}").slot.max_retained_wal.bytes, 0U);
  EXPECT_EQ(accepted("slot: {max_retained_wal: 80%}").slot.max_retained_wal.percent, 80U);
  EXPECT_NE(refused("slot: {max_retained_wal: 100%}").find("1% to 99%"), std::string::npos);
  EXPECT_EQ(accepted("baseline: active").baseline, core::Baseline::kActive);
  EXPECT_EQ(accepted("baseline: none").baseline, core::Baseline::kNone);
  EXPECT_EQ(accepted("log: {level: debug}").log.level, core::LogLevel::kDebug);
  EXPECT_EQ(accepted("log: {level: info}").log.level, core::LogLevel::kInfo);
  EXPECT_EQ(accepted("log: {level: warn}").log.level, core::LogLevel::kWarn);
  EXPECT_EQ(accepted("log: {format: logfmt}").log.format, core::LogFormat::kLogfmt);
}

TEST(ParseConfig, QuarantineIsOffByDefaultAndItsRulesCanOnlyBeFewer) {
  const auto plain = accepted("").quarantine;
  EXPECT_EQ(plain.mode, core::QuarantineMode::kObserve);
  for (std::size_t i = 0; i < core::kRules; ++i) {
    const auto rule = static_cast<core::Rule>(i);
    EXPECT_EQ(plain.rules[i], rule == core::Rule::kDuplicateCreated || rule == core::Rule::kSecondTerminal ||
                                  rule == core::Rule::kLifecycleAfterClose)
        << to_string(rule);
  }
  for (std::size_t i = 0; i < core::kQuarantineModes; ++i) {
    const auto mode = static_cast<core::QuarantineMode>(i);
    EXPECT_EQ(accepted("quarantine: {mode: " + std::string(to_string(mode)) + "}").quarantine.mode, mode);
  }
  const auto fewer =
      accepted("quarantine: {rules: [second_terminal], max_per_minute: 1, max_per_hour: 2, max_per_run: 3}")
          .quarantine;
  EXPECT_TRUE(fewer.rules[static_cast<std::size_t>(core::Rule::kSecondTerminal)]);
  EXPECT_EQ(std::ranges::count(fewer.rules, true), 1);
  EXPECT_EQ(fewer.max_per_minute, 1U);
  EXPECT_EQ(fewer.max_per_hour, 2U);
  EXPECT_EQ(fewer.max_per_run, 3U);
  EXPECT_NE(refused("quarantine: {rules: [delivery_after_disposal]}")
                .find("expected one of duplicate_created, second_terminal, lifecycle_after_close"),
            std::string::npos);
  EXPECT_NE(refused("profile: generic\ntable: {name: a.b}\nquarantine: {mode: remove}").find("measured"),
            std::string::npos);
}

TEST(ParseConfig, EveryEngineMapsToItsEnumValue) {
  EXPECT_EQ(accepted("engine: auto").rules.engine, std::nullopt);
  for (std::size_t i = 0; i < core::kGenerations; ++i) {
    const auto engine = static_cast<core::Engine>(i);
    EXPECT_EQ(accepted("engine: " + std::string(to_string(engine))).rules.engine, engine);
  }
  EXPECT_NE(refused("engine: v6")
                .find("expected one of auto, v4, v5-before-class-skip, v5-before-attribute-skip, v5, "
                      "v5-single-orchestrator"),
            std::string::npos);
}

TEST(ParseConfig, EveryRuleHasItsKeyAndEverySeverityItsWord) {
  for (std::size_t i = 0; i < core::kRules; ++i) {
    const auto rule = static_cast<core::Rule>(i);
    const auto with = [&](std::string_view value) {
      return accepted("rules: {" + std::string(to_string(rule)) + ": " + std::string(value) + "}");
    };
    EXPECT_TRUE(setting(with("default"), rule).enabled);
    EXPECT_EQ(setting(with("default"), rule).severity, std::nullopt);
    const auto off = with("off");
    for (std::size_t j = 0; j < core::kRules; ++j) {
      EXPECT_EQ(setting(off, static_cast<core::Rule>(j)).enabled, j != i) << to_string(rule);
    }
    for (std::size_t j = 0; j < core::kSeverities; ++j) {
      const auto severity = static_cast<core::Severity>(j);
      EXPECT_EQ(setting(with(to_string(severity)), rule).severity, severity) << to_string(rule);
      EXPECT_TRUE(setting(with(to_string(severity)), rule).enabled);
    }
  }
  EXPECT_NE(refused("rules: {orphan: \"on\"}")
                .find("expected one of default, off, fatal, conflict, harmless, unknown"),
            std::string::npos);
  EXPECT_NE(refused("rules: {orphans: off}").find("did you mean \"orphan\"?"), std::string::npos);
}

TEST(ParseConfig, NamesPlaceKeyValueAndRemedy) {
  EXPECT_EQ(
      refused("slot:\n  plugin: wal2jsn\n"),
      "dupwatch.yaml:2:11: slot.plugin: found \"wal2jsn\", expected one of auto, wal2json, pgoutput; did you "
      "mean \"wal2json\"?\n");
}

TEST(ParseConfig, ReportsAllProblemsInTheOrderOfTheFile) {
  const auto all = refused("slot:\n  name: Bad-Name\nlog:\n  level: loud\nindex:\n  memory_max: 3\nfoo: 1\n");
  const auto name = all.find("dupwatch.yaml:2:9: slot.name:");
  const auto level = all.find("dupwatch.yaml:4:10: log.level:");
  const auto memory = all.find("dupwatch.yaml:6:15: index.memory_max:");
  const auto foo = all.find("dupwatch.yaml:7:1: found the unknown key \"foo\"");
  EXPECT_LT(name, level) << all;
  EXPECT_LT(level, memory) << all;
  EXPECT_LT(memory, foo) << all;
  EXPECT_NE(foo, std::string::npos) << all;
}

TEST(ParseConfig, UnknownKeysAreRefusedWithTheNearestOne) {
  EXPECT_NE(refused("slott: {}").find("did you mean \"slot\"?"), std::string::npos);
  EXPECT_NE(refused("slot: {temprary: true}").find("did you mean \"temporary\"?"), std::string::npos);
  EXPECT_NE(refused("dsn: host=db").find("did you mean connection.dsn?"), std::string::npos);
  // A dotted key is not the key of a section.
  EXPECT_NE(refused("slot.name: x").find("unknown key"), std::string::npos);
}

TEST(ParseConfig, DuplicateKeysAreRefusedWithTheFirstOnesLine) {
  EXPECT_EQ(refused("slot:\n  name: a\n  name: b\n"),
            "dupwatch.yaml:3:3: slot.name: found the key a second time, expected each key once; it stands on "
            "line 2 "
            "already\n");
  EXPECT_NE(refused("slot: {name: a}\nslot: {create: true}\n").find("dupwatch.yaml:2:1: slot:"),
            std::string::npos);
  EXPECT_NE(refused("profile: generic\ntable:\n  closing:\n    a: [b]\n    a: [c]\n").find("table.closing.a"),
            std::string::npos);
}

TEST(ParseConfig, WrongTypesAreRefused) {
  EXPECT_NE(refused("slot: dupwatch").find("slot: found a single value, expected a map of keys"),
            std::string::npos);
  EXPECT_NE(refused("slot: [a]").find("found a list"), std::string::npos);
  EXPECT_NE(refused("slot: {name: [a]}").find("slot.name: found a list"), std::string::npos);
  EXPECT_NE(refused("slot: {name: {a: b}}").find("slot.name: found a map"), std::string::npos);
  EXPECT_NE(refused("slot: {name: }").find("slot.name: found nothing"), std::string::npos);
  EXPECT_NE(refused("slot: {create: yes}").find("expected true or false"), std::string::npos);
  EXPECT_NE(refused("- a").find("found a list, expected a map of keys"), std::string::npos);
  EXPECT_NE(refused("hello").find("found a single value"), std::string::npos);
  EXPECT_NE(refused("table: {types: a}").find("expected a list of 1 to 64 names"), std::string::npos);
  EXPECT_NE(refused("table: {closing: [a]}").find("expected a map of 1 to 64 names"), std::string::npos);
}

TEST(ParseConfig, ATemporarySlotIsNoFailoverSlot) {
  EXPECT_NE(refused("slot: {failover: true, temporary: true}")
                .find("slot.failover: found true with slot.temporary: true, expected false"),
            std::string::npos);
  EXPECT_TRUE(accepted("slot: {failover: true}").slot.failover);
}

TEST(ParseConfig, RangesAreNamed) {
  EXPECT_NE(refused("connection: {connect_timeout: 0s}").find("expected a duration from 1s to 10m"),
            std::string::npos);
  EXPECT_NE(refused("connection: {connect_timeout: 10}").find("a unit: ms, s, m or h"), std::string::npos);
  EXPECT_NE(refused("index: {memory_max: 1KiB}").find("expected a size from 64KiB to 1024GiB"),
            std::string::npos);
  EXPECT_NE(refused("recheck: {interval: 25h}").find("expected a duration from 0s to 24h"),
            std::string::npos);
  EXPECT_NE(refused("recheck: {stuck_after: 59s}").find("expected a duration from 1m to 720h"),
            std::string::npos);
  EXPECT_NE(refused("recheck: {orphan_after: 0s}").find("expected a duration from 1s to 720h"),
            std::string::npos);
  EXPECT_NE(refused("findings: {keep: 0}").find("expected a whole number from 1 to 100000"),
            std::string::npos);
  EXPECT_TRUE(accepted("findings: {acknowledged: []}").findings.acknowledged.empty());
  for (const auto* id : {"0ff", "00000000000000FF", "0x000000000000ff", "\"\"", "[00000000000000ff]"}) {
    EXPECT_NE(refused("findings: {acknowledged: [" + std::string(id) + "]}").find("findings.acknowledged"),
              std::string::npos)
        << id;
  }
  EXPECT_NE(refused("findings: {keep: -1}").find("expected a whole number"), std::string::npos);
  EXPECT_NE(
      refused("connection: {backoff_min: 10s, backoff_max: 1s}").find("at least connection.backoff_min"),
      std::string::npos);
}

TEST(ParseConfig, EnvironmentReferencesWorkInEveryValue) {
  const auto env = environment({{"PW", "s3cret"}, {"SLOT", "s"}, {"EMPTY", ""}, {"KEEP", "5"}});
  const auto config = accepted(
      "connection: {dsn: \"user=u password=${PW}\"}\nslot: {name: \"${SLOT}_${N:-x}${EMPTY:-y}\"}\n"
      "findings: {keep: \"${KEEP}\", file: \"a$$b$c\"}\n",
      env);
  EXPECT_EQ(config.connection.dsn, "user=u password=s3cret");
  EXPECT_EQ(config.slot.name, "s_xy");
  EXPECT_EQ(config.findings.keep, 5U);
  EXPECT_EQ(config.findings.file, "a$b$c");
}

TEST(ParseConfig, AnUnsetVariableIsNamed) {
  EXPECT_EQ(refused("slot: {name: \"${SLOT}\"}"),
            "dupwatch.yaml:1:14: slot.name: found \"${SLOT}\", expected the environment variable SLOT to be "
            "set; set "
            "it, or give a default: ${SLOT:-...}\n");
  EXPECT_NE(refused("slot: {name: \"${SLOT\"}").find("expected } after ${"), std::string::npos);
  EXPECT_NE(refused("slot: {name: \"${}\"}").find("expected ${NAME}"), std::string::npos);
  EXPECT_NE(refused("slot: {name: \"${a b}\"}").find("expected ${NAME}"), std::string::npos);
}

TEST(ParseConfig, SecretsAreNeverEchoed) {
  const auto env = environment({{"PW", "s3cret\x01"}});
  for (const auto* text :
       {"connection: {dsn: \"password=s3cret\\x01\"}", "connection: {dsn: \"s3cret${UNSET}\"}",
        "connection: {dsn: [s3cret]}", "connection: {dsn: \"${PW}\"}", "slot: {name: \"${PW}\"}",
        "connection: {dsn: \"s3cret\", dsn: \"s3cret\"}", "connection: {dsn: \"s3cret${s3cret \"}",
        "connection: {dsn: *s3cret}", "connection: {dsn: &s3cret x}", "connection: {dsn: !s3cret x}",
        "connection: {dsn: \"password=\\s3cret\"}"}) {
    EXPECT_EQ(refused(text, env).find("s3cret"), std::string::npos) << refused(text, env);
  }
}

TEST(ParseConfig, SyntaxErrorsHaveALine) {
  EXPECT_NE(refused("slot:\n\tname: x\n").find("dupwatch.yaml:2:"), std::string::npos)
      << refused("slot:\n\tname: x\n");
  EXPECT_NE(refused("slot: {name: x\n").find("a YAML error"), std::string::npos);
  EXPECT_NE(refused("slot:\n  name: a: b\n").find("dupwatch.yaml:2:"), std::string::npos);
  EXPECT_NE(refused("a: b\n---\nc: d\n").find("one document per file"), std::string::npos);
  EXPECT_NE(refused("{[a]: b}").find("a list or map as a key"), std::string::npos);
}

TEST(ParseConfig, BytesThatAreNotTextAreRefusedWithTheirPlace) {
  EXPECT_NE(refused("slot: {}\nlog: \xff\n").find("dupwatch.yaml:2:6: found byte 0xff"), std::string::npos);
  EXPECT_NE(refused(std::string_view{"a: \0b", 5}).find("byte 0x00"), std::string::npos);
  // yaml-cpp takes it for the end of the file.
  EXPECT_NE(refused("slot: {}\n\x04\nbad: 1\n").find("dupwatch.yaml:2:1: found byte 0x04"),
            std::string::npos);
}

TEST(ParseConfig, HostileFilesAreBounded) {
  EXPECT_NE(refused(std::string(kConfigBytesMax + 1, ' ')).find("more than 1 MiB"), std::string::npos);
  EXPECT_NE(refused("a: &a [x]\nb: *a\n").find("an anchor or alias"), std::string::npos);
  for (const auto* text : {"[", "{", "- ", "? ", "!", "&", "*", ":", "%", "\"", "'", "|", ">", "- -"}) {
    std::string repeated;
    while (repeated.size() < 200'000) repeated += text;
    EXPECT_NE(refused(repeated), "") << text;
  }
  std::string nested;
  for (int i = 0; i < 1000; ++i) nested += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_NE(refused(nested).find("more than 8 levels"), std::string::npos);
  std::string keys;
  for (int i = 0; i < 50'000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  EXPECT_NE(refused(keys).find("more than 2000 values"), std::string::npos);
  std::string unknown;
  for (int i = 0; i < 900; ++i) unknown += "k" + std::to_string(i) + ": 1\n";
  EXPECT_NE(refused(unknown).find("800 more problems"), std::string::npos);
}

TEST(ParseConfig, AMessageIsOneLineWhateverTheValue) {
  const auto all = refused("slot: {name: \"a\\nlevel=error\\e[31m" + std::string(500, 'x') + "\"}");
  EXPECT_EQ(all.find('\n'), all.size() - 1) << all;
  EXPECT_EQ(all.find('\x1b'), std::string::npos);
  EXPECT_LT(all.size(), 300U);
}

TEST(ParseConfig, EveryPrefixOfAValidFileGivesAResult) {
  const std::string text =
      "connection: {dsn: \"host=${H:-db}\"}\nprofile: generic\ntable:\n  types: [a, 'b']\n";
  for (std::size_t n = 0; n <= text.size(); ++n) {
    const auto result = parse_config(std::string_view{text}.substr(0, n), "f", environment());
    if (const auto* problems = std::get_if<std::vector<ConfigProblem>>(&result)) {
      EXPECT_FALSE(problems->empty()) << n;
    }
  }
}

TEST(LoadConfigFile, AnUnreadableFileIsAProblem) {
  const auto missing = load_config_file("/nonexistent/dupwatch.yaml", environment());
  const auto& problems = std::get<std::vector<ConfigProblem>>(missing);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_TRUE(format_problem(problems[0]).starts_with("/nonexistent/dupwatch.yaml: found nothing that can"));
  EXPECT_TRUE(std::holds_alternative<std::vector<ConfigProblem>>(load_config_file("/", environment())));
}

TEST(ApplyOverrides, ReplacesAndChecks) {
  Config config;
  std::vector<ConfigProblem> problems;
  apply_overrides(config, {.dsn = "host=x", .slot = "s", .plugin = "wal2json", .publication = "p"}, problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(config.connection.dsn, "host=x");
  EXPECT_EQ(config.slot.name, "s");
  EXPECT_EQ(config.slot.plugin, core::PluginChoice::kWal2json);
  EXPECT_EQ(config.slot.publication, "p");
  apply_overrides(config, {.dsn = "s3cret\x01", .slot = "No", .plugin = "x", .publication = ""}, problems);
  ASSERT_EQ(problems.size(), 4U);
  EXPECT_EQ(format_problem(problems[0]).find("s3cret"), std::string::npos);
  EXPECT_EQ(format_problem(problems[1]),
            "command line: --slot: found \"No\", expected 1 to 63 characters out of a-z, 0-9 and _; Postgres "
            "refuses "
            "any other slot name");
  EXPECT_EQ(config.slot.name, "s");
}

TEST(Parse, TheNameOfThePageIsAllowed) {
  const auto hosts = [](std::string_view http) { return accepted(http).http.allowed_hosts; };
  using Hosts = std::vector<std::string>;
  EXPECT_EQ(hosts("http: {external_url: 'https://dw.example.org:8443/sub'}"), Hosts{"dw.example.org"});
  EXPECT_EQ(hosts("http: {external_url: 'http://dw.it', allowed_hosts: [dw.it]}"), Hosts{"dw.it"});
  EXPECT_EQ(hosts("http: {external_url: 'https://dw.example.org', allowed_hosts: [a.example]}"),
            (Hosts{"a.example", "dw.example.org"}));
  EXPECT_EQ(hosts("http: {external_url: 'http://[::1]:9788'}"), Hosts{});
}

}  // namespace
}  // namespace dupwatch::config::parse_test
