#include "tests/sim/coverage_keeper.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "daemon/core/reattachment.hpp"
#include "tests/sim/judge_runs.hpp"

namespace dupwatch::sim {
namespace {

constexpr std::size_t kFindingsPerTurn = 5;
/// Rows on the last pages of the table.
constexpr std::size_t kTailRows = 12;

}  // namespace

void CoverageKeeper::process_started(core::Watch& watch) {
  watch_ = &watch;
  pages_ = {};
  if (world_.options.coverage_file) pages_.keep();
  coverage_ = {};
  page_.reset();
  scan_.reset();
  round_.reset();
  pairs_.reset();
  ever_streamed_ = false;
  const auto& text = world_.coverage_file.text();
  if (pages_.kept() && text) pages_.restore(core::read_coverage_record(*text));
  if (!pages_.known()) return;
  for (const auto& gap : pages_.known()->open_gaps) coverage_.open(gap.reason, gap.from, gap.to, {});
  noted_revision_ = coverage_.revision();
}

bool CoverageKeeper::attach(core::Instant now) {
  auto& server = world_.server;
  if (!server.can_stream()) return false;
  const bool created = !server.has_slot();
  if (created) server.create_slot();
  origin_ = {.system_identifier = "7301234567890",
             .timeline = server.timeline(),
             .slot = "dupwatch",
             .plugin = "plugin",
             .two_phase = false,
             .table = 16385,
             .publication = server.publication()};
  const core::SeenBefore before{
      .streamed = ever_streamed_,
      .confirmed = watch_->confirmed(),
      .restarted = std::exchange(postmaster_, server.postmaster()) != server.postmaster()};
  const auto judged = core::judge_reattachment(pages_.known(),
                                               {.origin = origin_,
                                                .from = decoder::Lsn{server.slot()},
                                                .wal_end = decoder::Lsn{server.wal_end()},
                                                .slot_created = created},
                                               before);
  const auto& known = pages_.known();
  world_.inspector.attached(known ? std::optional(known->confirmed) : std::nullopt, judged.gaps);
  for (const auto& gap : judged.gaps) open(gap.reason, gap.from, gap.to);
  if (judged.other_rows) {
    watch_->forget_rows();
  } else if (judged.doubts_runs) {
    watch_->doubt_runs();
  }
  if (judged.doubts_findings) watch_->doubt_findings();
  if (created && !core::is_planted(core::Planted::kIgnoreNewSlot)) {
    open(core::gap_before_slot(pages_.known(), before), {}, decoder::Lsn{server.slot()});
    begin_scan(now);
  }
  return true;
}

void CoverageKeeper::stream_started(std::uint64_t from) {
  pages_.begin(origin_, decoder::Lsn{from}, coverage_.recorded_gaps());
  noted_revision_ = coverage_.revision();
  streaming_ = ever_streamed_ = true;
  coverage_.started({});
}

void CoverageKeeper::stream_ended() {
  streaming_ = false;
  round_.reset();
  pairs_.reset();
}

void CoverageKeeper::open(core::GapReason reason, decoder::Lsn from, decoder::Lsn to) {
  world_.trace("gap", "{} {} to {}", to_string(reason), from.value, to.value);
  world_.inspector.gap_opened(reason);
  coverage_.open(reason, from, to, {});
}

void CoverageKeeper::turn_file(bool fails, const core::BasicDurability<PlantedBug>& durability) {
  coverage_.settle(!watch_->has_findings(), durability);
  if (noted_revision_ != coverage_.revision()) {
    noted_revision_ = coverage_.revision();
    pages_.note_gaps(coverage_.recorded_gaps());
  }
  if (auto page = pages_.take_page()) {
    page_ = std::move(page);
    return;
  }
  if (!page_ || fails) return;
  world_.coverage_file.write(page_->text);
  world_.trace("page", "{}", page_->confirmed.value);
  pages_.written(page_->number, page_->confirmed);
  page_.reset();
}

std::uint64_t CoverageKeeper::confirmable(std::uint64_t wanted, core::Instant now) {
  const auto position = pages_.confirmable(decoder::Lsn{wanted}, now).value;
  // The file did not answer for so long that it is not waited for.
  const auto& text = world_.coverage_file.text();
  const auto written = text ? core::read_coverage_record(*text) : std::nullopt;
  if (pages_.waits_too_long(now) && (!written || written->confirmed.value < position)) {
    world_.inspector.cause(core::GapReason::kPositionAhead);
  }
  return position;
}

void CoverageKeeper::begin_scan(core::Instant now) {
  world_.trace("scan");
  coverage_.scan_failed();
  if (!coverage_.complete()) watch_->doubt_runs();
  coverage_.scan_begins();
  scan_ = Scan{.began = now, .runs = {}, .findings = {}};
}

void CoverageKeeper::turn_scan(core::Instant now) {
  if (!scan_) {
    if (streaming_ && coverage_.needs_scan()) begin_scan(now);
    return;
  }
  if (!scan_->runs) {
    scan_->runs = world_.server.run_ids();
    judge(world_.server.snapshot({scan_->runs->begin(), scan_->runs->end()}, world_.trace.step));
    return;
  }
  auto& findings = scan_->findings;
  for (std::size_t i = 0; i < kFindingsPerTurn && scan_->delivered < findings.size(); ++i) {
    watch_->baseline_finding(std::move(findings[scan_->delivered++]), scan_->began);
  }
  if (scan_->delivered < findings.size()) return;
  scan_.reset();
  for (const auto& gap : coverage_.scan_ended({})) world_.trace("gap closed", "{}", to_string(gap.reason));
}

void CoverageKeeper::judge(const std::vector<oracle::Event>& rows) {
  world_.inspector.shown(rows);
  JudgedRuns runs(config_, world_.options);
  for (const auto& row : rows) runs.add(row);
  scan_->findings = runs.findings(core::Origin::kBaseline);
}

void CoverageKeeper::fail_scan() {
  if (!scan_) return;
  world_.trace("scan failed");
  scan_.reset();
  coverage_.scan_failed();
}

void CoverageKeeper::turn_witness(core::Instant now) {
  auto& witness = watch_->witness();
  auto& server = world_.server;
  if (!streaming_ || !world_.options.witness) return;
  if (pairs_) {
    std::vector<core::Witness::Row> shown;
    const auto rows = *std::exchange(pairs_, std::nullopt);
    for (const auto& row : rows) {
      if (server.shows(row.run_id, row.id, world_.trace.step)) shown.push_back(row);
    }
    witness.answered(shown, now);
  } else if (!round_) {
    round_ = Round{.asked = watch_->received()};
    return;
  } else {
    for (const auto& [row, xid] : server.tail(kTailRows, world_.trace.step)) {
      watch_->table_row(row->run_id, row->id, row->type, core::values_of(row->identity), xid, now);
    }
    auto moment = server.moment(world_.trace.step);
    if (world_.options.counts) moment.edits = core::Witness::Edits{};
    witness.at(moment, std::exchange(round_, std::nullopt)->asked, now);
    if (auto rows = witness.to_ask(); !rows.empty()) pairs_ = std::move(rows);
  }
  judge_witness(now);
}

void CoverageKeeper::judge_witness(core::Instant now) {
  const auto gap_of = [](core::Disagreement kind) {
    return kind == core::Disagreement::kDeaf ? core::GapReason::kDeaf : core::GapReason::kBlind;
  };
  auto& witness = watch_->witness();
  for (const auto& verdict : witness.judge(watch_->judged(), now)) {
    world_.trace("disagreement", "{} {}", verdict.row.run_id, verdict.row.id);
    open(gap_of(verdict.kind), verdict.since, {});
    watch_->doubt_runs();
  }
  if (const auto over = witness.take_recovery()) {
    open(gap_of(over->kind), over->since, watch_->received());
    watch_->doubt_runs();
  }
}

bool CoverageKeeper::idle() const {
  return coverage_.complete() && !scan_ && !page_ && pages_.settled() &&
         noted_revision_ == coverage_.revision() && !watch_->witness().standing();
}

}  // namespace dupwatch::sim
