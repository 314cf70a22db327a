#include "daemon/postgres/dsn.hpp"

#include <fmt/format.h>

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "daemon/postgres/dsn_form.hpp"

namespace dupwatch::postgres {
namespace {

// Never a legal sslmode: libpq then stops after it has put DSN, service file and environment together, and
// before it opens a socket. There is no other call that resolves a service named inside a DSN.
constexpr const char* kResolveOnly = "dupwatch-resolve-only";

struct FinishResolver {
  void operator()(PGconn* conn) const noexcept { PQfinish(conn); }
};
struct FreeOptions {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};

bool plain_word(std::string_view text) {
  return !text.empty() && text.size() <= 32 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

/// libpq quotes the piece that it stumbled over, which may be a part of a password: up to the last quote, for
/// a quote inside it must not let the rest out.
std::string redact(std::string_view message) {
  const auto open = message.find('"');
  if (open == std::string_view::npos) return one_line(std::string(message));
  const auto close = message.rfind('"');
  return one_line(fmt::format("{}\"...\"{}", message.substr(0, open), message.substr(close + 1)));
}

std::vector<std::string> known_options() {
  std::vector<std::string> names;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options{PQconndefaults()};
  for (const auto* option = options.get(); option != nullptr && option->keyword != nullptr; ++option)
    names.emplace_back(option->keyword);
  return names;
}

/// Of a DSN that libpq refuses with `message`.
std::string refusal_of(const std::string& dsn, std::string_view message) {
  const auto unknown = unknown_option(dsn, known_options());
  if (!unknown) return redact(message);
  // It may be the second half of a password with a blank in it, or with a & in the query of a URI.
  const bool safe = dsn.find("password") == std::string::npos && plain_word(*unknown);
  return "the connection string has an option that libpq does not know" + (safe ? ": " + *unknown : "");
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> items;
  std::size_t from = 0;
  for (;;) {
    const auto comma = text.find(',', from);
    items.push_back(text.substr(from, comma == std::string::npos ? comma : comma - from));
    if (comma == std::string::npos) return items;
    from = comma + 1;
  }
}

std::string session_options(const std::string& of_user, Connection::Kind kind) {
  const bool replication = kind == Connection::Kind::kReplication;
  // Limits stand before the user's own options, which may change them. statement_timeout does not end a
  // replication command, lock_timeout does: it bounds the wait of a slot's creation for other transactions.
  std::string options =
      replication ? "-c statement_timeout=0 -c lock_timeout=60s -c idle_in_transaction_session_timeout=0"
                  : "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s";
  // A session that waits for a duplicate is idle, a role that a setting changes to may lack our rights, and
  // the genetic planner can be told to take for ever over a join of two tables.
  options += " -c idle_session_timeout=0 -c role=none -c geqo=off";
  if (!of_user.empty()) options += ' ' + of_user;
  // These come last: text forms must be the same in the stream and in a read-back, and no object of a user's
  // schema may stand in for one of the catalogue.
  options +=
      " -c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=1"
      " -c bytea_output=hex -c standard_conforming_strings=on -c search_path=pg_catalog";
  // A cluster's default of serializable would end a standby's sessions, and take part in the application's
  // conflicts on a primary.
  options += " -c default_transaction_isolation=read\\ committed -c default_transaction_deferrable=off";
  // Rows that row-level security would hide are an error then, and not as good as gone.
  if (!replication) options += " -c row_security=off -c default_transaction_read_only=on";
  return options;
}

}  // namespace

std::variant<Dsn, Error> Dsn::parse(const std::string& dsn) {
  if (auto mistake = find_dsn_mistake(dsn)) {
    return Error{Fault::kNeedsOperator, Cause::kInvalidDsn, "", std::move(mistake->found),
                 std::move(mistake->fix)};
  }
  constexpr std::array<const char*, 4> kKeywords = {"dbname", "passfile", "sslmode", nullptr};
  // A password file that does not exist: it is read, and its permissions are complained of, when connecting.
  const std::array<const char*, 4> values = {dsn.c_str(), "/nonexistent", kResolveOnly, nullptr};
  const std::unique_ptr<PGconn, FinishResolver> conn{
      PQconnectStartParams(kKeywords.data(), values.data(), 1)};
  if (!conn)
    return Error{Fault::kTransient, Cause::kOutOfMemory, "", "libpq could not allocate a connection", ""};
  const std::string message = PQerrorMessage(conn.get());
  if (message.find(kResolveOnly) == std::string::npos) {
    auto error = classify(Stage::kConnect, "", refusal_of(dsn, message));
    error.fault = Fault::kNeedsOperator;
    error.cause = Cause::kInvalidDsn;
    error.remedy = "Correct connection.dsn; its keywords are those of libpq (host, port, dbname, user, ...).";
    return error;
  }
  Dsn resolved;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options{PQconninfo(conn.get())};
  for (const auto* option = options.get(); option != nullptr && option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    if (option->val == nullptr || *option->val == '\0' || keyword == "sslmode" || keyword == "passfile")
      continue;
    resolved.values_.emplace_back(option->keyword, option->val);
  }
  return resolved;
}

std::string Dsn::value(std::string_view keyword) const {
  const auto found =
      std::find_if(values_.begin(), values_.end(), [&](const auto& item) { return item.first == keyword; });
  return found == values_.end() ? std::string{} : found->second;
}

std::vector<std::string> Dsn::secrets() const {
  std::vector<std::string> secrets;
  for (const auto* keyword : {"password", "sslpassword"}) {
    if (auto secret = value(keyword); !secret.empty()) secrets.push_back(std::move(secret));
  }
  return secrets;
}

std::vector<Endpoint> Dsn::endpoints() const {
  const auto hosts = split_list(value("host"));
  const auto addresses = split_list(value("hostaddr"));
  const auto ports = split_list(value("port"));
  std::vector<Endpoint> all(std::max(hosts.size(), addresses.size()));
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i < hosts.size()) all[i].host = hosts[i];
    if (i < addresses.size()) all[i].hostaddr = addresses[i];
    // One port serves all hosts.
    all[i].port = ports.size() == 1 ? ports[0] : (i < ports.size() ? ports[i] : "");
  }
  return all;
}

