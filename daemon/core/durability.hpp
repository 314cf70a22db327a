#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "decoder/lsn.hpp"

namespace dupwatch::core {

/// Mistakes that a test plants in BasicDurability, to prove that it would see them.
enum class DurabilityBug : std::uint8_t {
  kConfirmBeforeSync,  ///< what is written passes for durable
  kConfirmFailedSync,  ///< a failed sync passes for a good one
  kRetrySync,          ///< after a failed sync nothing is written again
  kForgetReplacement,  ///< what went to a file that is not ours any more passes for written
  kIgnoreTable,        ///< the findings table is not waited for
  kMarkLate,           ///< a mark gets the position of the time when it is reached
};

/// What ships: none of them, and the compiler leaves the questions out.
struct NoDurabilityBug {
  [[nodiscard]] static constexpr bool has(DurabilityBug) noexcept { return false; }
};

/// What the findings file is to be given next.
struct FileTask {
  std::string bytes;
  /// They begin a line. A file that ends within one, as after a crash, needs a newline first.
  bool begins_line = true;
  /// What has been written is to be synced after them.
  bool sync = false;
};

/// What became of a FileTask.
struct FileOutcome {
  enum class Sync : std::uint8_t { kNotTried, kDone, kFailed };
  /// Bytes of the task that the file took.
  std::size_t written = 0;
  Sync sync = Sync::kNotTried;
  /// The path leads to another file now, or the file lost its content: what it was given before counts for
  /// nothing.
  bool replaced = false;
};

/// All findings that were added up to a moment.
struct AddedFindings {
  std::uint64_t bytes = 0;
  std::uint64_t rows = 0;
};

/// What was found and is not yet known to be on the disk of the findings file or in the findings table, and
/// the position that may be confirmed for that (promise I3). Without a file or a table nothing is added for
/// it. Pure: whoever owns the file and the table carries the tasks out, the daemon and the simulator alike.
/// Not thread-safe.
template <class Bugs>
class BasicDurability {
 public:
  /// So much that is not on the disk is synced without being asked for.
  static constexpr std::size_t kSyncBytes = std::size_t{1} << 20U;

  explicit BasicDurability(Bugs bugs = {}) : bugs_(bugs) {}

  /// A new stream: positions of another one say nothing in it.
  void stream_started() noexcept { mark_.reset(); }

  /// A finding's record for the file, without a newline.
  void add_line(std::string_view line) {
    lines_.append(line).push_back('\n');
    bytes_added_ += line.size() + 1;
    // Else a burst would have to wait for the next position, and that for the burst.
    if (lines_.size() >= kSyncBytes) sync_wanted_ = true;
  }
  /// A finding was given to the table.
  void add_row() noexcept { ++rows_added_; }
  /// The table has taken so many of all that it was ever given.
  void rows_recorded(std::uint64_t rows) noexcept { rows_recorded_ = rows; }

  /// A position waits: what is written is to be synced.
  void request_sync() noexcept { sync_wanted_ = !lines_.empty(); }
  /// The next task looks whether the file is still ours, whatever else it has to do.
  void request_check() noexcept { check_wanted_ = true; }
  /// What to do now with the file; nullopt = nothing, or a task is under way. finished() follows.
  [[nodiscard]] std::optional<FileTask> next_task();
  void finished(const FileOutcome& outcome);
  [[nodiscard]] bool task_under_way() const noexcept { return task_bytes_.has_value(); }

  /// With all findings up to `taken` added: up to where they are durable now; nullopt = no further than
  /// before.
  [[nodiscard]] std::optional<decoder::Lsn> durable(decoder::Lsn taken);

  [[nodiscard]] AddedFindings added() const noexcept { return {.bytes = bytes_added_, .rows = rows_added_}; }
  /// They are on the disk and in the table.
  [[nodiscard]] bool is_durable(const AddedFindings& findings) const noexcept;

  /// Bytes that are not known to be on the disk.
  [[nodiscard]] std::size_t waiting_bytes() const noexcept { return lines_.size(); }
  /// All that was ever added is durable.
  [[nodiscard]] bool settled() const noexcept { return is_durable(added()); }

 private:
  /// The table takes its time, and so does the file: what was added up to here makes `position` durable.
  struct Mark {
    AddedFindings added;
    decoder::Lsn position;
  };

  [[no_unique_address]] Bugs bugs_;
  /// Not known to be on the disk, in order; the first written_ bytes have been written to the present file.
  /// After a sync that failed that is none of them: Linux gives up what it could not bring to the disk.
  std::string lines_;
  std::size_t written_ = 0;
  std::optional<std::size_t> task_bytes_;
  bool sync_wanted_ = false;
  bool check_wanted_ = false;
  std::uint64_t bytes_added_ = 0;
  std::uint64_t rows_added_ = 0;
  std::uint64_t rows_recorded_ = 0;
  std::optional<Mark> mark_;
};

using Durability = BasicDurability<NoDurabilityBug>;
extern template class BasicDurability<NoDurabilityBug>;

template <class Bugs>
std::optional<FileTask> BasicDurability<Bugs>::next_task() {
  const bool writes = written_ < lines_.size();
  if (task_bytes_ || (!writes && !sync_wanted_ && !check_wanted_)) return std::nullopt;
  check_wanted_ = false;
  FileTask task{.bytes = lines_.substr(written_),
                .begins_line = written_ == 0 || lines_[written_ - 1] == '\n',
                .sync = sync_wanted_};
  task_bytes_ = task.bytes.size();
  return task;
}

template <class Bugs>
void BasicDurability<Bugs>::finished(const FileOutcome& outcome) {
  const bool whole = outcome.written == task_bytes_;
  task_bytes_.reset();
  if (outcome.replaced && !bugs_.has(DurabilityBug::kForgetReplacement)) {
    written_ = 0;
    return;
  }
  written_ += outcome.written;
  if (!whole || outcome.sync == FileOutcome::Sync::kNotTried) return;
  if (outcome.sync == FileOutcome::Sync::kDone || bugs_.has(DurabilityBug::kConfirmFailedSync)) {
    lines_.erase(0, written_);
    written_ = 0;
    sync_wanted_ = lines_.size() >= kSyncBytes;
  } else if (!bugs_.has(DurabilityBug::kRetrySync)) {
    written_ = 0;
  }
}

template <class Bugs>
bool BasicDurability<Bugs>::is_durable(const AddedFindings& findings) const noexcept {
  const auto waiting =
      bugs_.has(DurabilityBug::kConfirmBeforeSync) ? lines_.size() - written_ : lines_.size();
  return bytes_added_ - waiting >= findings.bytes &&
         (rows_recorded_ >= findings.rows || bugs_.has(DurabilityBug::kIgnoreTable));
}

template <class Bugs>
std::optional<decoder::Lsn> BasicDurability<Bugs>::durable(decoder::Lsn taken) {
  if (settled()) {
    mark_.reset();
    return taken;
  }
  std::optional<decoder::Lsn> position;
  if (mark_ && is_durable(mark_->added)) {
    position = bugs_.has(DurabilityBug::kMarkLate) ? taken : mark_->position;
    mark_.reset();
  }
  if (!mark_) mark_ = Mark{.added = added(), .position = taken};
  return position;
}

}  // namespace dupwatch::core
