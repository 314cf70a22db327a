#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/confirm_rule.hpp"
#include "daemon/core/deferred_rows.hpp"
#include "daemon/core/finding_reporter.hpp"
#include "daemon/core/heartbeat.hpp"
#include "daemon/core/judging_queue.hpp"
#include "daemon/core/log_traits.hpp"
#include "daemon/core/order_watch.hpp"
#include "daemon/core/position_bound.hpp"
#include "daemon/core/read_back_queue.hpp"
#include "daemon/core/repeated_work.hpp"
#include "daemon/core/replay_rules.hpp"
#include "daemon/core/reply_requests.hpp"
#include "daemon/core/rule_doubts.hpp"
#include "daemon/core/run_index.hpp"
#include "daemon/core/stats.hpp"
#include "daemon/core/witness.hpp"
#include "decoder/decoder.hpp"

namespace dupwatch::core {

/// A batch of runs to read back from the table.
struct ReadBack {
  std::uint64_t number = 0;
  std::vector<std::string> run_ids;
};

/// Something the operator should read in the log; bounded per take, so that a storm stays a few lines.
struct Notice {
  enum class Kind : std::uint8_t { kDecodeError, kUnidentifiable, kTruncated, kColumnsMissing };
  Kind kind = Kind::kDecodeError;
  decoder::Lsn lsn;
  std::string detail;
};

/// The core of the daemon: (CopyData, read-back rows, now) in; findings, read-back requests and the position
/// to confirm out. No I/O and no clock of its own, so the simulator runs the same code. Single-threaded.
///
/// An event of a run that is not in the index makes the run pending: its rows are collected, the run is read
/// back from the table, then the whole run is judged. Rows that the read-back saw and the stream delivers
/// later are redeliveries. Until then the transaction holds the confirmed position.
class Watch final : private decoder::ChangeSink {
 public:
  /// At most this many runs wait for a read-back; then may_read() is false and the walsender is left waiting.
  /// So many that the stream goes on while the server looks up the runs of a restart.
  static constexpr std::size_t kPendingRunsMax = 16'384;
  /// Of which so many are asked for at once.
  static constexpr std::size_t kReadBackRunsMax = 2048;
  /// More than one batch waits only while open logs, which are those of pending runs mostly, take at most
  /// this share of the index's bound.
  static constexpr std::uint64_t kPendingShare = 4;
  static constexpr std::size_t kNoticesMax = 8;
  /// Rows that were deferred, added by one call of judge_on().
  static constexpr std::size_t kDeferredPiece = 512;
  /// `config` must outlive the watch. `seed` varies hash tables, nothing else.
  Watch(const Config& config, std::uint64_t seed);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() = default;

  /// The tables and columns a decoder must deliver: run, id, type (if any), identity columns, scope columns.
  [[nodiscard]] static std::vector<decoder::WatchedTable> watched_tables(const Profile& profile);

  /// `bytea_columns`: those of the watched columns that are of type bytea.
  void stream_started(decoder::Plugin plugin, decoder::Lsn from, std::vector<std::string> bytea_columns = {});
  /// Where the server's WAL ended, as it says elsewhere than in the stream: positions of the stream that lie
  /// far beyond are refused, and counted as malformed.
  void server_wal(decoder::Lsn wal_end, Instant now) noexcept { bound_.told(wal_end, now); }
  /// One CopyData message. Never fails: what can't be decoded is counted and noticed.
  void receive(std::span<const std::byte> copy_data, Instant now);
  /// False while pending work is at its bound: stop reading the socket, go on sending status.
  [[nodiscard]] bool may_read() const noexcept;
  /// Its requests for a status update.
  [[nodiscard]] ReplyRequests& reply_requests() noexcept { return reply_requests_; }

