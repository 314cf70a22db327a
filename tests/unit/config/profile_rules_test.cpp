#include "daemon/core/profile_rules.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "daemon/config/config_file.hpp"
#include "daemon/core/replay_rules.hpp"

namespace dupwatch::core::profile_rules_test {
namespace {

std::vector<decoder::Value> values_of(const std::vector<std::optional<std::string>>& identity) {
  std::vector<decoder::Value> values;
  for (const auto& value : identity) {
    values.push_back(value ? decoder::Value::of(*value) : decoder::Value::null());
  }
  return values;
}

struct Row {
  std::string id;
  std::string type;
  std::optional<std::string> number;
  std::optional<std::string> line;
  decoder::Xid xid = 0;
};

using Key = std::pair<std::string, std::string>;
/// (rule, row at fault) -> the row that it contradicts.
using Faults = std::map<Key, std::string>;

constexpr std::string_view kText = R"(
connection: {dsn: "host=h"}
profile: generic
table:
  name: s.t
  run_column: run
  id_column: id
  type_column: type
  rules:
    unique_line: {unique: [line], types: [add, note], severity: fatal}
    unique_null: {unique: [line, number], nulls: equal}
    per_type: {unique: [type, line]}
    ends_once: {one_ending: [closed, dropped], severity: conflict, reason: "a bill is sent twice"}
    nothing: {nothing_after: [closed]}
    late: {after_closing: [ship], types: [note, add], columns: [line]}
    either: {conflict: [add, refuse], columns: [line]}
    opened: {opener: [add], types: [ship, note], columns: [line]}
    no_hole: {dense: number, from: 3}
    in_order: {increasing: true}
)";

Profile profile() {
  auto result = config::parse_config(kText, "f.yaml", [](std::string_view) { return std::nullopt; });
  if (auto* problems = std::get_if<std::vector<config::ConfigProblem>>(&result)) {
    for (const auto& problem : *problems) ADD_FAILURE() << config::format_problem(problem);
    return {};
  }
  return std::get<Config>(std::move(result)).profile;
}

/// What the rules of kText say, row against row, as their page words it.
class Truth {
 public:
  explicit Truth(std::vector<Row> rows) : rows_(std::move(rows)) {
    std::ranges::sort(rows_, {}, &Row::id);
    for (const auto& row : rows_) look_at(row);
  }
  [[nodiscard]] const Faults& faults() const { return faults_; }

 private:
  template <class Is>
  void first_before(const std::string& rule, const Row& row, Is is) {
    for (const auto& other : rows_) {
      if (other.id < row.id && is(other)) {
        faults_[{rule, row.id}] = other.id;
        return;
      }
    }
  }
  void look_at(const Row& row) {
    const auto one_of = [](const Row& r, std::initializer_list<std::string_view> types) {
      return std::ranges::find(types, r.type) != types.end();
    };
    const auto same_line = [&](const Row& o) { return o.line && row.line && *o.line == *row.line; };
    if (one_of(row, {"add", "note"})) {
      first_before("unique_line", row, [&](const Row& o) {
        return one_of(o, {"add", "note"}) && same_line(o);
      });
      first_before("late", row, [&](const Row& o) { return o.type == "ship" && same_line(o); });
    }
    first_before("unique_null", row,
                 [&](const Row& o) { return o.line == row.line && o.number == row.number; });
    first_before("per_type", row, [&](const Row& o) { return o.type == row.type && same_line(o); });
    if (one_of(row, {"closed", "dropped"})) {
      first_before("ends_once", row, [&](const Row& o) { return one_of(o, {"closed", "dropped"}); });
    }
    if (row.type != "closed") first_before("nothing", row, [](const Row& o) { return o.type == "closed"; });
    if (row.type == "refuse" && row.line) {
      const auto add =
          std::ranges::find_if(rows_, [&](const Row& o) { return o.type == "add" && same_line(o); });
      if (add != rows_.end()) faults_[{"either", row.id}] = add->id;
    }
    if (one_of(row, {"ship", "note"}) && row.line) {
      const bool opened = std::ranges::any_of(
          rows_, [&](const Row& o) { return o.type == "add" && same_line(o) && o.id < row.id; });
      if (!opened) faults_[{"opened", row.id}] = row.id;
    }
    if (row.number) {
      const auto n = std::stoi(*row.number);
      const bool first =
          std::ranges::none_of(rows_, [&](const Row& o) { return o.number == row.number && o.id < row.id; });
      const bool before =
          std::ranges::any_of(rows_, [&](const Row& o) { return o.number && std::stoi(*o.number) == n - 1; });
      if (n > 3 && first && !before) faults_[{"no_hole", row.id}] = row.id;
    }
  }
  std::vector<Row> rows_;
  Faults faults_;
};

class Judge {
 public:
  Judge() : profile_(profile()), rules_(profile_, config_, codec_) {}

