#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dupwatch::postgres {

/// Why something with the server did not work. Closed: each is a word of the log key "reason", and decisions
/// compare these, never a text.
enum class Cause : std::uint8_t {
  // What no row of the table knows: with a SQLSTATE, and without.
  kServerError,
  kUnknown,
  // Ours: nobody refused anything.
  kInterrupted,
  kTimeout,
  kRenewed,
  kOutOfMemory,
  kQueueFull,
  kOtherServer,
  kOldPrimary,
  kSnapshot,
  kStandby,
  kFuse,
  kHeartbeatLost,
  kServerWaits,
  kMemoryKept,
  kMadeWay,
  // Who we are and what we may.
  kInvalidDsn,
  kWrongPassword,
  kAuthRefused,
  kUnknownRole,
  kRoleWithoutLogin,
  kUnknownDatabase,
  kNoConnectRight,
  kNoReplicationRight,
  kNoSelectRight,
  kNoQuarantineRight,
  kNoRight,
  kPluginNotAllowed,
  // Reaching the server.
  kPooler,
  kNotPostgres,
  kTlsRefused,
  kUnknownHost,
  kWrongServerRole,
  kConnectionRefused,
  kConnectionTimeout,
  kNetwork,
  kServerClosed,
  // The server as a whole.
  kSendersExhausted,
  kTooManyConnections,
  kServerDiskFull,
  kServerOutOfResources,
  kServerStarting,
  kTerminated,
  kServerCrashed,
  kServerStoppedUs,
  kServerBusy,
  kServerSystemError,
  kServerInternalError,
  kServerSpillFile,
  kNotLogical,
  kNotInRequiredState,
  kStandbyUnsupported,
  kVersionUnsupported,
  kUnsupported,
  kReadOnly,
  kInRecovery,
  // The slot, the plugin, the stream.
  kSlotsExhausted,
  kSlotCreationBlocked,
  kSlotInUse,
  kSlotExists,
  kSlotMissing,
  kSlotLost,
  kSlotNotOurs,
  kSlotSynced,
  kSlotWrongDatabase,
  kSlotWrongKind,
  kSlotWrongPlugin,
  kInvalidSlotName,
  kPluginMissing,
  kStandbyBehind,
  kPayloadTooLarge,
  kPoisonRow,
  // The table and its publication.
  kNoRunIndex,
  kTableMissing,
  kNotATable,
  kColumnMissing,
  kRowSecurity,
  kNotInWal,
  kInheritance,
  kPartitionsByName,
  kPublishedAsRoot,
  kPublicationMissing,
  kTableNotPublished,
  kInsertsNotPublished,
  kRowFilter,
  kColumnList,
  kGeneratedColumn,
  kEqualityNotOfBytes,
  kScopeUnfit,
  kTypeUnfit,
  // A query.
  kLockTimeout,
  kStatementTimeout,
  kConflict,
  kQueryRefused
};
inline constexpr std::size_t kCauses = static_cast<std::size_t>(Cause::kQueryRefused) + 1;

/// The word for log and tests, e.g. "wrong_password"; it stays for good.
[[nodiscard]] std::string_view to_string(Cause cause) noexcept;

}  // namespace dupwatch::postgres
