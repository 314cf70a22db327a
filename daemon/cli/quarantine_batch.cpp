#include "daemon/cli/quarantine_batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "daemon/cli/finding_writer.hpp"
#include "daemon/cli/progress_bar.hpp"
#include "daemon/cli/quarantine_batch_report.hpp"
#include "daemon/cli/quarantine_dialog.hpp"
#include "daemon/core/text.hpp"
#include "daemon/process/event_fd.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/quarantine/act.hpp"
#include "daemon/quarantine/batch_file.hpp"
#include "daemon/quarantine/batch_queries.hpp"
#include "daemon/table/table_facts.hpp"

namespace dupwatch::cli {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::Expected;
using quarantine::BatchFile;
using quarantine::BatchRow;
using Outcome = postgres::Waiter::Outcome;

// A quarter of a second, then twice as long each time: eight seconds of pauses, for a short lock or a server
// that starts again.
constexpr int kAttemptsMax = 6;
constexpr std::chrono::milliseconds kFirstPause{250};

struct FileCloser {
  void operator()(std::FILE* file) const noexcept {
    if (file != stdin) (void)std::fclose(file);  // NOLINT(*-owning-memory): it is the owner
  }
};

/// Hands over line by line; false: the file can't be read, or a line has no end.
class LineReader {
 public:
  explicit LineReader(std::FILE* file) : file_(file) {}

  /// False at the end of the file, at an error, and behind a line that is too long.
  [[nodiscard]] bool next(std::string& line) {
    line.clear();
    ++number_;
    for (;;) {
      const auto end = buffer_.find('\n', begin_);
      line.append(buffer_, begin_, (end == std::string::npos ? buffer_.size() : end) - begin_);
      if (line.size() > quarantine::kBatchLineMax) return !(too_long_ = true);
      begin_ = end == std::string::npos ? buffer_.size() : end + 1;
      if (end != std::string::npos) return true;
      buffer_.resize(kPiece);
      buffer_.resize(std::fread(buffer_.data(), 1, kPiece, file_));
      begin_ = 0;
      if (buffer_.empty()) return !line.empty() && std::ferror(file_) == 0;
    }
  }
  [[nodiscard]] std::size_t number() const noexcept { return number_; }
  [[nodiscard]] bool too_long() const noexcept { return too_long_; }

 private:
  static constexpr std::size_t kPiece = 1U << 16U;
  std::FILE* file_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t number_ = 0;
  bool too_long_ = false;
};

std::nullopt_t tell_problem(const std::string& name, std::size_t line,
                            const quarantine::BatchProblem& problem) {
  fmt::print(stderr, "error: {}:{}: found {}, expected {}; nothing was changed\n", core::visible(name), line,
             problem.found, problem.expected);
  return std::nullopt;
}

/// All of the file, before anything is changed; nullopt after telling the problem.
std::optional<BatchFile> read_all(const core::Config& config, const QuarantineOptions& options) {
  const bool standard_input = options.from_audit == "-";
  const std::string name = standard_input ? "standard input" : options.from_audit;
  const std::unique_ptr<std::FILE, FileCloser> file(
      standard_input ? stdin : std::fopen(options.from_audit.c_str(), "rbe"));
  const auto unreadable = [&] {
    fmt::print(stderr, "error: {} can't be read: {}; nothing was changed\n", core::visible(name),
               std::strerror(errno));  // NOLINT(concurrency-mt-unsafe): there is no other thread
    return std::nullopt;
  };
  if (!file) return unreadable();
  BatchFile batch(config.profile.qualified_name(), options.before_migration);
  LineReader reader(file.get());
  std::string line;
  while (reader.next(line)) {
    if (const auto problem = batch.add(line)) return tell_problem(name, reader.number(), *problem);
  }
  if (std::ferror(file.get()) != 0) return unreadable();
  if (reader.too_long()) {
    return tell_problem(name, reader.number(),
                        {.found = fmt::format("a line longer than {} bytes", quarantine::kBatchLineMax),
                         .expected = "lines as dupwatch audit --format json writes them"});
  }
  if (!batch.any_line()) {
    return tell_problem(name, 1,
                        {.found = "nothing", .expected = "what dupwatch audit --format json writes"});
  }
  if (!batch.complete()) {
    fmt::print(stderr, "warning: the audit that wrote {} was cut short: audit again afterwards\n",
               core::visible(name));
  }
  return batch;
}

bool confirmed(const core::Config& config, const QuarantineOptions& options, std::uint64_t open,
               std::uint64_t refused) {
  if (options.yes || options.dry_run) return true;
  const auto stays =
      refused == 0 ? std::string{} : fmt::format(" {} more stay, by the file's own word.", refused);
  const std::string_view which =
      options.before_migration ? " that are in the way of the engine's unique index, fatal or not," : "";
  return person_agrees(fmt::format("{} {}{} can be taken out of {}.{} Do it?", open,
                                   open == 1 ? "row" : "rows", which, config.profile.qualified_name(), stays),
                       "the event log");
}

Error stopped() {
  return {.fault = postgres::Fault::kTransient,
          .cause = postgres::Cause::kInterrupted,
          .sqlstate = {},
          .message = "interrupted",
          .remedy = {}};
}

/// Does one act at a time, over as many connections as it takes.
class Actor {
 public:
  Actor(const core::Config& config, const QuarantineOptions& options, postgres::Waiter& stoppable)
      : config_(config), options_(options), stoppable_(stoppable) {}