  /// The next batch to read back; nullopt while one is in flight or none is needed.
  [[nodiscard]] std::optional<ReadBack> next_read_back();
  /// A row of the batch in flight. `type` is empty for a table without types; `spec` 0 = it has none.
  void read_back_row(std::string_view run_id, std::string_view id, std::string_view type,
                     std::span<const decoder::Value> identity, const CommitInfo& commit, Instant now,
                     int spec = 0);
  /// All rows of the batch in flight are in. Its runs are judged by and by, see judge_on().
  void read_back_done();
  /// Judges on what waits, a piece of a millisecond or so a call: as a whole the runs of a read-back and long
  /// runs in which a row has changed more than its own finding, and rows of long runs whose logs are packed.
  /// True: there is more, and it wants to be called again at once.
  bool judge_on(Instant now);
  /// When judge_on() has something to do; max() = when the stream or a read-back has brought it.
  [[nodiscard]] Instant next_judging(Instant now) const noexcept {
    return std::min({judging_.next(now), read_backs_.next(), deferred_.next(now)});
  }
  /// The batch in flight is offered again; rows it delivered are redeliveries then.
  void read_back_failed() noexcept;

  /// A row that SQL shows beside any read-back, for the witness alone; `xid` 0 = not known.
  void table_row(std::string_view run_id, std::string_view id, std::string_view type,
                 std::span<const decoder::Value> identity, decoder::Xid xid, Instant now);
  /// Compares what came with what SQL shows.
  [[nodiscard]] Witness& witness() noexcept { return witness_; }
  [[nodiscard]] const Witness& witness() const noexcept { return witness_; }

  /// Runs whose slots have a hole, as far as the stream shows; the table is asked about those that are due.
  [[nodiscard]] SlotHoles& slot_holes() noexcept { return late_.slots; }
  /// Of a profile with rules of its own.
  [[nodiscard]] RuleDoubts& doubts() noexcept { return late_.rules; }
  /// What the table shows in a run that doubts().due() gave.
  void doubts_looked_at(std::string_view run_id, std::vector<Finding> findings, Instant now);
  [[nodiscard]] const SlotHoles& slot_holes() const noexcept { return late_.slots; }
  /// What the table said of a run that was due: the first hole, nullopt = there is none (any more), and what
  /// its own spec version is.
  void slot_hole_seen(std::string_view run_id, const std::optional<SlotNumbers::Gap>& gap,
                      std::optional<Engine> own, Instant now);

  /// A finding of a scan that began at `began`, judged from its snapshot. What was told long before is
  /// corrected by it.
  void baseline_finding(Finding finding, Instant began) {
    if (finding.shape && is_lasting(*finding.shape)) {
      late_.rules.note(finding.run_id, finding.id, std::max(now_, began));
    } else {
      reporter_.report_of_scan(std::move(finding), began, now_);
    }
  }
  /// Runs with open findings to look at again: rows may have been deleted.
  [[nodiscard]] std::vector<std::string> next_rechecks(std::size_t count, Instant now) {
    return reporter_.reported().next_open_runs(count, now - FindingReporter::kSettled);
  }
  /// Of what a later look finds in the log of these runs all that is of use; see ReportedFindings.
  [[nodiscard]] std::unordered_set<std::uint64_t> known_findings(std::span<const std::string> runs) const {
    return reporter_.reported().fault_ids(runs, profile_.qualified_name());
  }
  /// A message of our own with this before a run id asks to look at the run now.
  static constexpr std::string_view kLookRequest = "look ";
  static constexpr std::size_t kLookRequestsMax = 100;
  /// Runs that somebody has just changed by `dupwatch quarantine` and asks to be looked at now, since the
  /// last call.
  [[nodiscard]] std::vector<std::string> take_look_requests() { return std::exchange(look_requests_, {}); }
  /// What the tables said of a run when asked at `asked`: known findings that are not in the view are gone.
  void rechecked(RunView view, Instant asked);
  /// Another history: all that was told is looked at again. See FindingReporter for what comes of it.
  void doubt_findings() { reporter_.reported().doubt(); }
  [[nodiscard]] std::vector<Finding> take_confirmed() { return reporter_.take_confirmed(); }
  /// The row at fault of a known finding was moved to dupwatch.quarantine.
  void quarantined(std::uint64_t finding_id, Instant now);
  /// Of the log, before its first row.
  void set_traits(const LogTraits& traits) noexcept {
    rules_.set_auto_engines(traits.engines);
    index_.set_id_order(traits.ids);
    order_watch_.set_order(traits.ids);
  }
  /// The engine was upgraded: what is judged from now on is judged for these.
  void set_auto_engines(const AutoEngines& engines) noexcept { rules_.set_auto_engines(engines); }
  [[nodiscard]] const ReplayRules& rules() const noexcept { return rules_; }

