#include "daemon/run/read_back_fetcher.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "daemon/postgres/catalog.hpp"
#include "daemon/table/table_row.hpp"

namespace dupwatch::run {
namespace {

constexpr std::chrono::milliseconds kRetryMin{50};
constexpr std::chrono::milliseconds kRetryMax{5'000};
// A query for two runs costs as much as one for thirty: asked one after the other, they took a quarter of the
// daemon's time in a backlog of rows of 200 bytes, and a good part of the server's. A backlog is late
// already.
constexpr std::chrono::milliseconds kBatchInterval{10};
constexpr std::uint64_t kLongBatchRows = 10'000;
constexpr std::uint64_t kLongRunRows = 256;
constexpr std::chrono::seconds kRestMax{5};

}  // namespace

ReadBackFetcher::ReadBackFetcher(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql,
                                 process::Log& log, std::uint64_t seed)
    : config_(config), watch_(watch), sql_(sql), log_(log), backoff_(kRetryMin, kRetryMax, seed) {}

void ReadBackFetcher::pump(core::Instant now, bool backlog) {
  now_ = now;
  if (in_flight_ || (retry_at_ != core::Instant::max() && now < retry_at_)) return;
  // Where the runs that wait stop the reading, nothing more would be gathered.
  const auto from = std::max(rested_at_, backlog ? sent_ + kBatchInterval : core::Instant{});
  const bool gathers = watch_.pending_runs() != 0 && watch_.may_read() && now < from;
  gather_until_ = gathers ? from : core::Instant::max();
  if (gathers) return;
  auto batch = watch_.next_read_back();
  if (!batch) return;
  sent_ = now;
  retry_at_ = core::Instant::max();
  postgres::SqlClient::Query query;
  query.text = postgres::without_statement_timeout(postgres::for_runs(batch->run_ids, copy_));
  query.silence_max = silence_max_;
  rows_before_ = watch_.counters().read_back_rows;
  runs_ = batch->run_ids.size();
  query.on_copied = [this](std::string_view line) {
    fields_.split(line);
    const table::TableRow row(config_.profile, fields_);
    watch_.read_back_row(row.run_id(), row.id(), row.type(), row.identity(), row.commit(), now_, row.spec());
  };
  query.on_done = [this](std::optional<postgres::Error> error) { finished(std::move(error)); };
  in_flight_ = true;
  // The queue holds the monitor's two queries beside this one; a refusal means that its bound is wrong.
  if (!sql_.submit(std::move(query))) {
    finished(postgres::Error{.fault = postgres::Fault::kTransient,
                             .cause = postgres::Cause::kQueueFull,
                             .sqlstate = {},
                             .message = "too many queries wait",
                             .remedy = {}});
  }
}

void ReadBackFetcher::rest() {
  const auto rows = watch_.counters().read_back_rows - rows_before_;
  if (rows < kLongBatchRows || rows < runs_ * kLongRunRows) return;
  const auto now = process::steady_now();
  rested_at_ = now + std::min<core::Instant::duration>(now - sent_, kRestMax);
}

void ReadBackFetcher::finished(std::optional<postgres::Error> error) {
  in_flight_ = false;
  if (!error) {
    rest();
    silence_max_ = kSilenceMin;
    backoff_.reset();
    trouble_.reset();
    watch_.read_back_done();
    return;
  }
  watch_.read_back_failed();
  silence_max_ = std::min(silence_max_ * 2, kSilenceMax);
  const auto delay = backoff_.next();
  retry_at_ = process::steady_now() + delay;
  log_.warn("cannot read runs back; retrying, the slot's position is held meanwhile",
            {{"reason", std::string(to_string(error->cause))},
             {"sqlstate", error->sqlstate},
             {"error", error->message},
             {"remedy", error->remedy},
             {"retry_in_ms", std::to_string(delay.count()), true}});
  trouble_ = std::move(error);
}

}  // namespace dupwatch::run
