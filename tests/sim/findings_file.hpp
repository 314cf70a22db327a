#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/core/durability.hpp"
#include "daemon/core/finding.hpp"

namespace dupwatch::sim {

/// The daemon's findings.file on a disk that can be full or fail, and that somebody may put another file in
/// the place of. As on Linux, a failed sync gives up what it could not write: a later sync that succeeds says
/// nothing about those records.
class FindingsFile {
 public:
  struct Record {
    core::Finding finding;
    bool on_disk = false;
    /// By a failed sync, or in a file that was replaced.
    bool given_up = false;
  };
  /// How one task fares.
  struct Fate {
    std::size_t room = std::string::npos;  ///< bytes that the disk takes
    bool sync_fails = false;
    /// Somebody deletes the file before the task is over.
    bool deleted_meanwhile = false;
  };

  /// The finding's record, as Durability gets it.
  [[nodiscard]] std::string line(core::Finding finding) {
    findings_.push_back(std::move(finding));
    return fmt::format("#{:08};", findings_.size() - 1);
  }

  [[nodiscard]] core::FileOutcome perform(const core::FileTask& task, const Fate& fate) {
    if (std::exchange(replaced_, false)) return {.replaced = true};
    const auto before = records_.size();
    // A torn line is no record.
    if (task.begins_line) torn_.clear();
    core::FileOutcome outcome;
    outcome.written = std::min(task.bytes.size(), fate.room);
    write(std::string_view(task.bytes).substr(0, outcome.written));
    if (task.sync && outcome.written == task.bytes.size()) {
      outcome.sync =
          sync(fate.sync_fails) ? core::FileOutcome::Sync::kDone : core::FileOutcome::Sync::kFailed;
    }
    if (fate.deleted_meanwhile) {
      records_.resize(before);
      replace();
      replaced_ = false;
      outcome.replaced = true;
    }
    return outcome;
  }

  /// The file is renamed: what is in it stays there, and the next task finds another one.
  void replace() {
    for (auto& record : records_) record.given_up = record.given_up || !record.on_disk;
    present_ = records_.size();
    torn_.clear();
    replaced_ = true;
  }

  bool sync(bool fails) {
    for (auto& record : records_) {
      if (record.on_disk) continue;
      record.given_up = record.given_up || fails;
      record.on_disk = !record.given_up;
    }
    return !fails;
  }
  void lose_what_is_not_on_disk() {
    const auto lost = [](const Record& record) { return !record.on_disk; };
    const auto end = records_.begin() + static_cast<std::ptrdiff_t>(present_);
    present_ -= static_cast<std::size_t>(std::count_if(records_.begin(), end, lost));
    std::erase_if(records_, lost);
    torn_.clear();
  }
  /// Of all files.
  [[nodiscard]] const std::vector<Record>& records() const noexcept { return records_; }
  /// Of the present one.
  [[nodiscard]] std::span<const Record> present() const { return std::span(records_).subspan(present_); }

 private:
  void write(std::string_view bytes) {
    for (const char c : bytes) {
      if (c != '\n') {
        torn_ += c;
        continue;
      }
      if (torn_.size() == kLine && torn_.front() == '#' && torn_.back() == ';') {
        std::size_t number = 0;
        std::from_chars(torn_.data() + 1, torn_.data() + kLine - 1, number);
        records_.push_back({.finding = findings_.at(number)});
      }
      torn_.clear();
    }
  }

  static constexpr std::size_t kLine = 10;
  std::vector<core::Finding> findings_;
  std::vector<Record> records_;
  std::size_t present_ = 0;
  /// What stands after the last newline.
  std::string torn_;
  bool replaced_ = false;
};

}  // namespace dupwatch::sim
