#pragma once

#include <cstdint>
#include <string>

#include "daemon/core/coverage.hpp"
#include "daemon/core/life_cycle.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/findings/outputs.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/attach.hpp"
#include "daemon/run/coverage_book.hpp"
#include "daemon/run/server_watch.hpp"
#include "daemon/run/slot_monitor.hpp"
#include "daemon/run/status_part.hpp"

namespace dupwatch::run {

/// Opens a gap for what may have gone unseen, remembers gaps across restarts, and says what of them is open.
/// Owned by the loop thread.
class CoverageKeeper final : public StatusPart {
 public:
  CoverageKeeper(const core::Config& config, const core::LifeCycle& life, core::Watch& watch,
                 const findings::FindingOutputs& outputs, process::EventFd& wake, process::Log& log);

  /// Reads what an earlier process knew.
  void open_book();
  /// What was streamed before, by this process or an earlier one; nullptr = not known.
  [[nodiscard]] const core::CoverageOrigin* known_origin() const noexcept {
    return book_.known() ? &book_.known()->origin : nullptr;
  }
  /// Compares what is known of coverage with what was found, and opens gaps for what may have gone unseen.
  /// True: findings are in doubt, for the log has another history than the one they are of.
  bool attached(const Attachment& attachment);
  /// The slot was just made: opens the gap before it. False: that gap is left out by configuration.
  [[nodiscard]] bool slot_created(const Attachment& attachment);
  /// What is known of the gaps is on its way to the disk; call before the first position is confirmed.
  void stream_starts(decoder::Lsn from);
  void streaming();
  void open(core::GapReason reason, decoder::Lsn from, decoder::Lsn to);
  /// Opens gaps for what this turn shows; true = what is known of coverage has changed.
  [[nodiscard]] bool turn(SlotMonitor& monitor, ServerWatch& server);

  [[nodiscard]] core::Coverage& coverage() noexcept { return coverage_; }
  [[nodiscard]] CoverageBook& book() noexcept { return book_; }

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant now) const override;

 private:
  void tell(const core::FoundGap& gap);
  /// Where stream and table disagree, and where they agree again: a last scan looks for what was missed
  /// before they did.
  void judge_witness(ServerWatch& server);
  /// What was found last.
  struct Origin {
    core::CoverageOrigin coverage;
    /// When the server that was streamed from was started.
    std::string postmaster;
  };

  const core::Config& config_;
  const core::LifeCycle& life_;
  core::Watch& watch_;
  const findings::FindingOutputs& outputs_;
  process::Log& log_;
  core::Coverage coverage_;
  CoverageBook book_;
  Origin origin_;
  std::uint64_t noted_revision_ = 0;
  std::uint64_t decode_errors_ = 0;
};

}  // namespace dupwatch::run
