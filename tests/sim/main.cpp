#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "tests/sim/simulation.hpp"
#include "tests/sim/worst_inputs.hpp"

namespace dupwatch::sim {
namespace {

struct Command {
  std::uint64_t seeds = 1000;
  std::uint64_t first = 1;
  std::uint64_t seed = 0;
  bool trace = false;
  bool twice = false;
  bool expect_violation = false;
  std::string bug_name;
  Bug bug = Bug::kNone;
};

/// 0 = as expected.
int run(const Command& command) {
  const auto replay_bug = command.bug_name.empty() ? "" : " --bug " + command.bug_name;
  std::uint64_t transactions = 0;
  std::uint64_t findings = 0;
  std::uint64_t steps = 0;
  const auto first = command.seed != 0 ? command.seed : command.first;
  const auto end = command.seed != 0 ? command.seed + 1 : command.first + command.seeds;
  for (auto seed = first; seed < end; ++seed) {
    const auto outcome = simulate(seed, command.bug, command.trace);
    transactions += outcome.transactions;
    findings += outcome.findings;
    steps += outcome.steps;
    if (command.twice && simulate(seed, command.bug, false).trace_hash != outcome.trace_hash) {
      fmt::print("seed {} is not deterministic\n", seed);
      return 1;
    }
    if (outcome.violation) {
      fmt::print("seed {}: {}\nreplay: dupwatch_sim --seed {} --trace{}\n", seed, *outcome.violation, seed,
                 replay_bug);
      return command.expect_violation ? 0 : 1;
    }
  }
  fmt::print("{} seeds, {} steps, {} transactions, {} finding records: no violation\n", end - first, steps,
             transactions, findings);
  return command.expect_violation ? 1 : 0;
}

}  // namespace
}  // namespace dupwatch::sim

int main(int argc, char** argv) {
  using namespace dupwatch::sim;
  Command command;
  std::map<std::string, Bug> bugs;
  for (const auto& [bug, name] : kBugs) bugs.emplace(name, bug);
  std::map<std::string, dupwatch::core::Planted> core_bugs;
  for (const auto& [bug, name] : kCoreBugs) core_bugs.emplace(name, bug);
  std::set<std::string> names;
  for (const auto& [name, bug] : bugs) names.insert(name);
  for (const auto& [name, bug] : core_bugs) names.insert(name);
  CLI::App app("Runs the daemon's core against a simulated server, table, disk and clock");
  app.add_option("--seeds", command.seeds, "How many seeds to run")->capture_default_str();
  app.add_option("--first", command.first, "The first of them")->capture_default_str();
  app.add_option("--seed", command.seed, "Run this seed alone");
  app.add_flag("--trace", command.trace, "Print every step");
  app.add_flag("--twice", command.twice, "Run each seed twice and compare");
  app.add_option("--bug", command.bug_name, "Plant this bug in the core or the shell around it")
      ->check(CLI::IsMember(names));
  std::uint64_t worst_rows = 0;
  app.add_option("--worst-inputs", worst_rows, "Count what each of so many rows costs, for the worst inputs");
  app.add_flag("--expect-violation", command.expect_violation, "Fail when no seed shows a violation");
  CLI11_PARSE(app, argc, argv);
  if (worst_rows != 0) return run_worst_inputs(worst_rows) ? 0 : 1;
  if (const auto bug = bugs.find(command.bug_name); bug != bugs.end()) command.bug = bug->second;
  if (const auto bug = core_bugs.find(command.bug_name); bug != core_bugs.end()) {
    dupwatch::core::planted_bug = bug->second;
  }
  return run(command);
}
