#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/core/packed_text.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/core/run_log.hpp"

namespace dupwatch::core {

/// Two rows of one identity. The row with the smallest id is canonical, whichever committed first; every
/// other row of the identity is one finding. `after_close`: a closing event of the same entity has a smaller
/// id than the duplicate. Within a run that only grows, a finding never disappears: its canonical id can get
/// smaller and after_close can become true, nothing else.
class DuplicateRule {
 public:
  /// Both must outlive the rule.
  DuplicateRule(const Profile& profile, const TokenCodec& codec);

  /// Rows of one RunLog; `closing` is RunLog::kNone while the entity is open.
  struct Verdict {
    std::uint32_t duplicate = RunLog::kNone;
    std::uint32_t canonical = RunLog::kNone;
    std::uint32_t closing = RunLog::kNone;
  };

  /// Appends what the arrival of `row` made or changed. One walk over the rows of its entity when there is no
  /// duplicate; no allocation then.
  void judge_row(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const;
  /// Appends every duplicate of the run.
  void judge_run(const RunLog& log, std::vector<Verdict>& out) const;
  /// The verdict in words and ids.
  [[nodiscard]] Finding describe(const RunLog& log, const Verdict& verdict, std::string_view run_id,
                                 Origin origin) const;

 private:
  struct TypeFacts {
    bool unique = false;
    bool closes = false;
    std::uint8_t group = 0;
  };
  [[nodiscard]] TypeFacts facts(std::uint8_t type, const RunLog::Entity& entity) const noexcept;
  /// Findings of one type within one entity; `only` restricts them to one duplicate row.
  void judge_type(const RunLog& log, const RunLog::Entity& entity, std::uint8_t type, std::uint32_t only,
                  std::vector<Verdict>& out) const;

  const Profile& profile_;
  const TokenCodec& codec_;
};

/// Stable over restarts and machines: FNV-1a over table, rule, run and duplicate id, mixed.
[[nodiscard]] std::uint64_t finding_id(std::string_view table, Rule rule, std::string_view run_id,
                                       std::string_view duplicate_id) noexcept;

}  // namespace dupwatch::core
