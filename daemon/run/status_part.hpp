#pragma once

#include <string>

#include "daemon/core/instant.hpp"
#include "daemon/core/stats.hpp"

namespace dupwatch::run {

/// A part of the daemon, as the status sees it: each says for itself what it knows and what is wrong.
class StatusPart {
 public:
  /// Fills in what this part owns, and nothing else.
  virtual void describe(core::StatusSnapshot& out, core::Instant now) const = 0;
  /// Why dupwatch is not ready as far as this part goes, a sentence; empty: it is.
  [[nodiscard]] virtual std::string trouble(core::Instant now) const = 0;

 protected:
  StatusPart() = default;
  StatusPart(const StatusPart&) = default;
  StatusPart& operator=(const StatusPart&) = default;
  ~StatusPart() = default;
};

}  // namespace dupwatch::run
