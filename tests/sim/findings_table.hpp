#pragma once

#include <cstdint>
#include <map>

#include "daemon/core/finding.hpp"

namespace dupwatch::sim {

/// findings.table: the last record of each finding. What a statement has committed survives every crash.
class FindingsTable {
 public:
  void upsert(const core::Finding& finding) { rows_.insert_or_assign(finding.id, finding); }
  [[nodiscard]] const std::map<std::uint64_t, core::Finding>& rows() const noexcept { return rows_; }

 private:
  std::map<std::uint64_t, core::Finding> rows_;
};

}  // namespace dupwatch::sim