  /// A finding that an earlier process told; what is told next of it is a change. False: it is of another
  /// table, or known.
  bool restore(Finding& finding) { return reporter_.restore(finding); }

  /// findings.acknowledged was `before`: findings that stand are told anew where their state is another now.
  void acknowledged_changed(const std::vector<std::uint64_t>& before) {
    reporter_.acknowledged_changed(before, now_);
  }

  /// See FindingReporter.
  using Acknowledged = FindingReporter::Acknowledged;
  [[nodiscard]] Acknowledged acknowledge(std::uint64_t finding_id, Acknowledgement acknowledgement,
                                         Instant now) {
    return reporter_.acknowledge(finding_id, std::move(acknowledgement), now);
  }
  [[nodiscard]] Acknowledged unacknowledge(std::uint64_t finding_id, Instant now) {
    return reporter_.unacknowledge(finding_id, now);
  }
  void expire_acknowledgements(decoder::Timestamp wall, Instant now) {
    reporter_.expire_acknowledgements(wall, now);
  }
  [[nodiscard]] std::vector<Finding> acknowledged() const { return reporter_.acknowledged(); }
  [[nodiscard]] std::optional<Finding> known(std::uint64_t finding_id) const {
    return reporter_.known(finding_id);
  }

  /// Findings since the last call, in order. Everything up to ConfirmRule::judged() is in what was taken.
  [[nodiscard]] std::vector<Finding> take_findings();
  [[nodiscard]] bool has_findings() const noexcept { return reporter_.has_findings(); }
  /// All findings ever taken are durable.
  void findings_durable() noexcept { confirm_.findings_durable(); }
  /// All findings up to `position` are durable, which taken() has said since the stream started.
  void findings_durable(decoder::Lsn position) noexcept { confirm_.findings_durable(position); }
  /// Everything up to here is in what take_findings() has given.
  [[nodiscard]] decoder::Lsn taken() const noexcept { return confirm_.taken(); }
  [[nodiscard]] std::vector<Notice> take_notices();

  [[nodiscard]] Heartbeat& heartbeat() noexcept { return heartbeat_; }
  [[nodiscard]] const Heartbeat& heartbeat() const noexcept { return heartbeat_; }

  /// Not enabled where the profile does not ask for it.
  [[nodiscard]] OrderWatchStats order_watch() const {
    return profile_.order_watch ? order_watch_.stats() : OrderWatchStats{};
  }
  /// What was done again, which is no finding.
  [[nodiscard]] RepeatedWork& repeated_work() noexcept { return repeated_work_; }

  void evict(Instant now) { index_.evict(now); }
  /// Rows may have been committed that the stream did not bring, or rows in memory may not exist: runs in
  /// memory are forgotten, and so are those whose read-back is in flight once it has been judged. The next
  /// event of each has it read back.
  void doubt_runs();
  /// The rows of an earlier stream may not exist: nothing of them is kept, judged or not. The next stream
  /// brings again what was not judged. No read-back is in flight.
  void forget_rows();
  [[nodiscard]] Instant next_expiry() const noexcept { return index_.next_expiry(); }

  [[nodiscard]] decoder::Lsn received() const noexcept { return received_; }
  [[nodiscard]] decoder::Lsn judged() const noexcept { return confirm_.judged(); }
  [[nodiscard]] decoder::Lsn confirmed() const noexcept { return confirm_.confirmed(); }
  [[nodiscard]] std::size_t pending_runs() const noexcept { return pending_runs_; }
  [[nodiscard]] const RunIndex& index() const noexcept { return index_; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] Counters& counters() noexcept { return counters_; }
  [[nodiscard]] const ReportedFindings& reported() const noexcept { return reporter_.reported(); }
  /// pg_class oid as last described by pgoutput, 0 = not yet.
  [[nodiscard]] std::uint32_t relation_oid() const noexcept { return relation_oid_; }

