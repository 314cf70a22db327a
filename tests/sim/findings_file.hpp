#pragma once

#include <cstddef>
#include <vector>

#include "daemon/core/finding.hpp"

namespace dupwatch::sim {

/// The daemon's findings.file on a disk that can be full or fail. As on Linux, a failed sync gives up what it
/// could not write: a later sync that succeeds says nothing about those records.
class FindingsFile {
 public:
  struct Record {
    core::Finding finding;
    bool on_disk = false;
    bool given_up = false;
  };

  void write(core::Finding finding) { records_.push_back({std::move(finding), false, false}); }
  bool sync(bool fails) {
    for (auto& record : records_) {
      if (record.on_disk) continue;
      record.given_up = record.given_up || fails;
      record.on_disk = !record.given_up;
    }
    return !fails;
  }
  void lose_what_is_not_on_disk() {
    std::erase_if(records_, [](const Record& record) { return !record.on_disk; });
  }
  [[nodiscard]] const std::vector<Record>& records() const noexcept { return records_; }

 private:
  std::vector<Record> records_;
};

}  // namespace dupwatch::sim
