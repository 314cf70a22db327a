#include "daemon/cli/findings_source.hpp"

#include <fmt/format.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <unordered_map>
#include <utility>

#include "daemon/cli/findings_view.hpp"
#include "daemon/core/finding_record.hpp"
#include "daemon/core/reported_findings.hpp"
#include "daemon/findings/file_history.hpp"
#include "daemon/postgres/connection.hpp"
#include "daemon/postgres/findings_table.hpp"
#include "daemon/process/loop_waiter.hpp"

namespace dupwatch::cli {
namespace {

using core::Finding;
using process::ExitCode;
using Found = std::variant<FoundFindings, SourceFailure>;

constexpr std::size_t kFindingsPageMax = 1000;
constexpr std::size_t kFindingsBytesMax = std::size_t{256} << 20U;

std::string query_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       c == '_' || c == '-' || c == '.';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

template <class E, std::size_t N>
std::string names_of(const std::array<bool, N>& chosen) {
  std::string out;
  if (std::ranges::all_of(chosen, [](bool in) { return in; })) return out;
  for (std::size_t i = 0; i < N; ++i) {
    if (chosen[i]) out += fmt::format("{}{}", out.empty() ? "" : ",", to_string(static_cast<E>(i)));
  }
  return out;
}

std::size_t page_size(const core::Config& config, const SourceChoice& choice) {
  // Another daemon may keep less than this configuration says, and would refuse the limit.
  return choice.url.empty() ? std::min<std::size_t>(kFindingsPageMax, config.findings.keep) : 0;
}

Found of_daemon(const core::Config& config, const SourceChoice& choice, const core::FindingFilter& filter,
                std::size_t limit) {
  const auto client = DaemonClient::of(config, choice.url);
  if (const auto* failure = std::get_if<DaemonClient::Failure>(&client)) {
    return SourceFailure{failure->what, ExitCode::kUsage};
  }
  return ask_daemon(std::get<DaemonClient>(client), filter, limit, page_size(config, choice));
}

/// What is left of a whole list.
FoundFindings chosen_of(std::vector<Finding> all, const core::FindingFilter& filter, std::size_t limit) {
  FoundFindings found;
  std::erase_if(all, [&](const Finding& finding) { return !filter.admits(finding); });
  sort_for_action(all);
  found.matched = all.size();
  if (limit != 0 && all.size() > limit) all.resize(limit);
  found.findings = std::move(all);
  return found;
}

Found of_file(const core::Config& config, const core::FindingFilter& filter, std::size_t limit) {
  const auto& path = config.findings.file;
  if (path.empty()) return SourceFailure{"findings.file is not set", ExitCode::kUsage};
  if (access(path.c_str(), R_OK) != 0) {
    const auto* why = std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): no other thread
    return SourceFailure{fmt::format("{} can't be read: {}", path, why), ExitCode::kOperator};
  }
  auto found = chosen_of(findings::read_last_records(path), filter, limit);
  std::error_code unknown;
  found.may_lack_older = std::filesystem::file_size(path, unknown) > findings::kHistoryBytesMax && !unknown;
  found.kind = SourceKind::kFile;
  found.from = path;
  return found;
}

Found of_table(const core::Config& config, const core::FindingFilter& filter, std::size_t limit) {
  using postgres::Connection;
  using postgres::Error;
  const auto& names = config.findings;
  if (names.table_name.empty()) return SourceFailure{"findings.table is not set", ExitCode::kUsage};
  const auto failure = [](const Error& error) {
    return SourceFailure{
        fmt::format("{}{}{}", error.message, error.remedy.empty() ? "" : "; remedy: ", error.remedy),
        error.fault == postgres::Fault::kTransient ? ExitCode::kTemporary : ExitCode::kOperator};
  };
  const process::StopSignals stop;
  process::LoopWaiter waiter(stop.fd(), [] {});
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (const auto* error = std::get_if<Error>(&opened)) return failure(*error);
  const auto answer = std::get<Connection>(opened).execute(
      postgres::findings_load_query(names, core::ReportedFindings::kFindingsMax), {}, waiter,
      postgres::kAnswerTimeout);
  if (const auto* error = std::get_if<Error>(&answer)) return failure(*error);
  const auto& result = *std::get<postgres::Result>(answer);
  std::vector<Finding> all;
  for (int i = 0; i < postgres::row_count(result); ++i) {
    auto finding = core::read_finding(postgres::cell(result, i, 0).value_or(std::string_view{}));
    if (finding) all.push_back(*std::move(finding));
  }
  auto found = chosen_of(std::move(all), filter, limit);
  found.kind = SourceKind::kTable;
  found.from = fmt::format("table {}.{}", names.table_schema, names.table_name);
  return found;
}

/// Whether kAuto asks this one.
bool is_configured(const core::Config& config, const SourceChoice& choice, SourceKind kind) {
  // An address that was named is meant.
  if (!choice.url.empty()) return kind == SourceKind::kDaemon;
  if (kind == SourceKind::kFile) return !config.findings.file.empty();
  if (kind == SourceKind::kTable) return !config.findings.table_name.empty();
  return true;
}

Found find_in(SourceKind kind, const core::Config& config, const SourceChoice& choice,
              const core::FindingFilter& filter, std::size_t limit) {
  if (kind == SourceKind::kFile) return of_file(config, filter, limit);
  if (kind == SourceKind::kTable) return of_table(config, filter, limit);
  return of_daemon(config, choice, filter, limit);
}

using One = std::variant<std::optional<Finding>, SourceFailure>;

One one_of_daemon(const core::Config& config, const SourceChoice& choice, std::uint64_t id) {
  const auto made = DaemonClient::of(config, choice.url);
  if (const auto* failure = std::get_if<DaemonClient::Failure>(&made)) {
    return SourceFailure{failure->what, ExitCode::kUsage};
  }
  const auto& client = std::get<DaemonClient>(made);
  const auto asked = client.get("/api/findings/" + core::finding_id_text(id), kFindingsBytesMax);
  if (const auto* failure = std::get_if<DaemonClient::Failure>(&asked)) return SourceFailure{failure->what};
  const auto& answer = std::get<DaemonClient::Answer>(asked);
  if (answer.status == 404) return std::optional<Finding>{};
  if (answer.status != 200) return refusal(client, answer);
  return core::read_finding(answer.body);
}

One one_of_all(const core::Config& config, SourceKind kind, std::uint64_t id) {
  auto found = find_in(kind, config, {}, {}, 0);
  if (auto* failure = std::get_if<SourceFailure>(&found)) return std::move(*failure);
  auto& all = std::get<FoundFindings>(found).findings;
  const auto at = std::ranges::find(all, id, &Finding::id);
  return at == all.end() ? std::nullopt : std::optional(std::move(*at));
}

}  // namespace

