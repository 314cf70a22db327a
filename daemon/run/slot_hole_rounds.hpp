#pragma once

#include <algorithm>

#include "daemon/core/config.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/run/doubt_rounds.hpp"
#include "daemon/run/source.hpp"

namespace dupwatch::run {

/// Asks the table about runs whose slots have a hole in the stream, when it has lasted long enough, on the
/// query connection. Owned by the loop thread.
class SlotHoleRounds {
 public:
  /// Runs in one query; those that are left are asked about next.
  static constexpr std::size_t kRunsMax = 200;

  SlotHoleRounds(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql);

  /// See DoubtRounds.
  void configure(const Source& source) {
    key_types_ = source.key_types;
    specs_ = source.traits.specs;
    doubts_.configure(source.read_back_copy, source.traits);
  }
  void tick(core::Instant now);
  [[nodiscard]] core::Instant deadline() const noexcept {
    return std::min(doubts_.deadline(), busy_ ? core::Instant::max() : watch_.slot_holes().next_due());
  }

 private:
  const core::Config& config_;
  core::Watch& watch_;
  postgres::SqlClient& sql_;
  DoubtRounds doubts_;
  core::SpecSource specs_ = core::SpecSource::kNone;
  postgres::KeyTypes key_types_;
  bool busy_ = false;
};

}  // namespace dupwatch::run