  void add(const Row& row, bool judged) {
    const std::vector<std::optional<std::string>> identity = {row.line, row.number};
    const auto values = values_of(identity);
    const auto xid = row.xid != 0 ? row.xid : ++xids_;
    const EventRow event{.id = row.id,
                         .type_text = row.type,
                         .identity = values,
                         .commit = {.lsn = decoder::Lsn{judged ? xid : 0}, .time = {}, .xid = xid},
                         .streamed = judged};
    for_each_part(profile_, event, [&](const EventRow& part) {
      const auto added = log_.add(part, codec_);
      if (!judged || (added.known && !added.newly_streamed)) return;
      std::vector<ReplayRules::Verdict> verdicts;
      if (!added.known && !rules_.judge_row(log_, added.row, verdicts)) rules_.judge_run(log_, verdicts);
      rules_.judge_order(log_, added.row, verdicts);
      take(verdicts);
    });
  }
  void judge_run() {
    std::vector<ReplayRules::Verdict> verdicts;
    rules_.judge_run(log_, verdicts);
    take(verdicts);
  }
  [[nodiscard]] Faults of(bool lasting) const {
    Faults out;
    for (const auto& [key, finding] : found_) {
      if (is_lasting(*finding.shape) == lasting && !is_of_the_stream(*finding.shape))
        out[key] = finding.canonical.id;
    }
    return out;
  }
  [[nodiscard]] const std::map<Key, Finding>& found() const { return found_; }
  [[nodiscard]] const RunLog& log() const { return log_; }
  [[nodiscard]] const ReplayRules& rules() const { return rules_; }
  void clear() { found_.clear(); }

