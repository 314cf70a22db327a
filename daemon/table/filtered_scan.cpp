#include "daemon/table/filtered_scan.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>

#include "daemon/core/run_filter.hpp"
#include "daemon/postgres/filter_queries.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/table/page_scan.hpp"
#include "daemon/table/table_row.hpp"

namespace dupwatch::table {
namespace {

using postgres::Error;

// A server that is silent for so long is in trouble; its own statement_timeout speaks first.
constexpr std::chrono::minutes kSilence{10};
/// More than a page of 8 KiB can hold of rows with a text or two.
constexpr std::uint64_t kPageRows = 200;
/// Runs of one statement of the second reading.
constexpr std::size_t kPickedRuns = 200;
// From so much on a second session is faster by more than it takes to connect.
constexpr std::int64_t kManyPages = 4 * PageScan::kPiecePages;
constexpr std::size_t kManyBatches = 4;

/// Hands the rows of the first reading to the filter.
class Sifter {
 public:
  Sifter(const core::Profile& profile, core::RunFilter& filter)
      : columns_(profile.identity_columns.size()), filter_(filter) {}

  void operator()(std::string_view line) {
    fields_.split(line);
    if (!fields_[0]) return;
    const auto text = [&](std::size_t index) { return fields_[index].value_or(std::string_view{}); };
    for (std::size_t i = 0; i < columns_; ++i) {
      const auto& value = fields_[3 + i];
      identity_[i] = value ? decoder::Value::of(*value) : decoder::Value::null();
    }
    const auto spec = fields_.size() > 3 + columns_ ? text(3 + columns_) : std::string_view{};
    filter_.add({.run_id = text(0),
                 .id = text(1),
                 .type = text(2),
                 .identity = std::span(identity_).first(columns_),
                 .own = core::engine_of_spec(core::spec_of(spec))});
  }

 private:
  std::size_t columns_;
  core::RunFilter& filter_;
  postgres::CopyFields fields_;
  std::array<decoder::Value, TableRow::kIdentityMax> identity_{};
};

}  // namespace

/// The second session; null: there is none.
postgres::Connection* FilteredScan::other() {
  if (open_other_) other_ = std::exchange(open_other_, nullptr)();
  return other_ ? &*other_ : nullptr;
}

postgres::Expected<bool> FilteredScan::find(postgres::Waiter& waiter,
                                            const std::function<void(std::uint64_t)>& progress) {
  // The filter knows the rules of the engine's log and of a plain table.
  if (profile_.has_rules()) return false;
  const auto before = postgres::table_extent(sql_, profile_, waiter);
  if (const auto* error = std::get_if<Error>(&before)) return *error;
  const auto& extent = std::get<postgres::TableExtent>(before);
  if (!extent.pages) return false;
  core::RunFilter filter(
      profile_, plan_.refuses_ulids, process::random_seed(),
      core::RunFilter::Size::for_rows(static_cast<std::uint64_t>(*extent.pages + 1) * kPageRows), plan_.ids);
  Sifter sifter(profile_, filter);
  std::vector<postgres::Connection*> sessions{&sql_};
  if (*extent.pages >= kManyPages && other() != nullptr) sessions.push_back(other());
  PageScan pages(profile_, plan_.specs, *extent.pages);
  auto error = pages.read(
      sessions, waiter, [&](std::string_view line) { sifter(line); },
      [&] {
        rows_ = filter.rows();
        runs_ = filter.runs();
        progress(rows_);
        return !filter.gave_up();
      });
  if (error) return std::move(*error);
  filter.finish();
  const auto after = postgres::table_extent(sql_, profile_, waiter);
  if (const auto* failed = std::get_if<Error>(&after)) return *failed;
  if (filter.gave_up() || std::get<postgres::TableExtent>(after).layout != extent.layout) return false;
  suspects_ = std::move(filter.suspects());
  return true;
}

std::optional<Error> FilteredScan::sort(postgres::Waiter& waiter) {
  std::ranges::sort(suspects_);
  suspects_.erase(std::unique(suspects_.begin(), suspects_.end()), suspects_.end());
  const auto query = postgres::for_runs(suspects_, postgres::sorted_runs_copy(profile_, plan_.key_types));
  suspects_.clear();
  postgres::CopyFields fields;
  return sql_.copy_out(query, waiter, kSilence, [&](std::string_view line) {
    fields.split(line);
    suspects_.emplace_back(fields[0].value_or(std::string_view{}));
  });
}

std::optional<Error> FilteredScan::read(postgres::Waiter& waiter,
                                        const std::function<void(const postgres::CopyFields&)>& row,
                                        const std::function<void(const std::string&)>& run_end) {
  if (auto error = sort(waiter)) return error;
  const auto copy = postgres::picked_runs_copy(profile_, plan_.select, plan_.key_types);
  const std::size_t batches = (suspects_.size() + kPickedRuns - 1) / kPickedRuns;
  const bool two = batches > kManyBatches && other() != nullptr;
  const auto session = [&](std::size_t batch) -> postgres::Connection& {
    return two && batch % 2 == 1 ? *other_ : sql_;
  };
  const auto ask = [&](std::size_t batch) {
    if (batch >= batches) return;
    const auto first = batch * kPickedRuns;
    const auto runs = std::span(suspects_).subspan(first, std::min(kPickedRuns, suspects_.size() - first));
    // What goes wrong here is told where the answer is read.
    (void)session(batch).send(postgres::for_runs(runs, copy), {});
    (void)session(batch).flush();
  };
  const std::size_t ahead = two ? 2 : 1;
  for (std::size_t batch = 0; batch < ahead; ++batch) ask(batch);
  postgres::CopyFields fields;
  for (std::size_t batch = 0; batch < batches; ++batch) {
    std::optional<std::string> run;
    const auto end_run = [&] {
      run_end(*run);
      last_run_ = run;
    };
    auto error = session(batch).receive_copy(waiter, kSilence, [&](std::string_view line) {
      fields.split(line);
      const auto of_row = fields[0].value_or(std::string_view{});
      if (run != of_row) {
        if (run) end_run();
        run = of_row;
      }
      row(fields);
    });
    if (error) return error;
    if (run) end_run();
    ask(batch + ahead);
  }
  return std::nullopt;
}

}  // namespace dupwatch::table
