#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/postgres/connection.hpp"

/// What libpq makes of connection.dsn. Holds passwords: nothing of this is ever logged but by name.
namespace dupwatch::postgres {

/// Keyword and value, as PQconnectStartParams takes them; a later one wins.
using ConnectParameters = std::vector<std::pair<std::string, std::string>>;

/// One of the servers a DSN names; empty = libpq's default.
struct Endpoint {
  std::string host;
  std::string hostaddr;
  std::string port;
};

/// A DSN together with the service file and the environment (PGHOST, PGOPTIONS, ...), resolved without
/// connecting.
class Dsn {
 public:
  /// cause kInvalidDsn in our words, or in libpq's, from which quoted pieces of the DSN are taken out.
  [[nodiscard]] static std::variant<Dsn, Error> parse(const std::string& dsn);
  /// Empty when neither the DSN, nor the service, nor the environment sets it, and libpq has no default.
  [[nodiscard]] std::string value(std::string_view keyword) const;
  [[nodiscard]] std::vector<Endpoint> endpoints() const;
  /// Passwords: of the DSN, its service file or the environment.
  [[nodiscard]] std::vector<std::string> secrets() const;

 private:
  ConnectParameters values_;
};

/// All parameters for a connection but the endpoints, which `dsn` in front supplies.
[[nodiscard]] ConnectParameters connect_parameters(const core::ConnectionConfig& config, const Dsn& dsn,
                                                   Connection::Kind kind);
/// Replaces the hosts, so that an attempt can go on with those that are left.
void set_endpoints(ConnectParameters& parameters, const std::vector<Endpoint>& endpoints);

/// Leaves one server of them; the role that the DSN asks for stays asked for unless `server` says otherwise.
/// Does nothing where `server` has no host, or where libpq could not be told to forget an address of the DSN.
void pin_server(ConnectParameters& parameters, std::vector<Endpoint>& endpoints,
                const core::ServerPin& server);

/// The time one host gets: connect_timeout of the DSN (seconds; 0 = no limit) before that of the
/// configuration.
[[nodiscard]] std::chrono::milliseconds host_timeout(const core::ConnectionConfig& config, const Dsn& dsn);

/// The role of connection.dsn, or what libpq takes in its place; "dupwatch" when the DSN is empty or broken.
[[nodiscard]] std::string dsn_role(const core::Config& config);

}  // namespace dupwatch::postgres
