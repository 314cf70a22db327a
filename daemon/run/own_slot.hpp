#pragma once

#include <string>

#include "daemon/core/config.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/process/log.hpp"

/// What the daemon does to its own slot beside streaming from it, on short connections of its own. Nothing
/// here touches a slot that another session holds.
namespace dupwatch::run {

struct OwnSlot {
  std::string name;
  /// Of the slot, e.g. "pgoutput"; a slot of another plugin is not ours.
  std::string plugin;
  std::string database;
  /// The walsender of this daemon's last stream, 0 = none: the one session that may be ended.
  int walsender_pid = 0;
};

enum class DropWhen : std::uint8_t { kLost, kAnyway };

/// Bytes of WAL the slot held back; nullopt inside: not dropped, because it is gone or (with kLost) fine.
/// Ends our own walsender when it still holds the slot. Reason "slot_in_use": somebody else does;
/// "slot_not_ours": kind, plugin or database is another.
[[nodiscard]] postgres::Expected<std::optional<std::int64_t>> drop_own_slot(
    const core::ConnectionConfig& connection, const OwnSlot& own, DropWhen when, postgres::Waiter& waiter);

/// Moves the slot past everything that is flushed by now, without the output plugin; its new position.
[[nodiscard]] postgres::Expected<decoder::Lsn> step_over(const core::ConnectionConfig& connection,
                                                         const OwnSlot& own, postgres::Waiter& waiter);

}  // namespace dupwatch::run
