#include "daemon/cli/quarantine_purge.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/cli/progress_bar.hpp"
#include "daemon/cli/quarantine_dialog.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/process/event_fd.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/quarantine/batch_queries.hpp"
#include "daemon/table/table_facts.hpp"

namespace dupwatch::cli {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::Expected;
using postgres::kAnswerTimeout;
using Action = QuarantineOptions::Action;

constexpr int kPieceRows = 1000;

/// What there is to delete.
struct Aged {
  std::uint64_t entries = 0;
  std::uint64_t never_restored = 0;
  /// The entries were made before this moment of the server's clock.
  std::string moment;
  bool may_delete = false;
};

std::uint64_t count_of(std::optional<std::string_view> text) {
  std::uint64_t count = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), count);
  return count;
}

/// Signals keep their meaning here: Ctrl-C must still end the question that follows.
Expected<Aged> look(const core::Config& config, const QuarantineOptions& options) {
  process::LoopWaiter waiter(-1, [] {});
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
  auto answer = std::get<Connection>(opened).execute(
      quarantine::aged_query(), {config.profile.qualified_name(), std::to_string(options.older_than_millis)},
      waiter, kAnswerTimeout);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<postgres::Result>(answer);
  return Aged{.entries = count_of(postgres::cell(result, 0, 0)),
              .never_restored = count_of(postgres::cell(result, 0, 1)),
              .moment = std::string(postgres::cell(result, 0, 2).value_or("")),
              .may_delete = postgres::cell(result, 0, 3) == "t"};
}

std::string only_copies(const Aged& aged) {
  if (aged.never_restored == 0) return {};
  return fmt::format(" {} of them {} never restored and hold the only copy of a row.", aged.never_restored,
                     aged.never_restored == 1 ? "was" : "were");
}

process::ExitCode tell(const QuarantineOptions& options, const Aged& aged, std::uint64_t deleted) {
  if (options.json) {
    fmt::print(
        R"({{"action":"purge","result":"{}","made_before":{},"entries":{},"never_restored":{},"deleted":{}}})"
        "\n",
        options.dry_run          ? "dry_run"
        : deleted < aged.entries ? "stopped"
                                 : "done",
        core::json_string(aged.moment), aged.entries, aged.never_restored, deleted);
  } else if (options.dry_run) {
    fmt::print("would delete {} entries made before {}.{}\n", aged.entries, aged.moment, only_copies(aged));
  } else {
    fmt::print("deleted {} of {} entries made before {}\n", deleted, aged.entries, aged.moment);
  }
  return process::ExitCode::kClean;
}

/// Deletes piece by piece; the error that it ended with, `deleted` being what is gone for good.
std::optional<Error> delete_all(const core::Config& config, const Aged& aged, std::uint64_t& deleted) {
  const process::StopSignals stop;
  process::LoopWaiter waiter(stop.fd(), [] {});
  // A piece that was sent is waited for, so that its entries are counted.
  process::LoopWaiter patient(-1, [] {});
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
  auto& sql = std::get<Connection>(opened);
  const std::array<Connection::Statement, 3> piece = {
      {{"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", {}},
       {quarantine::purge_query(),
        {config.profile.qualified_name(), aged.moment, std::to_string(kPieceRows)}},
       {"COMMIT", {}}}};
  ProgressBar progress("entries", aged.entries);
  for (int rows = kPieceRows; rows == kPieceRows;) {
    if (waiter.wait(-1, 0, process::steady_now()) == postgres::Waiter::Outcome::kInterrupted) {
      progress.clear();
      return Error{.fault = postgres::Fault::kTransient,
                   .cause = postgres::Cause::kInterrupted,
                   .sqlstate = {},
                   .message = "interrupted",
                   .remedy = "run it again"};
    }
    auto answer = sql.execute_batch(piece, patient, kAnswerTimeout);
    if (auto* error = std::get_if<Error>(&answer)) {
      progress.clear();
      return std::move(*error);
    }
    rows = postgres::row_count(*std::get<std::vector<postgres::Result>>(answer)[1]);
    deleted += static_cast<std::uint64_t>(rows);
    progress.show(deleted);
  }
  progress.clear();
  return std::nullopt;
}

}  // namespace

process::ExitCode purge_entries(const core::Config& config, const QuarantineOptions& options) {
  auto looked = look(config, options);
  if (auto* error = std::get_if<Error>(&looked))
    return report_quarantine_error(std::move(*error), Action::kPurge);
  const auto& aged = std::get<Aged>(looked);
  if (options.dry_run || aged.entries == 0) return tell(options, aged, 0);
  if (!aged.may_delete) {
    return report_quarantine_error({.fault = postgres::Fault::kNeedsOperator,
                                    .cause = postgres::Cause::kNoRight,
                                    .sqlstate = "42501",
                                    .message = "permission denied for table dupwatch.quarantine",
                                    .remedy = {}},
                                   Action::kPurge);
  }
  const auto question = fmt::format("Delete {} entries of dupwatch.quarantine made before {}?{}",
                                    aged.entries, aged.moment, only_copies(aged));
  if (!options.yes && !person_agrees(question, "dupwatch.quarantine")) return process::ExitCode::kUsage;
  std::uint64_t deleted = 0;
  auto error = delete_all(config, aged, deleted);
  const auto code = tell(options, aged, deleted);
  return error ? report_quarantine_error(std::move(*error), Action::kPurge) : code;
}

}  // namespace dupwatch::cli
