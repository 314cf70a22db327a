#include "daemon/run/finding_delivery.hpp"

#include <fmt/format.h>

namespace dupwatch::run {

FindingDelivery::FindingDelivery(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql,
                                 web::StatusStore& store, process::EventFd& wake, process::Log& log,
                                 std::uint64_t seed)
    : config_(config),
      watch_(watch),
      store_(store),
      log_(log),
      table_(config, sql, log, seed),
      webhook_(config, log, seed + 1),
      quarantine_(config, log, wake),
      outputs_(config.findings, log, store, table_, webhook_, quarantine_, wake),
      acknowledger_(watch, outputs_, wake) {}

void FindingDelivery::restore_past() {
  auto known = outputs_.take_past();
  if (!known) return;
  std::size_t count = 0;
  for (auto& past : *known) {
    auto& finding = past.finding;
    if (!watch_.restore(finding)) continue;
    ++count;
    outputs_.complete(past);
    if (core::is_table_rule(finding.rule)) restored_.push_back(finding.id);
    if (finding.stands()) store_.restore(std::move(finding));
  }
  if (count == 0 && config_.findings.table_name.empty()) return;
  log_.info("restored the known findings",
            {{"event", "findings_restored"}, {"count", std::to_string(count), true}});
}

bool FindingDelivery::turn(core::Instant now) {
  outputs_.turn(now);
  restore_past();
  for (const auto finding : quarantine_.take_done()) watch_.quarantined(finding, now);
  return acknowledger_.turn(now);
}

void FindingDelivery::report(core::Instant now) {
  if (watch_.has_findings()) outputs_.report(watch_.take_findings(), now);
  outputs_.sync(now);
}

void FindingDelivery::record_confirmed(std::vector<core::Finding> findings) {
  for (auto& finding : findings) outputs_.record_in_table(std::move(finding));
}

void FindingDelivery::describe(core::StatusSnapshot& out, core::Instant now) const {
  out.counters.findings_log_suppressed = outputs_.log_suppressed();
  out.counters.commit_to_flag = outputs_.commit_to_flag();
  out.findings.open = watch_.reported().open();
  out.findings.acknowledged = watch_.reported().acknowledged();
  out.findings.may_return = watch_.reported().open_may_return();
  out.findings.durable = !table_.trouble() && outputs_.file_trouble(now).empty();
  out.findings.waiting = table_.added() - table_.recorded();
  out.findings.write_failures = {outputs_.file_failures(), table_.failures()};
  out.webhook = webhook_.stats();
  out.quarantine = quarantine_.stats();
}

std::string FindingDelivery::trouble(core::Instant now) const {
  if (table_.trouble()) {
    return fmt::format("findings.table can't be {}: {}", table_.reading() ? "read" : "written",
                       table_.trouble()->message);
  }
  if (const auto trouble = outputs_.file_trouble(now); !trouble.empty()) {
    return "findings.file can't be written: " + trouble;
  }
  if (outputs_.loading()) return "reading the known findings";
  if (!outputs_.accepts()) return "findings wait for findings.file or findings.table";
  return {};
}

}  // namespace dupwatch::run
