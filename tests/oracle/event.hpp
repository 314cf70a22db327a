#pragma once

#include <optional>
#include <string>
#include <vector>

namespace dupwatch::oracle {

/// One row of the watched table.
struct Event {
  std::string run_id;
  std::string id;
  std::vector<std::optional<std::string>> identity;
  std::string type;

  friend bool operator==(const Event&, const Event&) = default;
};

}  // namespace dupwatch::oracle
