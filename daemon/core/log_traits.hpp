#pragma once

#include "daemon/core/engine.hpp"
#include "daemon/core/packed_text.hpp"

namespace dupwatch::core {

/// What the database tells of the watched log, beside the configuration.
struct LogTraits {
  AutoEngines engines{};
  /// How the id column compares.
  TextOrder ids = TextOrder::kBytes;
};

}  // namespace dupwatch::core
