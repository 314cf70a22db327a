#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/core/engine_tables.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/postgres/connection.hpp"

/// The engine's tables beside the log: hooks, waits and the queue of graphile-worker, as world-postgres 4.x
/// and 5.0 have them. No payload is read.
namespace dupwatch::postgres {

/// Which of them may be read by this role, and are small enough to be read whole from time to time. One row;
/// $1 = the schema of the engine.
[[nodiscard]] std::string engine_tables_query();
struct EngineTables {
  std::array<bool, core::kEngineTableTroubles> readable{};
  /// A hook may keep its token behind the end of its run (5.0).
  bool tokens_are_kept = false;
  /// Jobs put into the queue since the server's statistics began; no right is needed for it.
  std::optional<std::uint64_t> jobs;
};
[[nodiscard]] EngineTables read_engine_tables(const pg_result& result, int row);

/// The rows in trouble, at most one more than EngineTableBook::kRowsMax: run, what it is.
[[nodiscard]] std::string engine_trouble_query(core::EngineTableTrouble kind, const core::Profile& profile,
                                               const EngineTables& tables);

}  // namespace dupwatch::postgres
