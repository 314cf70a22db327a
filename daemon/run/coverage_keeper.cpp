#include "daemon/run/coverage_keeper.hpp"

#include <utility>

#include "daemon/core/reattachment.hpp"
#include "daemon/process/clock.hpp"

namespace dupwatch::run {
namespace {

std::string_view words(core::GapReason reason) noexcept {
  if (reason == core::GapReason::kOtherHistory)
    return "another server or timeline answers: commits around the change may not have been seen";
  if (reason == core::GapReason::kPositionAhead)
    return "the slot is ahead of what was confirmed: commits in between were not seen";
  if (reason == core::GapReason::kRestored)
    return "the server's WAL ends before what was confirmed: it was put back to an earlier point";
  if (reason == core::GapReason::kUnknownPast) return "what was seen before this start is not known";
  if (reason == core::GapReason::kSlotCreated)
    return "the slot is another than the one that was read before: commits in between may not have been seen";
  if (reason == core::GapReason::kTableChanged)
    return "table or publication was replaced while nobody looked: what was committed meanwhile may not have "
           "been seen";
  return "commits may not have been seen";
}

core::GapReason gap_of(core::Disagreement kind) noexcept {
  return kind == core::Disagreement::kDeaf ? core::GapReason::kDeaf : core::GapReason::kBlind;
}

}  // namespace

CoverageKeeper::CoverageKeeper(const core::Config& config, const core::LifeCycle& life, core::Watch& watch,
                               const findings::FindingOutputs& outputs, process::EventFd& wake,
                               process::Log& log)
    : config_(config), life_(life), watch_(watch), outputs_(outputs), log_(log), book_(wake) {}

void CoverageKeeper::open_book() {
  auto path = CoverageBook::path_for(config_);
  if (path.empty()) {
    log_.info("coverage is not remembered across restarts: each start is a gap until a scan has closed it",
              {{"event", "coverage_not_kept"},
               {"remedy", "set findings.file to a regular file, or run under systemd with StateDirectory"}});
  }
  if (const auto problem = book_.open(std::move(path))) {
    log_.warn(*problem, {{"reason", "coverage_file"},
                         {"remedy", "none needed: this start is a gap, which a scan closes"}});
  }
  if (!book_.known()) return;
  for (const auto& gap : book_.known()->open_gaps) {
    coverage_.open(gap.reason, gap.from, gap.to, gap.opened);
    log_.warn("a gap of before is still open: a scan closes it", {{"event", "coverage_gap"},
                                                                  {"gap", std::string(to_string(gap.reason))},
                                                                  {"from", decoder::to_string(gap.from)},
                                                                  {"to", decoder::to_string(gap.to)}});
  }
  noted_revision_ = coverage_.revision();
}

void CoverageKeeper::open(core::GapReason reason, decoder::Lsn from, decoder::Lsn to) {
  coverage_.open(reason, from, to, process::wall_now());
}

void CoverageKeeper::tell(const core::FoundGap& gap) {
  const process::Log::Fields fields{{"event", "coverage_gap"},
                                    {"reason", "coverage_gap"},
                                    {"gap", std::string(to_string(gap.reason))},
                                    {"confirmed_lsn", decoder::to_string(gap.from)},
                                    {"from", decoder::to_string(gap.to)},
                                    {"timeline", std::to_string(origin_.coverage.timeline), true},
                                    {"remedy", "none needed: a scan closes the gap"}};
  // A first start of this version, or one whose findings go nowhere: nothing has happened.
  if (gap.reason == core::GapReason::kUnknownPast) {
    log_.warn(std::string(words(gap.reason)), fields);
  } else {
    log_.error(std::string(words(gap.reason)), fields);
  }
}

bool CoverageKeeper::attached(const Attachment& attachment) {
  const auto& publication = attachment.table.publication;
  const bool published = attachment.plugin == decoder::Plugin::kPgoutput && publication;
  origin_.coverage = {.system_identifier = attachment.system.system_identifier,
                      .timeline = attachment.system.timeline,
                      .slot = config_.slot.name,
                      .plugin = std::string(to_string(attachment.plugin)),
                      .two_phase = attachment.slot && attachment.slot->two_phase,
                      .table = attachment.table.oid,
                      .publication = published ? publication->oid : 0};
  const bool restarted =
      std::exchange(origin_.postmaster, attachment.server.started) != attachment.server.started;
  const auto judged = judge_reattachment(book_.known(),
                                         {.origin = origin_.coverage,
                                          .from = attachment.from,
                                          .wal_end = attachment.system.wal_position,
                                          .slot_created = attachment.created.has_value(),
                                          .standby = postgres::in_recovery(attachment.replication)},
                                         {.streamed = life_.has_streamed(),
                                          .confirmed = watch_.confirmed(),
                                          .restarted = restarted,
                                          .pending = life_.pending_gap()});
  for (const auto& gap : judged.gaps) {
    open(gap.reason, gap.from, gap.to);
    tell(gap);
  }
  if (judged.other_rows) {
    watch_.forget_rows();
  } else if (judged.doubts_runs) {
    watch_.doubt_runs();
  }
  if (judged.doubts_findings) watch_.doubt_findings();
  return judged.doubts_findings;
}

bool CoverageKeeper::slot_created(const Attachment& attachment) {
  const bool first = !life_.has_streamed() && !book_.known();
  if (config_.baseline == core::Baseline::kNone && first && !life_.pending_gap()) return false;
  const auto reason =
      gap_before_slot(book_.known(), {.streamed = life_.has_streamed(), .pending = life_.pending_gap()});
  const auto known = book_.known() ? book_.known()->confirmed : decoder::Lsn{};
  open(reason, life_.has_streamed() ? watch_.confirmed() : known, attachment.from);
  const process::Log::Fields fields{{"event", "coverage_gap"},
                                    {"gap", std::string(to_string(reason))},
                                    {"to", decoder::to_string(attachment.from)}};
  if (reason == core::GapReason::kFirstStart) {
    log_.info("rows from before the first start are judged by a scan", fields);
  } else {
    log_.warn("the slot was recreated: a scan looks for what was committed meanwhile", fields);
  }
  return true;
}

void CoverageKeeper::stream_starts(decoder::Lsn from) {
  book_.begin(origin_.coverage, from, coverage_.recorded_gaps());
  noted_revision_ = coverage_.revision();
}

void CoverageKeeper::streaming() {
  coverage_.started(process::wall_now());
}

bool CoverageKeeper::turn(SlotMonitor& monitor, ServerWatch& server) {
  std::uint64_t decode_errors = 0;
  for (const auto count : watch_.counters().decode_errors) decode_errors += count;
  if (decode_errors != std::exchange(decode_errors_, decode_errors)) {
    open(core::GapReason::kDecodeError, watch_.judged(), watch_.received());
  }
  if (const auto reason = monitor.take_gap()) {
    open(*reason, watch_.judged(), decoder::Lsn{});
    watch_.doubt_runs();
  }
  // What the catalogue explains needs no witness.
  if (!monitor.table_trouble().empty()) watch_.witness().explain();
  judge_witness(server);
  coverage_.settle(!watch_.has_findings(), outputs_.durability());
  if (noted_revision_ == coverage_.revision()) return false;
  noted_revision_ = coverage_.revision();
  book_.note_gaps(coverage_.recorded_gaps());
  return true;
}

void CoverageKeeper::judge_witness(ServerWatch& server) {
  for (const auto& verdict : server.take_disagreements()) {
    const auto reason = gap_of(verdict.kind);
    open(reason, verdict.since, decoder::Lsn{});
    watch_.doubt_runs();
    log_.error(
        server.disagreement(),
        {{"event", "coverage_gap"},
         {"gap", std::string(to_string(reason))},
         {"run_id", verdict.row.run_id},
         {"event_id", verdict.row.id},
         {"from", decoder::to_string(verdict.since)},
         {"remedy", "dupwatch check may name the cause; the runbook of DupwatchDisagreement goes on"}});
  }
  const auto over = watch_.witness().take_recovery();
  if (!over) return;
  const auto reason = gap_of(over->kind);
  open(reason, over->since, watch_.received());
  watch_.doubt_runs();
  log_.info("stream and table agree again: a scan looks for what was missed meanwhile",
            {{"event", "coverage_gap"},
             {"gap", std::string(to_string(reason))},
             {"from", decoder::to_string(over->since)}});
}

void CoverageKeeper::describe(core::StatusSnapshot& out, core::Instant /*now*/) const {
  out.coverage.gaps = coverage_.gaps();
  out.coverage.opened = coverage_.opened_total();
  out.coverage.open = coverage_.open_now();
  out.coverage.complete_since = coverage_.complete_since();
}

std::string CoverageKeeper::trouble(core::Instant /*now*/) const {
  const auto trouble = book_.trouble();
  return trouble.empty() ? trouble : "coverage can't be remembered: " + trouble;
}

}  // namespace dupwatch::run
