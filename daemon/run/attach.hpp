#pragma once

#include <optional>
#include <string>
#include <variant>

#include "daemon/core/config.hpp"
#include "daemon/core/log_traits.hpp"
#include "daemon/postgres/table_form.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/reach.hpp"

namespace dupwatch::run {

/// A server that was looked over and a slot that is ready to stream.
struct Attachment {
  postgres::Connection replication;
  /// Where both connections led to.
  core::ServerPin server{};
  postgres::SystemIdentity system{};
  std::string server_version{};
  decoder::Plugin plugin = decoder::Plugin::kWal2json;
  postgres::TableForm table{};
  /// 0 = the server never gives up on us.
  std::chrono::milliseconds wal_sender_timeout{0};
  /// How existing rows are read.
  postgres::RowExtras extras{};
  /// The profile's runs table exists and may be read.
  bool runs_table = false;
  core::LogTraits traits{};
  decoder::Lsn from{};
  /// As it was found; nullopt = there was none.
  std::optional<postgres::SlotRow> slot{};
  /// Set when the slot is there and can't deliver: then it is not to be streamed from.
  std::optional<postgres::Error> lost{};
  /// Set when this attachment made the slot; then nothing else has run on `replication` and the snapshot is
  /// valid.
  std::optional<postgres::CreatedSlot> created{};
};

/// Connects, checks everything that would make a stream silent or a slot useless, and only then creates the
/// slot if it is missing. An error leaves no slot behind. `known`: see reach_newest().
[[nodiscard]] std::variant<Attachment, postgres::Error> attach(const core::Config& config, History& known,
                                                               postgres::Waiter& waiter, process::Log& log);

/// Drops the slot that `attach` created, on a connection of its own; failures are logged.
void drop_created_slot(const core::ConnectionConfig& connection, const std::string& slot,
                       postgres::Waiter& waiter, process::Log& log);

}  // namespace dupwatch::run
