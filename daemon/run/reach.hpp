#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "daemon/core/config.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/process/log.hpp"

namespace dupwatch::run {

/// What the next stream is to go on with.
struct History {
  std::string system_identifier{};
  /// 0 = not known.
  std::uint32_t timeline = 0;
};

/// Two sessions with one server, which has been asked for nothing but its name.
struct Reached {
  postgres::Connection sql;
  postgres::Connection replication;
  core::ServerPin server{};
  postgres::SystemIdentity system{};
  /// The slot's lock is held by a stranger, which was told.
  bool ignores_lock = false;
};

/// The first server of connection.dsn that has the role which that asks for. An old primary that was started
/// again after another one was promoted is passed over: where its timeline is older than the `known` one,
/// another server of the DSN that goes on with that is taken. An error of cause kOldPrimary: one of them does
/// not answer, and may be that server. Of cause kStandby: another dupwatch streams from one, whose history is
/// the known one from now on.
[[nodiscard]] std::variant<Reached, postgres::Error> reach_newest(const core::Config& config, History& known,
                                                                  postgres::Waiter& waiter,
                                                                  process::Log& log);

/// Another dupwatch has the slot.
[[nodiscard]] postgres::Error stands_by(const core::Config& config);
/// The slot's lock is taken. nullopt: by a stranger, which is told and ignored. An error of cause kStandby:
/// by another dupwatch.
[[nodiscard]] std::optional<postgres::Error> judge_lock_holder(const core::Config& config,
                                                               postgres::Connection& sql,
                                                               postgres::Waiter& waiter, process::Log& log);

}  // namespace dupwatch::run