SourceFailure refusal(const DaemonClient& client, const DaemonClient::Answer& answer) {
  if (answer.status == 401) {
    return {fmt::format("{} wants a user and a password that the configuration does not have: set "
                        "http.basic_auth there, or put them into ~/.netrc",
                        client.base()),
            ExitCode::kOperator};
  }
  auto body = answer.body.substr(0, 300);
  while (body.ends_with('\n')) body.pop_back();
  return {fmt::format("{}: status {}: {}", client.base(), answer.status, body), ExitCode::kTemporary};
}

std::vector<Finding> find_acknowledged(const core::Config& config, const std::string& run_id) {
  core::FindingFilter filter;
  filter.run_id = run_id;
  (void)filter.only_states("acknowledged");
  for (const auto kind : {SourceKind::kDaemon, SourceKind::kFile}) {
    if (!is_configured(config, {}, kind)) continue;
    auto found = find_in(kind, config, {}, filter, 0);
    if (auto* list = std::get_if<FoundFindings>(&found)) return std::move(list->findings);
  }
  return {};
}

std::string query_of(const core::FindingFilter& filter) {
  std::string out;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, query_escaped(value));
  };
  add("severity", names_of<core::Severity>(filter.severities));
  add("rule", names_of<core::Rule>(filter.rules));
  add("state", names_of<core::FindingState>(filter.states));
  add("run_id", filter.run_id);
  add("correlation_id", filter.correlation_id);
  if (filter.since) add("since", core::to_iso8601(*filter.since));
  return out;
}