 private:
  void take(const std::vector<ReplayRules::Verdict>& verdicts) {
    for (const auto& verdict : verdicts) {
      auto finding = rules_.describe(log_, verdict, "r", Origin::kStream);
      found_[{finding.profile_rule, finding.duplicate.id}] = finding;
    }
  }
  Profile profile_;
  RuleConfig config_;
  TokenCodec codec_;
  RunLog log_;
  ReplayRules rules_;
  std::map<Key, Finding> found_;
  /// Each row has a transaction of its own unless it says otherwise.
  decoder::Xid xids_ = 1000;
};

std::vector<Row> some_rows(std::mt19937& random) {
  const std::vector<std::string> types = {"add", "note", "ship", "refuse", "closed", "dropped", "other"};
  const auto upto = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  std::vector<Row> rows;
  for (unsigned i = 0, count = 1 + upto(40); i < count; ++i) {
    auto id = std::to_string(100 + i);
    const auto number = upto(8);
    const auto line = upto(4);
    rows.push_back(
        {.id = std::move(id),
         .type = types[upto(10) < 8 ? upto(4) : upto(7)],
         .number = number == 0 ? std::nullopt : std::optional(std::to_string(number * 2 / 2 + upto(3))),
         .line = line == 0 ? std::nullopt : std::optional("l" + std::to_string(line))});
  }
  std::ranges::shuffle(rows, random);
  return rows;
}

Faults part(const Faults& all, bool lasting) {
  Faults out;
  for (const auto& [key, canonical] : all) {
    if ((key.first == "opened" || key.first == "no_hole") == lasting) out[{key}] = canonical;
  }
  return out;
}

TEST(ProfileRules, ARunJudgedAsAWholeHasWhatTheRulesSay) {
  std::mt19937 random(1);
  for (int i = 0; i < 400; ++i) {
    const auto rows = some_rows(random);
    Judge judge;
    for (const auto& row : rows) judge.add(row, false);
    judge.judge_run();
    const Truth truth(rows);
    ASSERT_EQ(judge.of(false), part(truth.faults(), false)) << i;
    ASSERT_EQ(judge.of(true), part(truth.faults(), true)) << i;
  }
}

TEST(ProfileRules, ARowSaysWithItsArrivalWhatItMakesOrChanges) {
  std::mt19937 random(2);
  std::size_t found = 0;
  for (int i = 0; i < 400; ++i) {
    const auto rows = some_rows(random);
    Judge judge;
    for (const auto& row : rows) judge.add(row, true);
    const Truth truth(rows);
    ASSERT_EQ(judge.of(false), part(truth.faults(), false)) << i;
    // What may yet be set right is never said at once.
    ASSERT_TRUE(judge.of(true).empty());
    found += truth.faults().size();
  }
  EXPECT_GT(found, 4000U);
}

TEST(ProfileRules, EveryRowThatLacksSomethingRaisesADoubt) {
  Judge judge;
  judge.add({"1", "add", "4", "l1"}, true);
  std::size_t doubtful = 0;
  for (std::uint32_t i = 0; i < judge.log().rows(); ++i)
    if (judge.rules().doubt_of(judge.log(), i, "r")) ++doubtful;
  EXPECT_EQ(doubtful, 1U) << "3 is missing";
  judge.add({"2", "other", "3", {}}, true);
  doubtful = 0;
  for (std::uint32_t i = 0; i < judge.log().rows(); ++i)
    if (judge.rules().doubt_of(judge.log(), i, "r")) ++doubtful;
  EXPECT_EQ(doubtful, 0U);
}

TEST(ProfileRules, ARowThatCommitsAfterAGreaterIdIsOutOfOrder) {
  Judge judge;
  for (const auto* id : {"10", "30", "20", "40"}) judge.add({id, "other", {}, {}}, true);
  std::vector<std::string> rows;
  for (const auto& [key, finding] : judge.found()) {
    if (key.first != "in_order") continue;
    rows.push_back(key.second);
    EXPECT_EQ(finding.canonical.id, "30");
  }
  EXPECT_EQ(rows, std::vector<std::string>{"20"});
}

TEST(ProfileRules, OfARowReadFromTheTableTheOrderIsNotKnown) {
  Judge judge;
  judge.add({"30", "other", {}, {}}, false);
  judge.add({"20", "other", {}, {}}, true);
  EXPECT_EQ(judge.found().count({"in_order", "20"}), 0U);
  // The stream brings it after all.
  judge.add({"30", "other", {}, {}}, true);
  judge.add({"25", "other", {}, {}}, true);
  EXPECT_EQ(judge.found().count({"in_order", "25"}), 1U);
}

TEST(ProfileRules, RowsOfOneTransactionAreInOrderHoweverTheyWereWritten) {
  Judge judge;
  const auto add = [&](const char* id, decoder::Xid xid) { judge.add({id, "other", {}, {}, xid}, true); };
  const auto found = [&](const char* id) { return judge.found().contains({"in_order", id}); };
  add("50", 7);
  add("40", 7);
  EXPECT_FALSE(found("40"));
  add("60", 8);
  add("70", 8);
  add("65", 8);
  EXPECT_FALSE(found("65"));
  // 50 had committed before this transaction began.
  add("45", 8);
  ASSERT_TRUE(found("45"));
  EXPECT_EQ(judge.found().at({"in_order", "45"}).canonical.id, "50");
  add("66", 9);
  ASSERT_TRUE(found("66"));
  EXPECT_EQ(judge.found().at({"in_order", "66"}).canonical.id, "70");
}

TEST(ProfileRules, ARowThatTheTableShowsBeforeTheStreamIsInTheOrderOfTheStream) {
  Judge judge;
  const auto add = [&](const char* id, decoder::Xid xid, bool streamed) {
    judge.add({id, "other", {}, {}, xid}, streamed);
  };
  // The run is read back between the two messages.
  add("30", 5, true);
  add("20", 6, false);
  add("20", 6, true);
  EXPECT_TRUE(judge.found().contains({"in_order", "20"}));
  // After a lost connection the stream begins before what it had brought.
  add("50", 9, true);
  add("40", 8, false);
  add("40", 8, true);
  EXPECT_FALSE(judge.found().contains({"in_order", "40"}));
}

TEST(ProfileRules, ARowWithoutATypeHasANullThere) {
  Judge judge;
  judge.add({"1", "", {}, "l1"}, true);
  judge.add({"2", "", {}, "l1"}, true);
  EXPECT_FALSE(judge.found().contains({"per_type", "2"}));
  judge.add({"3", "other", {}, "l1"}, true);
  judge.add({"4", "other", {}, "l1"}, true);
  EXPECT_TRUE(judge.found().contains({"per_type", "4"}));
}

TEST(ProfileRules, NamesSeverityAndReasonAreTheProfiles) {
  Judge judge;
  judge.add({"1", "closed", {}, {}}, true);
  judge.add({"2", "dropped", {}, {}}, true);
  const auto& twice = judge.found().at({"ends_once", "2"});
  EXPECT_EQ(twice.rule, Rule::kProfileRule);
  EXPECT_EQ(twice.shape, Shape::kSecondEnding);
  EXPECT_EQ(twice.severity, Severity::kConflict);
  EXPECT_EQ(twice.reason(), "a bill is sent twice");
  EXPECT_EQ(twice.rule_name(), "ends_once");
  EXPECT_EQ(twice.type, "dropped");
  const auto& late = judge.found().at({"nothing", "2"});
  EXPECT_EQ(late.severity, Severity::kUnknown);
  EXPECT_EQ(late.reason(), reason_text(Rule::kProfileRule, Shape::kAfterEnding));
  EXPECT_NE(late.id, twice.id);
  EXPECT_TRUE(late.after_close);
}

TEST(ProfileRules, AnEntityOfManyRowsCostsNoMoreForEachRow) {
  Judge judge;
  rows_looked_at() = 0;
  constexpr std::uint64_t kRows = 2000;
  for (std::uint64_t i = 0; i < kRows; ++i) {
    judge.add({std::to_string(10'000 + i), "other", std::to_string(i + 1), {}}, true);
  }
  EXPECT_LT(rows_looked_at(), kRows * 60);
}

}  // namespace
}  // namespace dupwatch::core::profile_rules_test