ConnectParameters connect_parameters(const core::ConnectionConfig& config, const Dsn& dsn,
                                     Connection::Kind kind) {
  ConnectParameters parameters{{"dbname", config.dsn}, {"fallback_application_name", "dupwatch"}};
  const auto unless_set = [&](const char* keyword, std::string value) {
    if (dsn.value(keyword).empty()) parameters.emplace_back(keyword, std::move(value));
  };
  // A peer that is gone is noticed after 30 + 3 * 10 s of silence, or when data stays unacknowledged.
  unless_set("keepalives_idle", "30");
  unless_set("keepalives_interval", "10");
  unless_set("keepalives_count", "3");
  unless_set("tcp_user_timeout", std::to_string(config.tcp_user_timeout.count()));
  // The decoder and the findings are UTF-8; a client encoding of another kind would change the bytes of
  // names.
  parameters.emplace_back("client_encoding", "UTF8");
  parameters.emplace_back("options", session_options(dsn.value("options"), kind));
  if (kind == Connection::Kind::kReplication) {
    parameters.emplace_back("replication", "database");
  } else if (!dsn.value("replication").empty()) {
    parameters.emplace_back("replication", "false");  // an empty value would not take the place of the DSN's
  }
  // libpq takes the sessions' own default_transaction_read_only for the server's word, so that no primary
  // would ever be "read-write". What is meant is the server's role.
  const auto role = dsn.value("target_session_attrs");
  if (role == "read-write") parameters.emplace_back("target_session_attrs", "primary");
  if (role == "read-only") parameters.emplace_back("target_session_attrs", "standby");
  return parameters;
}

void set_endpoints(ConnectParameters& parameters, const std::vector<Endpoint>& endpoints) {
  const auto join = [&](std::string Endpoint::*part) {
    std::string list;
    for (const auto& endpoint : endpoints) {
      if (&endpoint != &endpoints.front()) list += ',';
      list += endpoint.*part;
    }
    return list;
  };
  const auto only_commas = [](const std::string& list) {
    return list.find_first_not_of(',') == std::string::npos;
  };
  const auto hosts = join(&Endpoint::host);
  const auto addresses = join(&Endpoint::hostaddr);
  if (!only_commas(hosts)) parameters.emplace_back("host", hosts);
  if (!only_commas(addresses)) parameters.emplace_back("hostaddr", addresses);
  parameters.emplace_back("port", join(&Endpoint::port));
}

void pin_server(ConnectParameters& parameters, std::vector<Endpoint>& endpoints,
                const core::ServerPin& server) {
  if (server.host.empty() && server.hostaddr.empty()) return;
  // A socket has no address, and an empty value does not take the place of the DSN's.
  const bool addresses = std::any_of(endpoints.begin(), endpoints.end(),
                                     [](const Endpoint& endpoint) { return !endpoint.hostaddr.empty(); });
  if (addresses && server.hostaddr.empty()) return;
  endpoints = {{.host = server.host, .hostaddr = server.hostaddr, .port = server.port}};
  set_endpoints(parameters, endpoints);
  if (server.any_role) parameters.emplace_back("target_session_attrs", "any");
}

std::chrono::milliseconds host_timeout(const core::ConnectionConfig& config, const Dsn& dsn) {
  const auto text = dsn.value("connect_timeout");
  int seconds = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (failed != std::errc{} || end != text.data() + text.size()) return config.connect_timeout;
  // As in libpq: one second is too short to be meant, zero and below mean no limit.
  return seconds <= 0 ? std::chrono::milliseconds{0} : std::chrono::seconds{std::max(seconds, 2)};
}

std::string dsn_role(const core::Config& config) {
  if (config.connection.dsn.empty()) return "dupwatch";
  const auto parsed = Dsn::parse(config.connection.dsn);
  const auto* dsn = std::get_if<Dsn>(&parsed);
  const auto user = dsn == nullptr ? std::string{} : dsn->value("user");
  return user.empty() ? "dupwatch" : user;
}

}  // namespace dupwatch::postgres
