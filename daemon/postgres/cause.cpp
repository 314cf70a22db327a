#include "daemon/postgres/cause.hpp"

#include <array>

namespace dupwatch::postgres {
namespace {

struct Word {
  Cause cause;
  std::string_view text;
};

constexpr auto kWords = std::to_array<Word>({
    {Cause::kServerError, "server_error"},
    {Cause::kUnknown, "unknown"},
    {Cause::kInterrupted, "interrupted"},
    {Cause::kTimeout, "timeout"},
    {Cause::kRenewed, "renewed"},
    {Cause::kOutOfMemory, "out_of_memory"},
    {Cause::kQueueFull, "queue_full"},
    {Cause::kOtherServer, "other_server"},
    {Cause::kOldPrimary, "old_primary"},
    {Cause::kSnapshot, "snapshot"},
    {Cause::kStandby, "standby"},
    {Cause::kFuse, "fuse"},
    {Cause::kHeartbeatLost, "heartbeat_lost"},
    {Cause::kServerWaits, "server_waits"},
    {Cause::kMemoryKept, "memory_kept"},
    {Cause::kMadeWay, "made_way"},
    {Cause::kInvalidDsn, "invalid_dsn"},
    {Cause::kWrongPassword, "wrong_password"},
    {Cause::kAuthRefused, "auth_refused"},
    {Cause::kUnknownRole, "unknown_role"},
    {Cause::kRoleWithoutLogin, "role_without_login"},
    {Cause::kUnknownDatabase, "unknown_database"},
    {Cause::kNoConnectRight, "no_connect_right"},
    {Cause::kNoReplicationRight, "no_replication_right"},
    {Cause::kNoSelectRight, "no_select_right"},
    {Cause::kNoQuarantineRight, "no_quarantine_right"},
    {Cause::kNoRight, "no_right"},
    {Cause::kPluginNotAllowed, "plugin_not_allowed"},
    {Cause::kPooler, "pooler"},
    {Cause::kNotPostgres, "not_postgres"},
    {Cause::kTlsRefused, "tls_refused"},
    {Cause::kUnknownHost, "unknown_host"},
    {Cause::kWrongServerRole, "wrong_server_role"},
    {Cause::kConnectionRefused, "connection_refused"},
    {Cause::kConnectionTimeout, "connection_timeout"},
    {Cause::kNetwork, "network"},
    {Cause::kServerClosed, "server_closed"},
    {Cause::kSendersExhausted, "senders_exhausted"},
    {Cause::kTooManyConnections, "too_many_connections"},
    {Cause::kServerDiskFull, "server_disk_full"},
    {Cause::kServerOutOfResources, "server_out_of_resources"},
    {Cause::kServerStarting, "server_starting"},
    {Cause::kTerminated, "terminated"},
    {Cause::kServerCrashed, "server_crashed"},
    {Cause::kServerStoppedUs, "server_stopped_us"},
    {Cause::kServerBusy, "server_busy"},
    {Cause::kServerSystemError, "server_system_error"},
    {Cause::kServerInternalError, "server_internal_error"},
    {Cause::kServerSpillFile, "server_spill_file"},
    {Cause::kNotLogical, "not_logical"},
    {Cause::kNotInRequiredState, "not_in_required_state"},
    {Cause::kStandbyUnsupported, "standby_unsupported"},
    {Cause::kVersionUnsupported, "version_unsupported"},
    {Cause::kUnsupported, "unsupported"},
    {Cause::kReadOnly, "read_only"},
    {Cause::kInRecovery, "in_recovery"},
    {Cause::kSlotsExhausted, "slots_exhausted"},
    {Cause::kSlotCreationBlocked, "slot_creation_blocked"},
    {Cause::kSlotInUse, "slot_in_use"},
    {Cause::kSlotExists, "slot_exists"},
    {Cause::kSlotMissing, "slot_missing"},
    {Cause::kSlotLost, "slot_lost"},
    {Cause::kSlotNotOurs, "slot_not_ours"},
    {Cause::kSlotSynced, "slot_synced"},
    {Cause::kSlotWrongDatabase, "slot_wrong_database"},
    {Cause::kSlotWrongKind, "slot_wrong_kind"},
    {Cause::kSlotWrongPlugin, "slot_wrong_plugin"},
    {Cause::kInvalidSlotName, "invalid_slot_name"},
    {Cause::kPluginMissing, "plugin_missing"},
    {Cause::kStandbyBehind, "standby_behind"},
    {Cause::kPayloadTooLarge, "payload_too_large"},
    {Cause::kPoisonRow, "poison_row"},
    {Cause::kNoRunIndex, "no_run_index"},
    {Cause::kTableMissing, "table_missing"},
    {Cause::kNotATable, "not_a_table"},
    {Cause::kColumnMissing, "column_missing"},
    {Cause::kRowSecurity, "row_security"},
    {Cause::kNotInWal, "not_in_wal"},
    {Cause::kInheritance, "inheritance"},
    {Cause::kPartitionsByName, "partitions_by_name"},
    {Cause::kPublishedAsRoot, "published_as_root"},
    {Cause::kPublicationMissing, "publication_missing"},
    {Cause::kTableNotPublished, "table_not_published"},
    {Cause::kInsertsNotPublished, "inserts_not_published"},
    {Cause::kRowFilter, "row_filter"},
    {Cause::kColumnList, "column_list"},
    {Cause::kGeneratedColumn, "generated_column"},
    {Cause::kEqualityNotOfBytes, "equality_not_of_bytes"},
    {Cause::kScopeUnfit, "scope_unfit"},
    {Cause::kTypeUnfit, "type_unfit"},
    {Cause::kLockTimeout, "lock_timeout"},
    {Cause::kStatementTimeout, "statement_timeout"},
    {Cause::kConflict, "conflict"},
    {Cause::kQueryRefused, "query_refused"},
});

constexpr bool in_the_order_of_the_enum() {
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    if (static_cast<std::size_t>(kWords.at(i).cause) != i) return false;
  }
  return kWords.size() == kCauses;
}
static_assert(in_the_order_of_the_enum(), "every cause has its word");

}  // namespace

std::string_view to_string(Cause cause) noexcept {
  return kWords[static_cast<std::size_t>(cause)].text;
}

}  // namespace dupwatch::postgres
