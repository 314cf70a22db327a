#include "daemon/cli/check_surroundings.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "daemon/postgres/connection.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/process/memory_bound.hpp"
#include "daemon/quarantine/limits.hpp"
#include "daemon/quarantine/queries.hpp"

namespace dupwatch::cli {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::Verdict;

// What the index may be above its bound, and everything else: code, libpq's buffers, findings, threads.
constexpr std::uint64_t kBesideIndex = std::uint64_t{96} << 20U;

void add(postgres::CheckReport& report, std::string name, Verdict verdict, std::string found,
         std::string fix = {}) {
  report.lines.push_back({std::move(name), verdict, std::move(found), std::move(fix)});
}

/// Rights are those of whoever runs the check.
std::string account() {
  const auto* entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_name : std::to_string(geteuid());
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// `run` opens the file for appending, and writes what it knows of coverage beside it.
void check_findings_file(const core::Config& config, postgres::CheckReport& report) {
  const std::string name = "findings_file";
  const auto& path = config.findings.file;
  if (path.empty()) {
    add(report, name, Verdict::kSkip, "findings.file is empty: findings go to the log alone");
    return;
  }
  const auto folder = folder_of(path);
  const auto who = account();
  struct stat found {};
  const bool there = stat(path.c_str(), &found) == 0;
  const int error = errno;
  if (there && S_ISDIR(found.st_mode)) {
    add(report, name, Verdict::kFail, path + " is a folder", "name a file in findings.file");
  } else if (there && access(path.c_str(), R_OK | W_OK) != 0) {
    add(report, name, Verdict::kFail, fmt::format("{} may not read and write {}", who, path),
        fmt::format("chown {} {}", who, path));
  } else if (!there && error != ENOENT) {
    add(report, name, Verdict::kFail, fmt::format("{}: {}", path, std::strerror(error)),
        fmt::format("give {} a way to the folder {}", who, folder));
  } else if (!there && access(folder.c_str(), F_OK) != 0) {
    add(report, name, Verdict::kFail, fmt::format("the folder {} of findings.file does not exist", folder),
        fmt::format("install -d -o {} {}", who, folder));
  } else if ((!there || S_ISREG(found.st_mode)) && access(folder.c_str(), W_OK | X_OK) != 0) {
    add(report, name, Verdict::kFail,
        fmt::format("{} may not make files in the folder {} of findings.file", who, folder),
        fmt::format("chown {} {}", who, folder));
  } else if (path.front() != '/') {
    add(report, name, Verdict::kWarn, fmt::format("{} is relative: a service begins in another folder", path),
        "write the whole path in findings.file");
  } else {
    add(report, name, Verdict::kPass, fmt::format("{} can be written by {}", path, who));
  }
}

/// 0, or the error of taking the address for a moment.
int try_to_listen(const std::string& host, std::uint16_t port) {
  sockaddr_storage address{};
  socklen_t size = 0;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&address);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address);
  const auto bare = host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
  if (inet_pton(AF_INET, bare.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    size = sizeof *v4;
  } else if (inet_pton(AF_INET6, bare.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    size = sizeof *v6;
  } else {
    return 0;  // a name: the start resolves it
  }
  const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int error =
      bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 || listen(fd, 1) != 0 ? errno : 0;
  close(fd);
  return error;
}

std::size_t throw_away(const char*, std::size_t size, std::size_t count, void*) {
  return size * count;
}

/// A path that dupwatch has and others have not: it answers 200 or 503 there. 0: no answer in HTTP.
long status_of_startup(const core::HttpConfig& http, bool tls) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl{curl_easy_init(), &curl_easy_cleanup};
  if (!curl) return 0;
  const auto host = http.host == "0.0.0.0" ? std::string("127.0.0.1") : http.host;
  const auto url = fmt::format("{}://{}:{}/startupz", tls ? "https" : "http", host, http.port);
  const auto set = [&](CURLoption option, auto value) { (void)curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROXY, "");
  set(CURLOPT_TIMEOUT_MS, 2000L);
  set(CURLOPT_SSL_VERIFYPEER, 0L);
  set(CURLOPT_SSL_VERIFYHOST, 0L);
  set(CURLOPT_WRITEFUNCTION, &throw_away);
  long status = 0;
  if (curl_easy_perform(curl.get()) == CURLE_OK) {
    (void)curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  }
  return status;
}

void check_http_listen(const core::Config& config, postgres::CheckReport& report) {
  const std::string name = "http_listen";
  const auto& http = config.http;
  if (!http.enabled()) {
    add(report, name, Verdict::kSkip, "http.listen is empty: no page, no metrics, no probes");
    return;
  }
  const auto where = fmt::format("{}:{}", http.host, http.port);
  const int error = http.port == 0 ? 0 : try_to_listen(http.host, http.port);
  if (error == 0) {
    add(report, name, Verdict::kPass, where + " is free");
    return;
  }
  if (error != EADDRINUSE) {
    add(report, name, Verdict::kFail, fmt::format("{} can't be listened at: {}", where, std::strerror(error)),
        error == EACCES ? "take a port above 1023 in http.listen, or give the right to lower ones"
                        : "name an address of this host in http.listen");
    return;
  }
  const bool tls = !http.web_config_file.empty();
  const auto status = status_of_startup(http, tls);
  if (status == 200 || status == 503) {
    add(report, name, Verdict::kPass, "a running dupwatch answers at " + where);
    return;
  }
  // A server that asks for a client's certificate tells nothing to this question.
  add(report, name, tls && status == 0 ? Verdict::kWarn : Verdict::kFail,
      fmt::format("{} is taken, and no dupwatch answers there", where),
      fmt::format("another address in http.listen; ss -ltnp 'sport = :{}' names the program that has it",
                  http.port));
}

/// The first cell of the answer, or nullopt after a line about the error.
std::optional<std::string> ask_cell(Connection& sql, postgres::Waiter& waiter, postgres::CheckReport& report,
                                    const std::string& name, const std::string& query,
                                    const Connection::Params& params) {
  auto answer = sql.execute(query, params, waiter, postgres::kAnswerTimeout);
  if (const auto* error = std::get_if<Error>(&answer)) {
    add(report, name, Verdict::kFail, error->message, error->remedy);
    return std::nullopt;
  }
  return std::string(postgres::cell(*std::get<postgres::Result>(answer), 0, 0).value_or(""));
}

std::optional<Connection> connect(const core::Config& config, const std::string& dsn, const std::string& name,
                                  postgres::Waiter& waiter, postgres::CheckReport& report) {
  auto connection = config.connection;
  if (!dsn.empty()) connection.dsn = dsn;
  auto opened = Connection::open(connection, Connection::Kind::kSql, waiter);
  if (auto* sql = std::get_if<Connection>(&opened)) return std::move(*sql);
  const auto& error = std::get<Error>(opened);
  add(report, name, Verdict::kFail, error.message, error.remedy);
  return std::nullopt;
}

void check_findings_table(const core::Config& config, postgres::Waiter& waiter,
                          postgres::CheckReport& report) {
  const std::string name = "findings_table";
  const auto& findings = config.findings;
  if (findings.table_name.empty()) return;
  auto sql = connect(config, "", name, waiter, report);
  if (!sql) return;
  const auto table = postgres::qualified(findings.table_schema, findings.table_name);
  const auto missing =
      ask_cell(*sql, waiter, report, name,
               "SELECT CASE WHEN c.oid IS NULL THEN 'it does not exist' WHEN "
               "pg_catalog.row_security_active(c.oid) THEN"
               " 'row-level security applies to the role' ELSE concat_ws(', ',"
               " CASE WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN 'no right to SELECT' END,"
               " CASE WHEN NOT has_table_privilege(c.oid, 'INSERT') THEN 'no right to INSERT' END,"
               " CASE WHEN NOT has_any_column_privilege(c.oid, 'UPDATE') THEN 'no right to UPDATE' END) END"
               " FROM (SELECT $1::text) t LEFT JOIN pg_catalog.pg_class c ON c.oid = to_regclass($1)",
               {table});
  if (!missing) return;
  if (missing->empty()) {
    add(report, name, Verdict::kPass, table + " takes findings");
  } else {
    add(report, name, Verdict::kFail, fmt::format("{}: {}", table, *missing),
        "dupwatch setup --print-sql | psql -v ON_ERROR_STOP=1 -d ...; a role under row-level security needs "
        "BYPASSRLS");
  }
}

void check_heartbeat(const core::Config& config, postgres::Waiter& waiter, postgres::CheckReport& report) {
  const std::string name = "heartbeat_dsn";
  if (config.heartbeat.dsn.empty() || config.heartbeat.interval.count() == 0) return;
  auto sql = connect(config, config.heartbeat.dsn, name, waiter, report);
  if (!sql) return;
  const auto standby = ask_cell(*sql, waiter, report, name, "SELECT pg_catalog.pg_is_in_recovery()", {});
  if (!standby) return;
  if (*standby == "t") {
    add(report, name, Verdict::kFail, "heartbeat.dsn leads to a standby, which can't be written",
        "name the primary in heartbeat.dsn");
  } else {
    add(report, name, Verdict::kPass, "heartbeat.dsn leads to a primary");
  }
}

void check_quarantine(const core::Config& config, postgres::Waiter& waiter, postgres::CheckReport& report) {
  const std::string name = "quarantine";
  if (config.quarantine.mode == core::QuarantineMode::kObserve) return;
  auto sql = connect(config, config.quarantine.dsn, name, waiter, report);
  if (!sql) return;
  constexpr auto kFix = "dupwatch setup --print-sql --quarantine | psql -v ON_ERROR_STOP=1 -d ...";
  const auto table =
      ask_cell(*sql, waiter, report, name, "SELECT to_regclass('dupwatch.quarantine')::text", {});
  if (!table) return;
  if (table->empty()) {
    add(report, name, Verdict::kFail, "table dupwatch.quarantine does not exist", kFix);
    return;
  }
  const bool removes = config.quarantine.mode == core::QuarantineMode::kRemove;
  const auto missing = ask_cell(*sql, waiter, report, name, quarantine::missing_rights_query(),
                                {quarantine::quoted_table(config.profile), removes ? "true" : "false"});
  if (!missing) return;
  if (missing->empty()) {
    add(report, name, Verdict::kPass, "the role may do what quarantine.mode asks for");
  } else {
    add(report, name, Verdict::kFail, fmt::format("the role has no right to {}", *missing), kFix);
  }
}

/// Only where `run` would have less than it may take: the limit is that of the group of whoever runs the
/// check.
void check_memory(const core::Config& config, postgres::CheckReport& report) {
  const auto limit = process::group_memory_limit();
  if (!limit || *limit >= config.index.memory_max_bytes + kBesideIndex) return;
  add(report, "memory", Verdict::kWarn,
      fmt::format(
          "the control group allows {} MiB, the index may take {} MiB and the rest of dupwatch {} MiB",
          *limit >> 20U, config.index.memory_max_bytes >> 20U, kBesideIndex >> 20U),
      "lower index.memory_max, or raise the limit (memory.max, MemoryMax= of the unit, "
      "resources.limits.memory "
      "of the chart)");
}

}  // namespace

void check_host(const core::Config& config, postgres::CheckReport& report) {
  check_memory(config, report);
  check_findings_file(config, report);
  check_http_listen(config, report);
}

void check_other_sessions(const core::Config& config, postgres::Waiter& waiter,
                          postgres::CheckReport& report) {
  check_findings_table(config, waiter, report);
  check_heartbeat(config, waiter, report);
  check_quarantine(config, waiter, report);
}

}  // namespace dupwatch::cli
