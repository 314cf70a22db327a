#include "daemon/findings/table_writer.hpp"

#include <memory>
#include <unordered_map>
#include <utility>

#include "daemon/core/finding_record.hpp"
#include "daemon/core/reported_findings.hpp"
#include "daemon/postgres/findings_table.hpp"

namespace dupwatch::findings {
namespace {

using postgres::Error;

constexpr std::chrono::milliseconds kRetryMin{200};
constexpr std::chrono::milliseconds kRetryMax{10'000};
constexpr std::size_t kRowsPerWrite = 200;
constexpr std::size_t kBytesPerWrite = std::size_t{512} << 10U;

std::string table_remedy(const Error& error) {
  if (postgres::lacks_setup(error)) {
    return "run the SQL of `dupwatch setup --print-sql`, which makes findings.table and grants what it needs";
  }
  if (postgres::cannot_be_written(error)) {
    return "the slot is on a standby, which cannot be written: use findings.file instead of findings.table";
  }
  return error.remedy;
}

}  // namespace

TableWriter::TableWriter(const core::Config& config, postgres::SqlClient& sql, process::Log& log,
                         std::uint64_t seed)
    : config_(config),
      sql_(sql),
      log_(log),
      backoff_(kRetryMin, kRetryMax, seed),
      load_(config.findings.table_name.empty() ? Load::kDone : Load::kFirst) {}

void TableWriter::add(const core::Finding& finding, Over over) {
  if (config_.findings.table_name.empty()) return;
  waiting_.push_back({finding.id, postgres::findings_row(finding), over});
  waiting_bytes_ += waiting_.back().row.size();
}

void TableWriter::pump(core::Instant now) {
  if (in_flight_ || (retry_at_ != core::Instant::max() && now < retry_at_)) return;
  retry_at_ = core::Instant::max();
  if (load_ != Load::kDone) {
    load();
  } else if (!waiting_.empty()) {
    write();
  }
}

void TableWriter::load() {
  postgres::SqlClient::Query query;
  query.text = postgres::findings_load_query(config_.findings, core::ReportedFindings::kFindingsMax);
  auto records = std::make_shared<std::vector<core::Finding>>();
  query.on_row = [records](const pg_result& result, int row) {
    auto finding = core::read_finding(postgres::cell(result, row, 0).value_or(std::string_view{}));
    if (finding) records->push_back(std::move(*finding));
  };
  query.on_done = [this, records](const std::optional<Error>& error) {
    // The stream gives the connection up when it begins, which is when this is first asked.
    const bool renewed = error && error->cause == postgres::Cause::kRenewed;
    if (!renewed) load_ = error ? Load::kAgain : Load::kDone;
    if (!error) past_ = std::move(*records);
    finished(error, "cannot read the findings table; what is in it may be reported as new");
  };
  in_flight_ = sql_.submit(std::move(query));
}

void TableWriter::write() {
  std::vector<std::string> rows;
  std::unordered_map<std::uint64_t, std::size_t> place;
  std::size_t count = 0;
  std::size_t bytes = 0;
  const auto over = waiting_.front().over;
  for (const auto& [id, row, own_over] : waiting_) {
    if (count == kRowsPerWrite || (count != 0 && bytes + row.size() > kBytesPerWrite) || own_over != over)
      break;
    ++count;
    bytes += row.size();
    // The newest state alone counts, and a statement may touch a row only once.
    const auto [known, fresh] = place.try_emplace(id, rows.size());
    if (fresh) {
      rows.push_back(row);
    } else {
      rows[known->second] = row;
    }
  }
  postgres::SqlClient::Query query;
  query.text = postgres::findings_upsert(config_.findings, rows, over == Over::kOther);
  query.on_done = [this, count, bytes](const std::optional<Error>& error) {
    if (!error) {
      waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
      waiting_bytes_ -= bytes;
      recorded_ += count;
    }
    finished(error, "cannot write to the findings table; retrying, the slot's position is held meanwhile");
  };
  in_flight_ = sql_.submit(std::move(query));
}

void TableWriter::finished(const std::optional<Error>& error, const char* what) {
  in_flight_ = false;
  if (!error) {
    if (trouble_) log_.info("the findings table answers again", {{"event", "findings_table_back"}});
    trouble_.reset();
    backoff_.reset();
    return;
  }
  if (error->cause == postgres::Cause::kRenewed) return;
  ++failures_;
  const auto delay = backoff_.next();
  retry_at_ = process::steady_now() + delay;
  log_.error(what, {{"reason", "findings_table"},
                    {"sqlstate", error->sqlstate},
                    {"error", error->message},
                    {"remedy", table_remedy(*error)},
                    {"retry_in_ms", std::to_string(delay.count()), true}});
  trouble_ = error;
}

}  // namespace dupwatch::findings
