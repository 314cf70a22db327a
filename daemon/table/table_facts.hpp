#pragma once

#include <cstdint>
#include <string>

#include "daemon/core/config.hpp"
#include "daemon/core/log_traits.hpp"
#include "daemon/postgres/audit_queries.hpp"

namespace dupwatch::table {

/// What a command that only reads wants to know of the table.
struct TableFacts {
  postgres::KeyTypes key_types{};
  bool run_index = false;
  postgres::RowExtras extras{};
  core::LogTraits traits{};
  std::uint64_t rows_estimate = 0;
};
[[nodiscard]] postgres::Expected<TableFacts> read_table_facts(const core::Config& config,
                                                              postgres::Connection& sql,
                                                              postgres::Waiter& waiter);

[[nodiscard]] postgres::Error no_run_index(const core::Config& config);

}  // namespace dupwatch::table
