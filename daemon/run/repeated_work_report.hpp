#pragma once

#include <cstdint>
#include <string>

#include "daemon/core/config.hpp"
#include "daemon/core/instant.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/status_part.hpp"

namespace dupwatch::run {

/// Says in the log which work was done again, and hands it to the status. It is no finding: nothing waits for
/// it, and nothing is written to a file. Owned by the loop thread.
class RepeatedWorkReport final : public StatusPart {
 public:
  /// Of what is shown of the last ones.
  static constexpr std::size_t kShownMax = 50;

  RepeatedWorkReport(const core::Config& config, core::Watch& watch, process::Log& log)
      : config_(config), watch_(watch), log_(log) {}

  void turn(core::Instant now);

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant /*now*/) const override { return {}; }

 private:
  void log(const core::RepeatedStep& step);

  const core::Config& config_;
  core::Watch& watch_;
  process::Log& log_;
  /// Lines in the minute that began then, of findings.log_rate_max.
  core::Instant minute_{};
  std::uint64_t lines_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace dupwatch::run
