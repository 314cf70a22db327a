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

}  // namespace dupwatch::core