 private:
  void on_begin(const decoder::Begin& begin) override;
  void on_commit(const decoder::Commit& commit) override;
  void on_insert(const decoder::Row& row) override;
  void on_update(const decoder::Row& row) override;
  void on_delete(const decoder::Row& row) override;
  void on_truncate(std::size_t table) override;
  void on_message(const decoder::Message& message) override;
  void on_relation(std::size_t table, std::uint32_t relation_oid, std::string_view missing) override;

  struct ListedType {
    std::optional<std::uint8_t> index;
    bool tracked = false;
  };
  [[nodiscard]] ListedType classify(std::string_view type,
                                    std::span<const decoder::Value> identity) const noexcept;
  void add_streamed(const EventRow& row);
  /// The run's log is opened for it, or the run is read back.
  void add_opened(RunIndex::Handle known, const EventRow& row);
  /// The row waits; the position is held until it is judged.
  void defer(RunIndex::Handle known, const EventRow& row);
  /// Adds a piece of what was deferred. True: there is more.
  bool add_deferred();
  /// The row as each rule of the profile sees it.
  void add_streamed_parts(EventRow row);
  void judge_arrival(RunIndex::Handle run, std::uint32_t row);
  void note_doubt(RunIndex::Handle run, std::uint32_t row);
  /// Reports what the rule said of this run, and forgets it.
  void report_verdicts(RunIndex::Handle run, Origin origin);
  /// The run has a new row.
  void observe_slots(RunIndex::Handle run);
  void observe_order(RunIndex::Handle run, std::uint32_t greatest_before, std::uint32_t row);
  /// Most rows of a packed run change no finding, and then it stays packed. False: nothing was done.
  [[nodiscard]] bool add_quietly(RunIndex::Handle run, const EventRow& row);
  [[nodiscard]] RunIndex::Handle open_or_request(RunIndex::Handle known, std::string_view run_id);
  void request(RunIndex::Handle run);
  /// The number of the last read-back that a run waits for; 0 = none does.
  [[nodiscard]] std::uint64_t last_read_back() const noexcept {
    return read_backs_.last().value_or(judging_.empty() ? 0 : read_backs_.first() - 1);
  }
  void notice(Notice::Kind kind, std::string detail);
  /// The run that the row is of, until the next call; nullopt and noted: of none.
  [[nodiscard]] std::optional<std::string_view> run_of(const decoder::Row& row);
  /// False: the position cannot be true, which is noted.
  [[nodiscard]] bool is_possible(decoder::Lsn position);
  /// The run is to be judged again as a whole; the position is held until it is.
  void owe(RunIndex::Handle run);
  void settle();
  /// The first run that is being judged is judged.
  void finish_judging();
  /// The table has shown no row of the run, whose spec version would be in it, and is asked again.
  [[nodiscard]] bool ask_again(RunIndex::Handle run);
  /// Nothing is left that hold() was called for.
  void release();

  const Profile& profile_;
  Counters counters_;
  RunIndex index_;
  ReplayRules rules_;
  FindingReporter reporter_;
  LateRows late_;
  OrderWatch order_watch_;
  RepeatedWork repeated_work_;
  Witness witness_;
  ConfirmRule confirm_;
  PositionBound bound_;
  Heartbeat heartbeat_;
  std::vector<std::string> look_requests_;
  std::unique_ptr<decoder::Decoder> decoder_;

  // The stream.
  decoder::Lsn received_;
  struct Current {
    decoder::Begin transaction;
    // Of the row that is being added.
    std::string run_key;  ///< with scope columns
    std::vector<ReplayRules::Verdict> verdicts;
  } current_;
  RecentCommits recent_commits_;
  Instant now_{};
  ReplyRequests reply_requests_;
  std::uint32_t relation_oid_ = 0;
  std::vector<Notice> notices_;

  // What is read back and what waits to be judged as a whole. A pending run is in one of the two.
  ReadBackQueue read_backs_{kReadBackRunsMax};
  JudgingQueue judging_;
  DeferredRows deferred_;
  std::size_t pending_runs_ = 0;
  std::uint64_t settled_by_ = 0;  ///< the read-back that the last of the runs that were owed wait for
};

}  // namespace dupwatch::core
