#include "daemon/core/replay_rules.hpp"

/// The part of the rules that a profile says itself.
namespace dupwatch::core {

void ReplayRules::add_faults(std::vector<Verdict>& out) const {
  for (const auto& fault : faults_) {
    add({.rule = Rule::kProfileRule,
         .shape = fault.kind,
         .duplicate = fault.row,
         .canonical = fault.canonical,
         .closing = fault.closing},
        out);
  }
  faults_.clear();
}

void ReplayRules::judge_order(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const {
  ruled_.judge_order(log, row, faults_);
  add_faults(out);
}

std::optional<Finding> ReplayRules::doubt_of(const RunLog& log, std::uint32_t row,
                                             std::string_view run_id) const {
  if (!ruled_.is_doubtful(log, row)) return std::nullopt;
  const Verdict verdict{.rule = Rule::kProfileRule,
                        .shape = ruled_.rule_of(log.row(row).type).kind,
                        .duplicate = row,
                        .canonical = row,
                        .closing = kNone};
  return describe(log, verdict, run_id, Origin::kStream);
}

}  // namespace dupwatch::core
