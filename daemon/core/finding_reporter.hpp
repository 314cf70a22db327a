#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/reported_findings.hpp"
#include "daemon/core/stats.hpp"

namespace dupwatch::core {

/// A later look at one run in the tables.
struct RunView {
  std::string run_id;
  std::vector<Finding> findings;
  /// The findings are all those that the event log makes, and all those of the table rules.
  bool log_read = false;
  bool tables_read = false;
};

/// Lets out what is new or has changed of what the stream, read-backs, scans and later looks find, and closes
/// what is gone. Pure.
class FindingReporter {
 public:
  /// With synchronous replication a commit is in the stream before other sessions see it.
  static constexpr std::chrono::seconds kSettled{10};

  /// `seed` varies hash tables, nothing else. References must outlive it.
  FindingReporter(const Config& config, Counters& counters, std::uint64_t seed);

  /// True: it is told.
  bool report(Finding finding, Instant now);
  /// Of a scan that began at `began`, judged from its snapshot: what was told long before is corrected by it.
  void report_of_scan(Finding finding, Instant began, Instant now);
  /// An earlier process told it; what is told next of it is a change. False: it is of another table, or
  /// known.
  bool restore(Finding& finding);
  /// findings.acknowledged was `before`: findings that stand are told again where their state is another now.
  void acknowledged_changed(const std::vector<std::uint64_t>& before, Instant now);
  /// What came of a person's wish to acknowledge a finding or to take that back.
  enum class Acknowledged : std::uint8_t {
    kDone,
    kNotKnown,       ///< no such finding, or it was forgotten
    kDoesNotStand,   ///< a row is gone, or the run has ended
    kNot,            ///< to be taken back, and it is not acknowledged
    kConfiguration,  ///< to be taken back, and findings.acknowledged names it
    kFull            ///< Acknowledgements::kMax are in force
  };
  /// The severity of `acknowledgement` is the finding's. kDone: the finding is told again.
  [[nodiscard]] Acknowledged acknowledge(std::uint64_t finding_id, Acknowledgement acknowledgement,
                                         Instant now);
  [[nodiscard]] Acknowledged unacknowledge(std::uint64_t finding_id, Instant now);
  /// Findings whose acknowledgement has ended at `wall` are told again as open.
  void expire_acknowledgements(decoder::Timestamp wall, Instant now);
  /// The findings that a person has acknowledged, as they are known.
  [[nodiscard]] std::vector<Finding> acknowledged() const;
  /// nullopt: not known.
  [[nodiscard]] std::optional<Finding> known(std::uint64_t finding_id) const;

  /// A known finding is over. Its run; nullopt: it is not known.
  std::optional<std::string> report_quarantined(std::uint64_t finding_id, Instant now);
  void report_gone(std::uint64_t finding_id, Instant now);
  /// The tables were asked at `asked`: known findings that are not in the view are gone. `watched`: the
  /// stream looks after the run's slots. True: something of the event log has changed.
  bool rechecked(RunView view, Instant asked, bool slots_watched, Instant now);

  /// Findings that were in doubt (ReportedFindings::doubt) and are as they were told, since the last call: a
  /// table may have lost them with the rows. So many at most; the others stay in doubt until the next look.
  static constexpr std::size_t kConfirmedMax = 2000;
  [[nodiscard]] std::vector<Finding> take_confirmed() { return std::exchange(confirmed_, {}); }

  [[nodiscard]] bool has_findings() const noexcept { return !findings_.empty(); }
  /// Since the last call, in order.
  [[nodiscard]] std::vector<Finding> take() { return std::exchange(findings_, {}); }
  [[nodiscard]] ReportedFindings& reported() noexcept { return reported_; }
  [[nodiscard]] const ReportedFindings& reported() const noexcept { return reported_; }

 private:
  /// What is said of findings that stand goes into it; of others it ends.
  void note_acknowledgement(Finding& finding);
  /// Of the record of an earlier process.
  void restore_acknowledgement(Finding& finding);
  /// It was told before, and is to be told again where that is another now.
  void tell_again(std::uint64_t finding_id, Instant now);
  void tell(Finding finding);
  /// The run was looked at, and what has changed was told.
  void confirm_doubted(const std::string& run_id, Instant settled);

  const Profile& profile_;
  const FindingsConfig& config_;
  Counters& counters_;
  ReportedFindings reported_;
  std::vector<Finding> findings_;
  std::vector<Finding> confirmed_;
};

}  // namespace dupwatch::core
