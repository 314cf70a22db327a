#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/replay_rules.hpp"
#include "daemon/core/reported_findings.hpp"
#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core {

/// One run judged row by row, as the stream does it.
class RunJudge {
 public:
  explicit RunJudge(Profile profile = workflow_devkit_profile(), RuleConfig config = {},
                    Engine ulid_engine = Engine::kV4)
      : profile_(std::move(profile)), config_(std::move(config)), rules_(profile_, config_, codec_) {
    rules_.set_auto_engines({.ulids = ulid_engine});
  }
  RunJudge(const RunJudge&) = delete;
  RunJudge& operator=(const RunJudge&) = delete;

  /// The findings that the row's arrival told.
  std::vector<Finding> arrive(const oracle::Event& event, const CommitInfo& commit = {}) {
    std::vector<ReplayRules::Verdict> verdicts;
    if (is_tracked(profile_, event)) {
      const auto added = add_event(log_, codec_, profile_, event, commit);
      places_.emplace(event.id, added.row);
      if (!added.known && !rules_.judge_row(log_, added.row, verdicts)) rules_.judge_run(log_, verdicts);
    }
    return report(verdicts);
  }
  /// Adds the row and judges nothing, as a read-back does.
  void add(const oracle::Event& event) {
    if (is_tracked(profile_, event)) (void)add_event(log_, codec_, profile_, event);
  }
  std::vector<Finding> judge_run() {
    std::vector<ReplayRules::Verdict> verdicts;
    rules_.judge_run(log_, verdicts);
    return report(verdicts);
  }
  [[nodiscard]] const LastStates& last() const { return last_; }
  /// What a reader ends up with. Of one of many only the row at fault and the verdict are promised: the
  /// canonical row and the closing event can only have become earlier ones.
  [[nodiscard]] oracle::Findings current(const oracle::Findings& truth,
                                         const oracle::Settings& settings = {}) const {
    auto out = last_.current(truth, settings);
    for (auto& [key, verdict] : out) {
      const auto now = truth.find(key);
      const auto place = places_.find(verdict.row_id);
      if (now == truth.end() || place == places_.end()) continue;
      const bool of_many = log_.entity(log_.row(place->second).entity).large != RunLog::kNone ||
                           (std::get<1>(key) == "after_run_end" && log_.rows() > ReplayRules::kAtOnceMax);
      if (!of_many) continue;
      if (verdict.canonical_id >= now->second.canonical_id) verdict.canonical_id = now->second.canonical_id;
      if (verdict.closed_by && now->second.closed_by && *verdict.closed_by >= *now->second.closed_by)
        verdict.closed_by = now->second.closed_by;
    }
    return out;
  }

 private:
  std::vector<Finding> report(const std::vector<ReplayRules::Verdict>& verdicts) {
    std::vector<Finding> out;
    for (const auto& verdict : verdicts) {
      auto finding = rules_.describe(log_, verdict, "r", Origin::kStream);
      if (!reported_.admit(finding, core::Instant{})) continue;
      last_.take(finding);
      out.push_back(std::move(finding));
    }
    return out;
  }

  const Profile profile_;
  const RuleConfig config_;
  TokenCodec codec_;
  RunLog log_;
  ReplayRules rules_;
  ReportedFindings reported_;
  std::map<std::string, std::uint32_t> places_;
  LastStates last_;
};

}  // namespace dupwatch::core