std::optional<AnsweredPage> read_page(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::element page;
  simdjson::dom::array list;
  AnsweredPage out;
  std::uint64_t matched = 0;
  std::uint64_t kept = 0;
  if (parser.parse(json).get(page) != simdjson::SUCCESS || page["findings"].get(list) != simdjson::SUCCESS ||
      page["matched"].get(matched) != simdjson::SUCCESS || page["kept"].get(kept) != simdjson::SUCCESS ||
      page["total"].get(out.total) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  out.matched = matched;
  out.kept = kept;
  for (const auto item : list) {
    if (auto finding = core::read_finding(simdjson::minify(item)))
      out.findings.push_back(*std::move(finding));
  }
  std::string_view next;
  if (page["next"].get(next) == simdjson::SUCCESS) out.next = next;
  return out;
}

Found ask_daemon(const DaemonClient& client, const core::FindingFilter& filter, std::size_t limit,
                 std::size_t page) {
  FoundFindings found;
  std::unordered_map<std::uint64_t, std::size_t> place;
  std::string cursor;
  const auto query = query_of(filter);
  for (bool more = true; more;) {
    auto parameters = query;
    const auto add = [&](std::string_view name, std::string_view value) {
      parameters += fmt::format("{}{}={}", parameters.empty() ? "" : "&", name, value);
    };
    const auto wanted = limit == 0 ? page : std::min(page == 0 ? limit : page, limit);
    if (page != 0) add("limit", std::to_string(wanted));
    if (!cursor.empty()) add("cursor", cursor);
    const auto target = "/api/findings" + (parameters.empty() ? "" : "?" + parameters);
    const auto asked = client.get(target, kFindingsBytesMax);
    if (const auto* failure = std::get_if<DaemonClient::Failure>(&asked)) return SourceFailure{failure->what};
    const auto& answer = std::get<DaemonClient::Answer>(asked);
    if (answer.status != 200) return refusal(client, answer);
    auto read = read_page(answer.body);
    if (!read) return SourceFailure{fmt::format("{} gives no findings: is it dupwatch?", client.base())};
    found.matched = read->matched;
    found.may_lack_older = read->total > read->kept;
    for (auto& finding : read->findings) {
      const auto [at, added] = place.emplace(finding.id, found.findings.size());
      if (added) {
        found.findings.push_back(std::move(finding));
      } else {
        found.findings[at->second] = std::move(finding);
      }
    }
    cursor = read->next;
    more = !cursor.empty() && (limit == 0 || found.findings.size() < limit);
  }
  sort_for_action(found.findings);
  if (limit != 0 && found.findings.size() > limit) found.findings.resize(limit);
  found.kind = SourceKind::kDaemon;
  found.from = fmt::format("the daemon at {}", client.base());
  return found;
}

Found find_findings(const core::Config& config, const SourceChoice& choice, const core::FindingFilter& filter,
                    std::size_t limit) {
  if (choice.kind != SourceKind::kAuto) return find_in(choice.kind, config, choice, filter, limit);
  std::optional<Found> found;
  for (const auto kind : {SourceKind::kDaemon, SourceKind::kFile, SourceKind::kTable}) {
    if (!is_configured(config, choice, kind)) continue;
    if (found) fmt::print(stderr, "{}\n", std::get<SourceFailure>(*found).what);
    found = find_in(kind, config, choice, filter, limit);
    if (std::holds_alternative<FoundFindings>(*found)) break;
  }
  return *std::move(found);
}

One find_finding(const core::Config& config, const SourceChoice& choice, std::uint64_t id) {
  std::optional<SourceFailure> failed;
  bool answered = false;
  for (const auto kind : {SourceKind::kDaemon, SourceKind::kFile, SourceKind::kTable}) {
    const bool asked =
        choice.kind == SourceKind::kAuto ? is_configured(config, choice, kind) : choice.kind == kind;
    if (!asked) continue;
    // What the daemon has forgotten may be in the file still.
    auto found =
        kind == SourceKind::kDaemon ? one_of_daemon(config, choice, id) : one_of_all(config, kind, id);
    if (auto* failure = std::get_if<SourceFailure>(&found)) {
      if (!failed) failed = std::move(*failure);
      continue;
    }
    answered = true;
    if (std::get<std::optional<Finding>>(found)) return found;
  }
  if (failed && !answered) return *failed;
  return std::optional<Finding>{};
}

}  // namespace dupwatch::cli
