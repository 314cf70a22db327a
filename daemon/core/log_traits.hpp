#pragma once

#include "daemon/core/engine.hpp"
#include "daemon/core/packed_text.hpp"

namespace dupwatch::core {

/// What the database tells of the watched log, beside the configuration.
struct LogTraits {
  AutoEngines engines{};
  /// Where spec versions may be read, whatever the schema says of generations.
  SpecSource specs = SpecSource::kNone;
  /// How the id column compares.
  TextOrder ids = TextOrder::kBytes;
};

}  // namespace dupwatch::core
