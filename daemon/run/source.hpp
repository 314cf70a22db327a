#pragma once

#include <string>

#include "daemon/core/config.hpp"
#include "daemon/core/log_traits.hpp"
#include "daemon/postgres/catalog.hpp"

namespace dupwatch::run {

/// The server that the slot is on, as the last attachment found it.
struct Source {
  /// Leads to that server alone.
  core::ConnectionConfig connection;
  std::string plugin{};
  std::string server_version{};
  postgres::SystemIdentity system{};
  core::LogTraits traits{};
  /// Reads runs back from it.
  std::string read_back_copy{};
  postgres::KeyTypes key_types{};
  /// The walsender of the last stream, 0 = none.
  int walsender_pid = 0;
};

}  // namespace dupwatch::run
