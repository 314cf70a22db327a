#include "daemon/app/sieve_scan.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>

#include "daemon/app/clock.hpp"
#include "daemon/app/table_row.hpp"
#include "daemon/core/run_sieve.hpp"

namespace dupwatch::app {
namespace {

using postgres::Error;

// A server that is silent for so long is in trouble; its own statement_timeout speaks first.
constexpr std::chrono::minutes kSilence{10};
/// 64 MiB of the table, a tenth of a second from memory: one statement, in a snapshot of its own.
constexpr std::int64_t kPiecePages = 8192;
/// More than a page of 8 KiB can hold of rows with a text or two.
constexpr std::uint64_t kPageRows = 200;
/// Runs of one statement of the second reading.
constexpr std::size_t kPickedRuns = 200;

/// Hands the rows of the first reading to the sieve.
class Sifter {
 public:
  Sifter(const core::Profile& profile, core::RunSieve& sieve)
      : columns_(profile.identity_columns.size()), sieve_(sieve) {}

  void operator()(std::string_view line) {
    fields_.split(line);
    if (!fields_[0]) return;
    const auto text = [&](std::size_t index) { return fields_[index].value_or(std::string_view{}); };
    for (std::size_t i = 0; i < columns_; ++i) {
      const auto& value = fields_[3 + i];
      identity_[i] = value ? decoder::Value::of(*value) : decoder::Value::null();
    }
    sieve_.add({.run_id = text(0),
                .id = text(1),
                .type = text(2),
                .identity = std::span(identity_).first(columns_)});
  }

 private:
  std::size_t columns_;
  core::RunSieve& sieve_;
  postgres::CopyFields fields_;
  std::array<decoder::Value, TableRow::kIdentityMax> identity_{};
};

}  // namespace

postgres::Expected<bool> SieveScan::find(postgres::Connection& sql, postgres::Waiter& waiter,
                                         const std::function<void(std::uint64_t)>& progress) {
  const auto before = postgres::table_extent(sql, profile_, waiter);
  if (const auto* error = std::get_if<Error>(&before)) return *error;
  const auto& extent = std::get<postgres::TableExtent>(before);
  if (!extent.pages) return false;
  core::RunSieve sieve(
      profile_, plan_.refuses_ulids, random_seed(),
      core::RunSieve::Size::for_rows(static_cast<std::uint64_t>(*extent.pages + 1) * kPageRows));
  Sifter sifter(profile_, sieve);
  for (std::int64_t begin = 0, end = 0; end <= *extent.pages && !sieve.gave_up(); begin = end) {
    end = begin + kPiecePages;
    // The last piece has no end: rows that came meanwhile are read too.
    const auto until = end <= *extent.pages ? std::optional(end) : std::nullopt;
    auto error = sql.copy_out(postgres::pages_copy(profile_, begin, until), waiter, kSilence,
                              [&](std::string_view line) { sifter(line); });
    rows_ = sieve.rows();
    runs_ = sieve.runs();
    progress(rows_);
    if (error) return std::move(*error);
  }
  sieve.finish();
  const auto after = postgres::table_extent(sql, profile_, waiter);
  if (const auto* error = std::get_if<Error>(&after)) return *error;
  if (sieve.gave_up() || std::get<postgres::TableExtent>(after).layout != extent.layout) return false;
  suspects_ = std::move(sieve.suspects());
  return true;
}

std::optional<Error> SieveScan::sort(postgres::Connection& sql, postgres::Waiter& waiter) {
  std::ranges::sort(suspects_);
  suspects_.erase(std::unique(suspects_.begin(), suspects_.end()), suspects_.end());
  const auto answer = sql.execute(postgres::sorted_runs_query(profile_, plan_.run_type),
                                  {postgres::array_literal(suspects_)}, waiter, kSilence);
  if (const auto* error = std::get_if<Error>(&answer)) return *error;
  const auto& result = *std::get<postgres::Result>(answer);
  suspects_.clear();
  for (int i = 0; i < postgres::row_count(result); ++i) {
    suspects_.emplace_back(postgres::cell(result, i, 0).value_or(std::string_view{}));
  }
  return std::nullopt;
}

bool SieveScan::wants_other() const noexcept {
  return suspects_.size() > 4 * kPickedRuns;
}

std::optional<Error> SieveScan::read(postgres::Connection& sql, postgres::Connection* other,
                                     postgres::Waiter& waiter,
                                     const std::function<void(const pg_result&)>& row,
                                     const std::function<void(const std::string&)>& run_end) {
  if (auto error = sort(sql, waiter)) return error;
  const auto query = postgres::picked_runs_query(profile_, plan_.select, plan_.run_type);
  const std::size_t batches = (suspects_.size() + kPickedRuns - 1) / kPickedRuns;
  const auto session = [&](std::size_t batch) -> postgres::Connection& {
    return other != nullptr && batch % 2 == 1 ? *other : sql;
  };
  const auto ask = [&](std::size_t batch) {
    if (batch >= batches) return;
    const auto first = batch * kPickedRuns;
    const auto runs = std::span(suspects_).subspan(first, std::min(kPickedRuns, suspects_.size() - first));
    // What goes wrong here is told where the answer is read.
    (void)session(batch).send(query, {postgres::array_literal(runs)}, true);
    (void)session(batch).flush();
  };
  const std::size_t ahead = other != nullptr ? 2 : 1;
  for (std::size_t batch = 0; batch < ahead; ++batch) ask(batch);
  for (std::size_t batch = 0; batch < batches; ++batch) {
    std::optional<std::string> run;
    const auto end_run = [&] {
      run_end(*run);
      last_run_ = run;
    };
    auto error = session(batch).each_row(waiter, kSilence, [&](const pg_result& result) {
      const auto of_row = postgres::cell(result, 0, 0).value_or(std::string_view{});
      if (run != of_row) {
        if (run) end_run();
        run = of_row;
      }
      row(result);
    });
    if (error) return error;
    if (run) end_run();
    ask(batch + ahead);
  }
  return std::nullopt;
}

}  // namespace dupwatch::app
