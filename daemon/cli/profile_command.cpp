#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/cli/command.hpp"
#include "daemon/cli/configuration.hpp"
#include "daemon/cli/progress_bar.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/config/builtin_profiles.hpp"
#include "daemon/core/replay_rules.hpp"
#include "daemon/core/text.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/table/run_scan.hpp"
#include "daemon/table/table_facts.hpp"
#include "daemon/table/table_row.hpp"

namespace dupwatch::cli {
namespace {

using postgres::Connection;
using postgres::Error;

constexpr std::string_view kDevkit = "workflow-devkit";
constexpr std::string_view kDevkitSummary = "The workflow engine's event log, with the rules of config/rules";
/// Findings of a rule that are shown.
constexpr std::size_t kExamplesMax = 3;

enum class ProfileAction : std::uint8_t { kNone, kList, kShow, kTest };

struct ProfileOptions {
  ProfileAction action = ProfileAction::kNone;
  std::string name;
  bool json = false;
};

/// What a dry run found of one rule.
struct RuleCount {
  std::uint64_t findings = 0;
  std::vector<core::Finding> examples;
};

struct DryRun {
  std::map<std::string, RuleCount, std::less<>> rules;
  std::uint64_t findings = 0;
  std::uint64_t rows = 0;
  std::uint64_t runs = 0;
  double seconds = 0;