  /// A request to stop is seen before an act and between its attempts, never inside one.
  [[nodiscard]] Expected<quarantine::ActOutcome> act(const BatchRow& row) {
    auto pause = kFirstPause;
    if (stoppable_.wait(-1, 0, next_) == Outcome::kInterrupted) return stopped();
    for (int attempt = 1;; ++attempt, pause *= 2) {
      auto outcome = attempt_once(row);
      const auto* error = std::get_if<Error>(&outcome);
      if (error == nullptr) {
        hold_rate(std::get<quarantine::ActOutcome>(outcome));
        return outcome;
      }
      sql_.reset();  // with the transaction that failed
      const bool again = error->fault == postgres::Fault::kTransient && !postgres::interrupted(*error);
      if (!again || attempt == kAttemptsMax) return outcome;
      if (stoppable_.wait(-1, 0, process::steady_now() + pause) == Outcome::kInterrupted) return stopped();
    }
  }

 private:
  std::optional<Error> connect() {
    if (!sql_) {
      auto opened = Connection::open(config_.connection, Connection::Kind::kSql, stoppable_);
      if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
      sql_.emplace(std::get<Connection>(std::move(opened)));
    }
    if (table_) return std::nullopt;
    auto looked = table::read_table_facts(config_, *sql_, stoppable_);
    if (auto* error = std::get_if<Error>(&looked)) return std::move(*error);
    table_ = std::get<table::TableFacts>(std::move(looked));
    return std::nullopt;
  }

  Expected<quarantine::ActOutcome> attempt_once(const BatchRow& row) {
    if (auto error = connect()) return std::move(*error);
    auto outcome = options_.before_migration
                       ? quarantine::quarantine_for_migration(config_, *table_, row.run_id, row.event_id,
                                                              options_.dry_run, *sql_, patient_)
                       : quarantine::quarantine_row(config_, *table_,
                                                    {.run_id = row.run_id,
                                                     .finding_id = row.finding_id,
                                                     .dry_run = options_.dry_run,
                                                     .partial = options_.partial},
                                                    *sql_, patient_);
    const auto* done = std::get_if<quarantine::ActOutcome>(&outcome);
    return done != nullptr && done->kind == quarantine::ActOutcome::Kind::kUnknown ? whereabouts(row)
                                                                                   : std::move(outcome);
  }

  /// No such finding any more: the row went with another finding of the file, went by another hand, or is in
  /// the log and has no fault now.
  Expected<quarantine::ActOutcome> whereabouts(const BatchRow& row) {
    auto answer = sql_->execute(quarantine::whereabouts_query(config_.profile, table_->key_types.run),
                                {config_.profile.qualified_name(), row.run_id, row.event_id}, patient_,
                                postgres::kAnswerTimeout);
    if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
    const auto& result = *std::get<postgres::Result>(answer);
    if (const auto entry = postgres::cell(result, 0, 0)) {
      return quarantine::ActOutcome{.kind = quarantine::ActOutcome::Kind::kAlready,
                                    .entry = std::string(*entry),
                                    .event_id = row.event_id};
    }
    if (postgres::cell(result, 0, 1) == "t") {
      return quarantine::ActOutcome{.kind = quarantine::ActOutcome::Kind::kRefused,
                                    .event_id = row.event_id,
                                    .reason = "no_finding",
                                    .explanation = "the rules find no such fault with this row any more"};
    }
    return quarantine::ActOutcome{.kind = quarantine::ActOutcome::Kind::kUnknown, .event_id = row.event_id};
  }

  /// What changes nothing costs one look at the run, and need not wait.
  void hold_rate(const quarantine::ActOutcome& outcome) {
    if (outcome.kind != quarantine::ActOutcome::Kind::kDone || options_.rate <= 0) return;
    const std::chrono::duration<double> each(1 / options_.rate);
    next_ =
        std::max(next_, process::steady_now()) + std::chrono::duration_cast<core::Instant::duration>(each);
  }

  const core::Config& config_;
  const QuarantineOptions& options_;
  postgres::Waiter& stoppable_;
  process::LoopWaiter patient_{-1, [] {}};
  std::optional<Connection> sql_;
  std::optional<table::TableFacts> table_;
  core::Instant next_{};
};

/// The exit code when it did not come to its end.
process::ExitCode tell_end(const Error& error) {
  if (postgres::interrupted(error)) {
    fmt::print(stderr, "interrupted; go on with the same command: what is done is skipped\n");
    return process::ExitCode::kTemporary;
  }
  return report_quarantine_error(error, QuarantineOptions::Action::kApply);
}

}  // namespace

process::ExitCode apply_from_audit(const core::Config& config, const QuarantineOptions& options) {
  const auto batch = read_all(config, options);
  if (!batch) return process::ExitCode::kUsage;
  const auto& rows = batch->rows();
  const auto refused = static_cast<std::uint64_t>(
      std::ranges::count_if(rows, [](const BatchRow& row) { return row.refused.has_value(); }));
  if (refused != rows.size() && !confirmed(config, options, rows.size() - refused, refused)) {
    return process::ExitCode::kUsage;
  }
  const process::StopSignals stop;
  process::LoopWaiter stoppable(stop.fd(), [] {});
  Actor actor(config, options, stoppable);
  BatchReport report(options, rows.size());
  ProgressBar progress("rows", rows.size());
  std::optional<Error> error;
  for (const auto& row : rows) {
    if (options.rows_max && report.moved() == *options.rows_max) break;
    if (row.refused) {
      report.refused_by_file(row);
      continue;
    }
    auto outcome = actor.act(row);
    progress.clear();
    if (auto* failed = std::get_if<Error>(&outcome)) {
      error = std::move(*failed);
      break;
    }
    report.acted(row, std::get<quarantine::ActOutcome>(outcome));
    progress.show(report.seen());
  }
  progress.clear();
  report.finish();
  if (error) return tell_end(*error);
  return report.leaves_rows() ? process::ExitCode::kFindings : process::ExitCode::kClean;
}

}  // namespace dupwatch::cli
