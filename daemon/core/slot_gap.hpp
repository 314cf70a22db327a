#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dupwatch::core {

/// The slots of one run, all types counted: a 5.0 engine refuses a log with a hole. Slot 1 is run_created's
/// and may be missing.
class SlotNumbers {
 public:
  void add(std::string_view id);
  void clear() noexcept {
    slots_.clear();
    mixed_ = false;
  }

  struct Gap {
    /// The id before the first hole, empty when the run begins with it, and the one after it.
    std::string before;
    std::string after;
  };
  /// nullopt too where some id is no slot number: no engine counts the slots of such a log, and the newer
  /// ones refuse it for that id.
  [[nodiscard]] std::optional<Gap> first_gap();

 private:
  std::vector<std::uint64_t> slots_;
  bool mixed_ = false;
};

}  // namespace dupwatch::core
