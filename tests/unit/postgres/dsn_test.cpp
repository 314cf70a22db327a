#include "daemon/postgres/dsn.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace dupwatch::postgres::dsn_test {
namespace {

using Kind = Connection::Kind;

Dsn parsed(const std::string& text) {
  auto dsn = Dsn::parse(text);
  if (const auto* error = std::get_if<Error>(&dsn)) throw std::runtime_error(error->message);
  return std::get<Dsn>(std::move(dsn));
}

std::string last_value(const ConnectParameters& parameters, const std::string& keyword) {
  std::string value;
  for (const auto& [key, text] : parameters) {
    if (key == keyword) value = text;
  }
  return value;
}

core::ConnectionConfig config(const std::string& dsn) {
  core::ConnectionConfig connection;
  connection.dsn = dsn;
  return connection;
}

std::string options_of(const std::string& dsn, Kind kind) {
  return last_value(connect_parameters(config(dsn), parsed(dsn), kind), "options");
}

TEST(Dsn, UnderstandsWordsAndUris) {
  EXPECT_EQ(parsed("host=h port=7 user=u dbname='a b'").value("dbname"), "a b");
  EXPECT_EQ(parsed("postgresql://u@h:7/db?application_name=x").value("application_name"), "x");
}

TEST(Dsn, TellsNoPieceOfABrokenDsn) {
  for (const std::string dsn : {"host=h password=se cret", "postgres://u:se%cret@h/db", "password='se cret",
                                "postgres://u:p@[h:1/secret", "host=h se-cret=1", "postgres://h/db?secret"}) {
    const auto result = Dsn::parse(dsn);
    const auto* error = std::get_if<Error>(&result);
    ASSERT_NE(error, nullptr) << dsn;
    EXPECT_EQ(error->cause, Cause::kInvalidDsn);
    EXPECT_EQ(error->fault, Fault::kNeedsOperator);
    EXPECT_EQ(error->message.find("cret"), std::string::npos) << error->message;
  }
}

TEST(Dsn, NamesAnUnknownOption) {
  const auto result = Dsn::parse("hots=127.0.0.1");
  const auto* error = std::get_if<Error>(&result);
  ASSERT_NE(error, nullptr);
  EXPECT_NE(error->message.find("does not know: hots"), std::string::npos) << error->message;
}

TEST(Dsn, ListsItsHosts) {
  const auto endpoints = parsed("host=a,b port=1,2").endpoints();
  ASSERT_EQ(endpoints.size(), 2U);
  EXPECT_EQ(endpoints[1].host, "b");
  EXPECT_EQ(endpoints[1].port, "2");
  const auto shared = parsed("host=a,b port=7").endpoints();
  ASSERT_EQ(shared.size(), 2U);
  EXPECT_EQ(shared[1].port, "7");
  EXPECT_EQ(parsed("hostaddr=127.0.0.1 port=7").endpoints().size(), 1U);
}

TEST(ConnectParameters, DefaultsYieldToTheDsn) {
  const std::string dsn = "host=h keepalives_idle=5 tcp_user_timeout=1";
  const auto parameters = connect_parameters(config(dsn), parsed(dsn), Kind::kSql);
  EXPECT_EQ(parameters.front(), (std::pair<std::string, std::string>{"dbname", dsn}));
  EXPECT_EQ(last_value(parameters, "keepalives_idle"), "");
  EXPECT_EQ(last_value(parameters, "tcp_user_timeout"), "");
  EXPECT_EQ(last_value(parameters, "keepalives_interval"), "10");
  EXPECT_EQ(last_value(parameters, "fallback_application_name"), "dupwatch");
  EXPECT_EQ(last_value(parameters, "client_encoding"), "UTF8");
  EXPECT_EQ(last_value(parameters, "replication"), "");
}

TEST(ConnectParameters, TheUsersOptionsStandBetweenLimitsAndTextForms) {
  const auto options = options_of("host=h options='-c statement_timeout=9min -c work_mem=7MB'", Kind::kSql);
  const auto ours = options.find("statement_timeout=30s");
  const auto theirs = options.find("statement_timeout=9min");
  const auto forms = options.find("TimeZone=UTC");
  ASSERT_NE(theirs, std::string::npos) << options;
  EXPECT_LT(ours, theirs);
  EXPECT_LT(theirs, forms);
  EXPECT_NE(options.find("work_mem=7MB"), std::string::npos);
  EXPECT_NE(options.find("default_transaction_read_only=on"), std::string::npos);
}

TEST(ConnectParameters, SessionsSetThemselvesWhatTheClusterMaySetOtherwise) {
  for (const auto kind : {Kind::kSql, Kind::kReplication}) {
    // The last one counts.
    const auto options = options_of("host=h options='-c bytea_output=escape -c row_security=on'", kind);
    for (const auto* setting :
         {"-c bytea_output=hex", "-c standard_conforming_strings=on", "-c search_path=pg_catalog",
          "-c default_transaction_isolation=read\\ committed", "-c default_transaction_deferrable=off"}) {
      EXPECT_NE(options.find(setting), std::string::npos) << setting << " is not in " << options;
    }
    EXPECT_GT(options.find("bytea_output=hex"), options.find("bytea_output=escape"));
    const bool off = options.find("row_security=off") != std::string::npos;
    EXPECT_EQ(off, kind == Kind::kSql) << options;
  }
}

TEST(ConnectParameters, AReadOnlySessionStillFindsThePrimary) {
  const auto role_asked = [](const std::string& dsn) {
    return last_value(connect_parameters(config(dsn), parsed(dsn), Kind::kSql), "target_session_attrs");
  };
  EXPECT_EQ(role_asked("host=a,b target_session_attrs=read-write"), "primary");
  EXPECT_EQ(role_asked("host=a,b target_session_attrs=read-only"), "standby");
  // The user's own words stand in the DSN.
  EXPECT_EQ(role_asked("host=a,b target_session_attrs=prefer-standby"), "");
  EXPECT_EQ(role_asked("host=a,b"), "");
}

TEST(ConnectParameters, OptionsOfTheEnvironmentAreKept) {
  setenv("PGOPTIONS", "-c work_mem=3MB", 1);
  const auto options = options_of("host=h", Kind::kSql);
  unsetenv("PGOPTIONS");
  EXPECT_NE(options.find("work_mem=3MB"), std::string::npos);
}

TEST(ConnectParameters, AReplicationSessionIsBoundedByLockTimeout) {
  const std::string dsn = "host=h";
  const auto parameters = connect_parameters(config(dsn), parsed(dsn), Kind::kReplication);
  EXPECT_EQ(last_value(parameters, "replication"), "database");
  const auto options = last_value(parameters, "options");
  EXPECT_NE(options.find("lock_timeout=60s"), std::string::npos);
  EXPECT_NE(options.find("statement_timeout=0"), std::string::npos);
  EXPECT_EQ(options.find("read_only"), std::string::npos);
}

TEST(ConnectParameters, EndpointsThatAreLeftReplaceTheDsns) {
  ConnectParameters parameters{{"dbname", "host=a,b port=1,2"}};
  set_endpoints(parameters, {{"b", "", "2"}});
  EXPECT_EQ(last_value(parameters, "host"), "b");
  EXPECT_EQ(last_value(parameters, "port"), "2");
  EXPECT_EQ(last_value(parameters, "hostaddr"), "");
}

TEST(PinServer, LeavesOneServerInTheRoleThatTheDsnAsksFor) {
  const std::string dsn = "host=a,b port=1,2 target_session_attrs=read-write";
  auto parameters = connect_parameters(config(dsn), parsed(dsn), Kind::kSql);
  auto endpoints = parsed(dsn).endpoints();
  pin_server(parameters, endpoints, {});
  EXPECT_EQ(endpoints.size(), 2U);
  core::ServerPin server{.host = "b", .hostaddr = "10.0.0.2", .port = "2", .started = {}, .any_role = false};
  pin_server(parameters, endpoints, server);
  ASSERT_EQ(endpoints.size(), 1U);
  EXPECT_EQ(last_value(parameters, "host"), "b");
  EXPECT_EQ(last_value(parameters, "hostaddr"), "10.0.0.2");
  EXPECT_EQ(last_value(parameters, "port"), "2");
  EXPECT_EQ(last_value(parameters, "target_session_attrs"), "primary");
  server.any_role = true;
  pin_server(parameters, endpoints, server);
  EXPECT_EQ(last_value(parameters, "target_session_attrs"), "any");
}

TEST(PinServer, LeavesAddressesAloneThatASocketCannotTakeThePlaceOf) {
  const std::string dsn = "host=a,/run/s hostaddr=10.0.0.1, port=1";
  auto parameters = connect_parameters(config(dsn), parsed(dsn), Kind::kSql);
  auto endpoints = parsed(dsn).endpoints();
  pin_server(parameters, endpoints,
             {.host = "/run/s", .hostaddr = {}, .port = "1", .started = {}, .any_role = false});
  EXPECT_EQ(endpoints.size(), 2U);
  EXPECT_EQ(last_value(parameters, "host"), "");
}

TEST(HostTimeout, IsTheDsnsBeforeTheConfigurations) {
  auto connection = config("host=h");
  connection.connect_timeout = std::chrono::milliseconds{1500};
  EXPECT_EQ(host_timeout(connection, parsed("host=h")), std::chrono::milliseconds{1500});
  EXPECT_EQ(host_timeout(connection, parsed("host=h connect_timeout=7")), std::chrono::seconds{7});
  EXPECT_EQ(host_timeout(connection, parsed("host=h connect_timeout=1")), std::chrono::seconds{2});
  EXPECT_EQ(host_timeout(connection, parsed("host=h connect_timeout=0")), std::chrono::milliseconds{0});
}

}  // namespace
}  // namespace dupwatch::postgres::dsn_test
