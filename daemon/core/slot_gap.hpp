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
  /// The number in an id of this form; nullopt: it has another.
  [[nodiscard]] static std::optional<std::uint64_t> slot_of(std::string_view id) noexcept;
  void add(std::string_view id);
  void clear() noexcept {
    slots_.clear();
    mixed_ = false;
  }

  struct Gap {
    /// The id before the first hole, empty when the run begins with it, and the one behind it.
    std::string before;
    std::string behind;
  };
  /// nullopt too where some id is no slot number: 5.0.0-beta.41 does not count the slots of such a log, and
  /// newer engines refuse it for that id.
  [[nodiscard]] std::optional<Gap> first_gap();

 private:
  std::vector<std::uint64_t> slots_;
  bool mixed_ = false;
};

}  // namespace dupwatch::core
