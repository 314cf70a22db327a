#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/cli/daemon_client.hpp"
#include "daemon/core/config.hpp"
#include "daemon/core/finding_filter.hpp"
#include "daemon/process/exit_code.hpp"

/// Where the commands read what the daemon has found: from the running daemon, from findings.file, or from
/// findings.table.
namespace dupwatch::cli {

enum class SourceKind : std::uint8_t { kAuto, kDaemon, kFile, kTable };

struct SourceChoice {
  /// kAuto: the first of the three that answers.
  SourceKind kind = SourceKind::kAuto;
  /// Where the daemon listens, in the place of http.listen.
  std::string url;
};

struct FoundFindings {
  /// In the order in which a person acts.
  std::vector<core::Finding> findings;
  /// How many there are; more than `findings` when a limit cut them.
  std::size_t matched = 0;
  SourceKind kind = SourceKind::kDaemon;
  /// Where they are from, for people.
  std::string from;
  /// The source may have had older ones: a daemon keeps findings.keep, and of a file the end is read.
  bool may_lack_older = false;
};

struct SourceFailure {
  std::string what;
  process::ExitCode code = process::ExitCode::kTemporary;
};

/// The findings that `filter` admits, at most `limit` (0 = all). Why a source was passed over goes to stderr.
[[nodiscard]] std::variant<FoundFindings, SourceFailure> find_findings(const core::Config& config,
                                                                       const SourceChoice& choice,
                                                                       const core::FindingFilter& filter,
                                                                       std::size_t limit);

/// The same from this daemon alone.
[[nodiscard]] std::variant<FoundFindings, SourceFailure> ask_daemon(const DaemonClient& client,
                                                                    const core::FindingFilter& filter,
                                                                    std::size_t limit, std::size_t page);

/// One by its id; nullopt: the source does not have it.
[[nodiscard]] std::variant<std::optional<core::Finding>, SourceFailure> find_finding(
    const core::Config& config, const SourceChoice& choice, std::uint64_t id);

/// The findings of the run that somebody has acknowledged, as far as the daemon or its file is at hand: says
/// nothing where neither is.
[[nodiscard]] std::vector<core::Finding> find_acknowledged(const core::Config& config,
                                                           const std::string& run_id);

/// Why the daemon has refused, for people.
[[nodiscard]] SourceFailure refusal(const DaemonClient& client, const DaemonClient::Answer& answer);

/// The filter as the query of /api/findings. Pure.
[[nodiscard]] std::string query_of(const core::FindingFilter& filter);

/// A page of findings as the daemon answers it. Pure.
struct AnsweredPage {
  std::vector<core::Finding> findings;
  std::size_t matched = 0;
  std::size_t kept = 0;
  std::uint64_t total = 0;
  /// Empty = the last one.
  std::string next;
};
[[nodiscard]] std::optional<AnsweredPage> read_page(const std::string& json);

}  // namespace dupwatch::cli
