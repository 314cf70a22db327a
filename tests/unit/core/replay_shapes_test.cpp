#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <cstdint>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/core/run_judge.hpp"

/// What we say of every log shape that was measured with the real engines (tests/engines measures it again).
namespace dupwatch::core::replay_shapes_test {
namespace {

using oracle::Event;

struct Row {
  const char* type;
  const char* correlation = nullptr;
};

struct LogShape {
  const char* name;
  std::vector<Row> log;
  /// What 4.2.4, 4.8.9, 5.0.0-beta.41 and 5.0.0-beta.55 do: F rejects the log, C HookConflictError, o
  /// replays.
  std::string_view measured;
  /// The worst that we say for v4, v5-before-class-skip and v5: F fatal, C conflict, U unknown, H harmless, -
  /// nothing.
  std::string_view said;
  /// Why the two may differ; empty: they may not.
  const char* limit = "";
};

std::ostream& operator<<(std::ostream& out, const LogShape& shape) {
  return out << shape.name;
}

constexpr Row kBegun[] = {{"run_created"}, {"run_started"}};
constexpr Row kDone[] = {
    {"run_created"}, {"run_started"}, {"step_created", "a"}, {"step_started", "a"}, {"step_completed", "a"}};

/// `first` and then `more`.
std::vector<Row> log(std::span<const Row> first, const std::vector<Row>& more) {
  std::vector<Row> out(first.begin(), first.end());
  out.insert(out.end(), more.begin(), more.end());
  return out;
}
std::vector<Row> begun(const std::vector<Row>& more) {
  return log(kBegun, more);
}
std::vector<Row> done(const std::vector<Row>& more) {
  return log(kDone, more);
}

constexpr const char* kPayload =
    "the row is one that replay expects; only its payload, which is not read, is another's";
constexpr const char* kNobody =
    "the row is the only one of its entity: that no replay draws its id is not in the log";
constexpr const char* kWhatFollows =
    "whether the run goes on or ends after the row decides, and that is yet to come";
constexpr const char* kReseeds = "4.x fails if started_at moved between two replays, which is not in the log";
constexpr const char* kCancelled =
    "the run has ended by it; what is said of its rows is said as of an ended run";

std::vector<LogShape> step_shapes() {
  return {
      {"2nd step_created before the terminal",
       begun({{"step_created", "a"}, {"step_created", "a"}, {"step_started", "a"}, {"step_completed", "a"}}),
       "oooo", "HHH"},
      {"2nd step_created after the terminal", done({{"step_created", "a"}, {"step_created", "b"}}), "FFFo",
       "FFH"},
      {"same log with that row removed", done({{"step_created", "b"}}), "oooo", "---"},
      {"parallel: 2nd step_created of a done step while its sibling is open",
       begun({{"step_created", "a"},
              {"step_created", "b"},
              {"step_started", "a"},
              {"step_started", "b"},
              {"step_completed", "a"},
              {"step_created", "a"}}),
       "FFFo", "FFH"},
      {"2nd step_started before the terminal",
       begun({{"step_created", "a"}, {"step_started", "a"}, {"step_started", "a"}, {"step_completed", "a"}}),
       "oooo", "---"},
      {"step_started after the terminal, one seen before",
       done({{"step_started", "a"}, {"step_created", "b"}}), "FFFo", "FFH"},
      {"created, completed, started: the first start is late",
       begun({{"step_created", "a"}, {"step_completed", "a"}, {"step_started", "a"}}), "FFFF", "FFF"},
      {"step_retrying after the terminal, none before", done({{"step_retrying", "a"}}), "FFFF", "FFF"},
      {"2nd step_completed", done({{"step_completed", "a"}}), "FFFo", "FFH"},
      {"step_failed after step_completed", done({{"step_failed", "a"}}), "FFFo", "FFC"},
  };
}

std::vector<LogShape> wait_and_hook_shapes() {
  const std::vector<Row> waited = {{"wait_created", "w"}, {"wait_completed", "w"}};
  const std::vector<Row> disposed = {{"hook_created", "h"}, {"hook_received", "h"}, {"hook_disposed", "h"}};
  const auto after = [](std::vector<Row> rows, Row row) {
    rows.push_back(row);
    return begun(rows);
  };
  return {
      {"2nd wait_created before wait_completed",
       begun({{"wait_created", "w"}, {"wait_created", "w"}, {"wait_completed", "w"}}), "oooo", "HHH"},
      {"wait_created after wait_completed", after(waited, {"wait_created", "w"}), "FFFo", "FFH"},
      {"2nd wait_completed", after(waited, {"wait_completed", "w"}), "FFFo", "FFH"},
      {"2nd hook_created, not disposed",
       begun({{"hook_created", "h"}, {"hook_received", "h"}, {"hook_created", "h"}}), "oooo", "HHH"},
      {"2nd hook_created after hook_disposed", after(disposed, {"hook_created", "h"}), "FFFo", "FFH"},
      {"2nd hook_disposed", after(disposed, {"hook_disposed", "h"}), "FFFo", "FFH"},
      {"hook_received after hook_disposed, more work to do", after(disposed, {"hook_received", "h"}), "FFoo",
       "FFF", "5.x sets it aside and fails when the run ends"},
      {"hook_received after hook_disposed, at the end of the run", after(disposed, {"hook_received", "h"}),
       "FFFF", "FFF"},
      {"hook_conflict after hook_created", begun({{"hook_created", "h"}, {"hook_conflict", "h"}}), "CCCC",
       "CCC"},
  };
}

std::vector<LogShape> run_shapes() {
  return {
      {"ghost step_created, an id that no replay draws",
       done({{"step_created", "ghost"}, {"step_created", "b"}}), "FFFF", "---", kNobody},
      {"step_created under the expected id, other step name", done({{"step_created", "b"}}), "oFFF", "---",
       kPayload},
      {"2nd run_created", begun({{"run_created"}}), "oooo", "HHH"},
      {"2nd run_started", begun({{"run_started"}}), "oooo", "UHH", kReseeds},
      {"run_created missing", {{"run_started"}, {"step_created", "a"}}, "oooo", "---"},
      {"step_created missing, started and completed present",
       begun({{"step_started", "a"}, {"step_completed", "a"}}), "oooo", "---"},
      {"run_cancelled in the middle", done({{"run_cancelled"}, {"step_started", "b"}}), "FFoo", "---",
       kCancelled},
  };
}

std::vector<LogShape> all_shapes() {
  auto out = step_shapes();
  for (const auto& more : {wait_and_hook_shapes(), run_shapes()})
    out.insert(out.end(), more.begin(), more.end());
  return out;
}

char letter(Severity severity) {
  return std::string_view("FCHU").at(static_cast<std::size_t>(severity));
}

/// The worst that is said of the log, with ids in the order of the rows.
char worst(const LogShape& shape, Engine engine) {
  constexpr std::string_view kWorstFirst = "FCUH-";
  RuleConfig config;
  config.engine = engine;
  RunJudge judge(workflow_devkit_profile(), config);
  std::uint64_t n = 0;
  for (const auto& row : shape.log) {
    ++n;
    judge.add(Event{"r",
                    engine == Engine::kV4 ? ulid("wevt_", n) : slot_id(n),
                    {row.correlation ? std::optional<std::string>(row.correlation) : std::nullopt},
                    row.type});
  }
  char out = '-';
  for (const auto& finding : judge.judge_run()) {
    const auto said = letter(finding.severity);
    if (kWorstFirst.find(said) < kWorstFirst.find(out)) out = said;
  }
  return out;
}

/// A rejected log is fatal and no other is; a conflict is one; what replays may be harmless, or an outcome is
/// dropped.
bool agrees(char measured, char said) {
  if (measured == 'F' || measured == 'C') return said == measured;
  return said == '-' || said == 'H' || said == 'C';
}

class LogShapes : public ::testing::TestWithParam<LogShape> {};

TEST_P(LogShapes, AreJudgedAsTheEnginesTreatThem) {
  const auto& shape = GetParam();
  constexpr std::array kReplayed = {Engine::kV4, Engine::kV5BeforeClassSkip, Engine::kV5};
  std::string said;
  for (const auto engine : kReplayed) said += worst(shape, engine);
  EXPECT_EQ(said, shape.said);
  // 4.2.4 and 4.8.9 are both v4.
  const std::string by_version = {said[0], said[0], said[1], said[2]};
  bool agreed = true;
  for (std::size_t i = 0; i < by_version.size(); ++i)
    agreed = agreed && agrees(shape.measured.at(i), by_version[i]);
  EXPECT_EQ(agreed, std::string_view(shape.limit).empty())
      << "measured " << shape.measured << ", said " << by_version << "; " << shape.limit;
}

INSTANTIATE_TEST_SUITE_P(Measured, LogShapes, ::testing::ValuesIn(all_shapes()), [](const auto& parameter) {
  std::string name;
  for (const char c : std::string_view(parameter.param.name))
    name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

TEST(LogShapeTable, HasARowForEachOfTheMeasuredTable) {
  EXPECT_EQ(all_shapes().size(), 26U);
}

}  // namespace
}  // namespace dupwatch::core::replay_shapes_test
