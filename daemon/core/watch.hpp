#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/confirm_rule.hpp"
#include "daemon/core/heartbeat.hpp"
#include "daemon/core/log_traits.hpp"
#include "daemon/core/position_bound.hpp"
#include "daemon/core/replay_rules.hpp"
#include "daemon/core/reply_requests.hpp"
#include "daemon/core/reported_findings.hpp"
#include "daemon/core/run_index.hpp"
#include "daemon/core/slot_holes.hpp"
#include "daemon/core/stats.hpp"
#include "daemon/core/witness.hpp"
#include "decoder/decoder.hpp"

namespace dupwatch::core {

/// A batch of runs to read back from the table.
struct ReadBack {
  std::uint64_t number = 0;
  std::vector<std::string> run_ids;
};

/// A later look at one run in the tables.
struct RunView {
  std::string run_id;
  std::vector<Finding> findings;
  /// The findings are all those that the event log makes, and all those of the table rules.
  bool log_read = false;
  bool tables_read = false;
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
  /// Rows and verdicts of a piece of judge_on().
  static constexpr std::size_t kPieceRows = 65'536;
  static constexpr std::size_t kPieceVerdicts = 512;
  /// Judging long runs again takes a fifth of the time at most: the work of a round, with so much for each
  /// row and each verdict, is followed by a pause of four times as long.
  static constexpr std::chrono::nanoseconds kPausePerRow{200};
  static constexpr std::chrono::nanoseconds kPausePerVerdict{8'000};
  static constexpr std::chrono::seconds kPauseMax{10};
  /// With synchronous replication a commit is in the stream before other sessions see it.
  static constexpr std::chrono::seconds kSettled{10};

  /// `config` must outlive the watch. `seed` varies hash tables, nothing else.
  Watch(const Config& config, std::uint64_t seed);

  /// The tables and columns a decoder must deliver: run, id, type (if any), identity columns.
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
  /// A row of the batch in flight. `type` is empty for a table without types.
  void read_back_row(std::string_view run_id, std::string_view id, std::string_view type,
                     std::span<const decoder::Value> identity, const CommitInfo& commit, Instant now);
  /// All rows of the batch in flight are in. Its runs are judged by and by, see judge_on().
  void read_back_done();
  /// Judges on what waits to be judged as a whole, a piece of a millisecond or so a call: the runs of a
  /// read-back, and long runs in which a row has changed more than its own finding. True: there is more, and
  /// it wants to be called again at once.
  bool judge_on(Instant now);
  [[nodiscard]] bool judging() const noexcept { return !judging_.empty(); }
  /// When judge_on() has something to do; max() = when the stream or a read-back has brought it.
  [[nodiscard]] Instant next_judging(Instant now) const noexcept {
    if (!judging_.empty()) return now;
    return owed_.empty() ? Instant::max() : next_settling_;
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
  [[nodiscard]] SlotHoles& slot_holes() noexcept { return slot_holes_; }
  [[nodiscard]] const SlotHoles& slot_holes() const noexcept { return slot_holes_; }
  /// What the table said of a run that was due: the first hole, nullopt = there is none (any more).
  void slot_hole_seen(std::string_view run_id, const std::optional<SlotNumbers::Gap>& gap, Instant now);

  /// A finding of a scan that began at `began`, judged from its snapshot. What was told long before is
  /// corrected by it.
  void baseline_finding(Finding finding, Instant began);
  /// Runs with open findings to look at again: rows may have been deleted.
  [[nodiscard]] std::vector<std::string> next_rechecks(std::size_t count, Instant now) {
    return reported_.next_open_runs(count, now - kSettled);
  }
  /// A message of our own with this before a run id asks to look at the run now.
  static constexpr std::string_view kLookRequest = "look ";
  static constexpr std::size_t kLookRequestsMax = 100;
  /// Runs that somebody has just changed by `dupwatch quarantine` and asks to be looked at now, since the
  /// last call.
  [[nodiscard]] std::vector<std::string> take_look_requests() { return std::exchange(look_requests_, {}); }
  /// What the tables said of a run when asked at `asked`: known findings that are not in the view are gone.
  void rechecked(RunView view, Instant asked);
  /// The row at fault of a known finding was moved to dupwatch.quarantine.
  void quarantined(std::uint64_t finding_id, Instant now);
  /// Of the log, before its first row.
  void set_traits(const LogTraits& traits) noexcept {
    rules_.set_auto_engines(traits.engines);
    index_.set_id_order(traits.ids);
  }
  /// The engine was upgraded: what is judged from now on is judged for these.
  void set_auto_engines(const AutoEngines& engines) noexcept { rules_.set_auto_engines(engines); }
  [[nodiscard]] const ReplayRules& rules() const noexcept { return rules_; }

  /// A finding that an earlier process told; what is told next of it is a change. False: it is of another
  /// table, or known.
  bool restore(Finding& finding);

  /// findings.acknowledged was `before`: findings that stand are told anew where their state is another now.
  void acknowledged_changed(const std::vector<std::uint64_t>& before);

  /// What came of a person's wish to acknowledge a finding or to take that back.
  enum class Acknowledged : std::uint8_t {
    kDone,
    kNotKnown,       ///< no such finding, or it was forgotten
    kDoesNotStand,   ///< a row is gone, or the run has ended
    kNot,            ///< to be taken back, and it is not acknowledged
    kConfiguration,  ///< to be taken back, and findings.acknowledged names it
    kFull            ///< Acknowledgements::kMax are in force
  };
  /// The severity of `acknowledgement` is the finding's. kDone: the finding is told anew.
  [[nodiscard]] Acknowledged acknowledge(std::uint64_t finding_id, Acknowledgement acknowledgement,
                                         Instant now);
  [[nodiscard]] Acknowledged unacknowledge(std::uint64_t finding_id, Instant now);
  /// Findings whose acknowledgement has ended at `wall` are told anew as open.
  void expire_acknowledgements(decoder::Timestamp wall, Instant now);
  /// The findings that a person has acknowledged, as they are known.
  [[nodiscard]] std::vector<Finding> acknowledged() const;
  /// nullopt: not known.
  [[nodiscard]] std::optional<Finding> known(std::uint64_t finding_id) const;

  /// Findings since the last call, in order. Everything up to ConfirmRule::judged() is in what was taken.
  [[nodiscard]] std::vector<Finding> take_findings();
  [[nodiscard]] bool has_findings() const noexcept { return !findings_.empty(); }
  /// All findings ever taken are durable.
  void findings_durable() noexcept { confirm_.findings_durable(); }
  /// All findings up to `position` are durable, which taken() has said since the stream started.
  void findings_durable(decoder::Lsn position) noexcept { confirm_.findings_durable(position); }
  /// Everything up to here is in what take_findings() has given.
  [[nodiscard]] decoder::Lsn taken() const noexcept { return confirm_.taken(); }
  [[nodiscard]] std::vector<Notice> take_notices();

  [[nodiscard]] Heartbeat& heartbeat() noexcept { return heartbeat_; }
  [[nodiscard]] const Heartbeat& heartbeat() const noexcept { return heartbeat_; }

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
  [[nodiscard]] const ReportedFindings& reported() const noexcept { return reported_; }
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
  /// Reports what the rule said of this run, and forgets it.
  void report_verdicts(RunIndex::Handle run, Origin origin);
  void report(Finding finding);
  void tell(Finding finding);
  /// What is said of findings that stand goes into it; of others it ends.
  void note_acknowledgement(Finding& finding);
  /// Of the record of an earlier process.
  void restore_acknowledgement(Finding& finding);
  /// It was told before, and is to be told again where that is another now.
  void tell_again(std::uint64_t finding_id, Instant now);
  /// The run has a new row.
  void observe_slots(RunIndex::Handle run);
  void observe_order(RunIndex::Handle run, std::uint32_t greatest_before, std::uint32_t row);
  /// Most rows of a packed run change no finding, and then it stays packed. False: nothing was done.
  [[nodiscard]] bool add_quietly(RunIndex::Handle run, const EventRow& row);
  [[nodiscard]] RunIndex::Handle open_or_request(RunIndex::Handle known, std::string_view run_id);
  /// The batch that the run comes into is the last one.
  void request(RunIndex::Handle run);
  /// The number of the last batch; 0 = no run waits.
  [[nodiscard]] std::uint64_t last_read_back() const noexcept {
    if (!batches_.empty()) return first_batch_ + batches_.size() - 1;
    return judging_.empty() ? 0 : first_batch_ - 1;
  }
  void notice(Notice::Kind kind, std::string detail);
  /// False: the position cannot be true, which is noted.
  [[nodiscard]] bool is_possible(decoder::Lsn position);
  /// The run is to be judged again as a whole; the position is held until it is.
  void owe(RunIndex::Handle run);
  void settle();
  /// The first run that is being judged is judged.
  void finish_judging();

  const Profile& profile_;
  const FindingsConfig& findings_config_;
  RunIndex index_;
  ReplayRules rules_;
  ReportedFindings reported_;
  SlotHoles slot_holes_;
  Witness witness_;
  ConfirmRule confirm_;
  PositionBound bound_;
  Heartbeat heartbeat_;
  std::vector<std::string> look_requests_;
  std::unique_ptr<decoder::Decoder> decoder_;
  Counters counters_;

  // The stream.
  decoder::Lsn received_;
  decoder::Begin transaction_;
  RecentCommits recent_commits_;
  Instant now_{};
  ReplyRequests reply_requests_;
  std::uint32_t relation_oid_ = 0;
  std::vector<Notice> notices_;

  // Read-backs: batches in the order in which their runs came. The first one may be in flight, the last one
  // collects.
  std::uint64_t first_batch_ = 1;  ///< its number
  std::deque<std::vector<RunIndex::Handle>> batches_;
  std::size_t pending_runs_ = 0;
  bool read_back_sent_ = false;
  std::uint64_t doubtful_read_back_ = 0;  ///< number of a batch asked for before doubt_runs(); 0 = none

  /// Pending runs whose rows are in, and behind the last one of a batch the batch's number.
  struct Judging {
    RunIndex::Handle run = RunIndex::kNone;
    Origin origin = Origin::kStream;
    std::uint64_t read_back = 0;  ///< 0 = it was not read back
    bool last = false;
    bool doubtful = false;  ///< doubt_runs() came after its rows
  };
  std::deque<Judging> judging_;
  ReplayRules::Progress progress_;
  std::size_t rows_begun_ = 0;  ///< of the run that is being judged
  /// Runs that are to be judged again, and when they may be.
  std::vector<std::string> owed_;
  Instant next_settling_{};
  std::chrono::nanoseconds pause_{};
  std::uint64_t settled_by_ = 0;  ///< the read-back that the last of them wait for

  std::vector<ReplayRules::Verdict> verdicts_;
  std::vector<Finding> findings_;
};

}  // namespace dupwatch::core
