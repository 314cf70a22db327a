#pragma once

#include <variant>

#include "daemon/core/config.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/process/log.hpp"

namespace dupwatch::run {

/// Creates the slot on `replication`, and does about its waiting what can be done: the operator is told whose
/// transactions it waits for, and the primary of a standby is asked for the sign that it waits for. `sql` is
/// another connection to the same server.
[[nodiscard]] postgres::Expected<postgres::CreatedSlot> make_slot(
    const core::Config& config, decoder::Plugin plugin, postgres::Connection& replication,
    postgres::Connection& sql, postgres::Waiter& waiter, process::Log& log);

}  // namespace dupwatch::run