  [[nodiscard]] double rows_per_second() const noexcept {
    return static_cast<double>(rows) / std::max(seconds, 1e-6);
  }
};

process::ExitCode list_profiles(bool json) {
  const auto builtins = config::builtin_profiles();
  if (!json) {
    fmt::print("{:<16} {}\n", kDevkit, kDevkitSummary);
    for (const auto& profile : builtins) fmt::print("{:<16} {}\n", profile.name, profile.summary);
    return process::ExitCode::kClean;
  }
  const auto entry = [](std::string_view name, std::string_view summary) {
    return fmt::format(R"({{"name":{},"summary":{}}})", core::json_string(name), core::json_string(summary));
  };
  auto out = entry(kDevkit, kDevkitSummary);
  for (const auto& profile : builtins) out += "," + entry(profile.name, profile.summary);
  fmt::print("{{\"profiles\":[{}]}}\n", out);
  return process::ExitCode::kClean;
}

process::ExitCode refuse_name(const std::string& name) {
  auto known = std::string(kDevkit);
  for (const auto& profile : config::builtin_profiles()) known += fmt::format(", {}", profile.name);
  fmt::print(stderr, "error: no built-in profile has the name {}; there are {}\n", core::visible(name),
             known);
  return process::ExitCode::kUsage;
}

process::ExitCode show_profile(const ProfileOptions& options) {
  const auto* builtin = config::find_builtin(options.name);
  if (builtin == nullptr && options.name != kDevkit) return refuse_name(options.name);
  const auto text = builtin != nullptr ? builtin->text : "profile: workflow-devkit\n";
  if (options.json) {
    fmt::print("{{\"name\":{},\"text\":{}}}\n", core::json_string(options.name), core::json_string(text));
  } else {
    fmt::print("{}", text);
  }
  return process::ExitCode::kClean;
}

void judge(const core::ReplayRules& rules, const core::RunLog& log, const std::string& run_id, DryRun& out) {
  std::vector<core::ReplayRules::Verdict> verdicts;
  rules.judge_run(log, verdicts);
  for (const auto& verdict : verdicts) {
    auto finding = rules.describe(log, verdict, run_id, core::Origin::kBaseline);
    auto& rule = out.rules[std::string(finding.rule_name())];
    ++rule.findings;
    ++out.findings;
    if (rule.examples.size() < kExamplesMax) rule.examples.push_back(std::move(finding));
  }
}

std::variant<DryRun, Error> dry_run(const core::Config& config, Connection& sql, postgres::Waiter& waiter,
                                    const table::TableFacts& facts) {
  core::TokenCodec codec(process::random_seed());
  core::ReplayRules rules(config.profile, config.rules, codec);
  rules.set_auto_engines(facts.traits.engines);
  codec.set_order(facts.traits.ids);
  DryRun out;
  for (const auto& rule : config.profile.rules) out.rules.try_emplace(rule.name);
  table::RunScan scan(config.profile, facts.key_types,
                      {.select = postgres::event_select(config.profile, facts.extras),
                       .condition = {},
                       .after = {},
                       .rate_max = 0});
  core::RunLog log;
  ProgressBar progress("rows", facts.rows_estimate);
  const auto began = process::steady_now();
  while (!scan.done()) {
    auto error = scan.next(
        sql, waiter,
        [&](const pg_result& result, int row) {
          table::TableRow(config.profile, result, row).add_to(log, config.profile, codec);
        },
        [&](const std::string& run) {
          judge(rules, log, run, out);
          log.clear();
        });
    progress.show(scan.rows());
    if (error) {
      progress.clear();
      return *std::move(error);
    }
  }
  progress.clear();
  out.seconds = std::chrono::duration<double>(process::steady_now() - began).count();
  out.rows = scan.rows();
  out.runs = scan.runs();
  return out;
}

void print_json(const core::Profile& profile, const DryRun& found) {
  std::string rules;
  for (const auto& [name, rule] : found.rules) {
    std::string examples;
    for (const auto& finding : rule.examples) {
      examples += (examples.empty() ? "" : ",") + core::to_json(finding);
    }
    rules += fmt::format(R"({}{{"name":{},"findings":{},"examples":[{}]}})", rules.empty() ? "" : ",",
                         core::json_string(name), rule.findings, examples);
  }
  fmt::print(
      R"({{"profile":{},"table":{},"rows":{},"runs":{},"rows_per_second":{:.0f},"findings":{},"rules":[{}]}})"
      "\n",
      core::json_string(profile.name), core::json_string(profile.qualified_name()), found.rows, found.runs,
      found.rows_per_second(), found.findings, rules);
}

void print_text(const core::Profile& profile, const DryRun& found) {
  fmt::print("{} by profile {}: {} {}s in {} {}s, {:.0f} rows a second\n",
             core::visible(profile.qualified_name()), profile.name, found.rows, profile.labels.event,
             found.runs, profile.labels.run, found.rows_per_second());
  for (const auto& [name, rule] : found.rules) {
    fmt::print("{:>10}  {}\n", rule.findings, name);
    for (const auto& finding : rule.examples) {
      fmt::print("            {} {} {}, row {}\n", to_string(finding.severity), profile.labels.run,
                 core::visible(finding.run_id), core::visible(finding.duplicate.id));
    }
  }
  if (std::ranges::any_of(profile.rules, [](const auto& rule) { return is_of_the_stream(rule.kind); })) {
    fmt::print("The order of commits is in the stream alone: rules with increasing are not tried.\n");
  }
}

/// The configuration that a file holds, or that a name stands for; nullopt after reporting why there is none.
std::optional<core::Config> tried(const std::string& name, const core::Config& given) {
  auto config = given;
  const auto* builtin = config::find_builtin(name);
  if (builtin == nullptr) {
    auto loaded = ConfigurationSource{.file = name, .overrides = {}}.load_or_report();
    if (!loaded) return std::nullopt;
    if (config.connection.dsn.empty()) config.connection = loaded->connection;
    config.profile = std::move(loaded->profile);
    config.rules = loaded->rules;
    return config;
  }
  auto parsed = config::parse_config(fmt::format("profile: {}\n", name), name,
                                     [](std::string_view) { return std::nullopt; });
  config.profile = std::get<core::Config>(std::move(parsed)).profile;
  return config;
}

process::ExitCode test_profile(const ProfileOptions& options, const core::Config& given) {
  const auto config = tried(options.name, given);
  if (!config) return process::ExitCode::kUsage;
  const process::StopSignals stop;
  process::LoopWaiter waiter(stop.fd(), [] {});
  auto opened = Connection::open(config->connection, Connection::Kind::kSql, waiter);
  if (const auto* error = std::get_if<Error>(&opened)) return report_error(*error);
  auto& sql = std::get<Connection>(opened);
  const auto looked = table::read_table_facts(*config, sql, waiter);
  if (const auto* error = std::get_if<Error>(&looked)) return report_error(*error);
  const auto& facts = std::get<table::TableFacts>(looked);
  if (!facts.run_index) return report_error(table::no_run_index(*config));
  const auto found = dry_run(*config, sql, waiter, facts);
  if (const auto* error = std::get_if<Error>(&found)) return report_error(*error);
  const auto& result = std::get<DryRun>(found);
  if (options.json) {
    print_json(config->profile, result);
  } else {
    print_text(config->profile, result);
  }
  return result.findings != 0 ? process::ExitCode::kFindings : process::ExitCode::kClean;
}

class ProfileCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.require_subcommand(0, 1);
    app.fallthrough();
    app.add_flag("--json", options_.json, "One JSON document on stdout");
    const auto action = [&](const char* name, const char* text, ProfileAction what) {
      auto* sub = app.add_subcommand(name, text);
      sub->callback([this, what] { options_.action = what; });
      return sub;
    };
    action("list", "The profiles that are built in", ProfileAction::kList);
    action("show", "What one of them says, as a configuration would", ProfileAction::kShow)
        ->add_option("name", options_.name, "Its name")
        ->required()
        ->type_name("NAME");
    action("test", "What a profile would find among the rows that are there", ProfileAction::kTest)
        ->add_option("file", options_.name, "A configuration, or the name of a built-in profile")
        ->required()
        ->type_name("FILE");
    for (auto* sub : app.get_subcommands({}))
      sub->add_flag("--json", options_.json, "One JSON document on stdout");
  }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    switch (options_.action) {
      case ProfileAction::kList:
        return list_profiles(options_.json);
      case ProfileAction::kShow:
        return show_profile(options_);
      case ProfileAction::kTest:
        return test_profile(options_, invocation.config);
      case ProfileAction::kNone:
        break;
    }
    fmt::print(stderr, "error: one of list, show and test is needed\n");
    return process::ExitCode::kUsage;
  }

 private:
  ProfileOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_profile() {
  return std::make_unique<ProfileCommand>();
}

}  // namespace dupwatch::cli
