#pragma once

#include <optional>
#include <string>

#include "daemon/core/life_cycle.hpp"
#include "daemon/process/memory_bound.hpp"
#include "daemon/run/status_part.hpp"
#include "daemon/run/stream_loop.hpp"

namespace dupwatch::run {

/// The stream of the present attachment, and what is read back for it. Owned by the loop thread.
class StreamSession final : public StatusPart {
 public:
  StreamSession(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql, process::Log& log,
                std::uint64_t seed);

  /// What the present server can tell.
  void configure(std::string read_back_copy) { read_backs_.configure(std::move(read_back_copy)); }
  /// Streaming has begun. Until it has judged what the server had by then, it catches up.
  void started(const Attachment& attachment, core::Instant now);
  struct End {
    /// nullopt = stop was requested.
    std::optional<postgres::Error> error;
    core::Instant::duration lasted{};
  };
  /// Runs the stream to its end.
  [[nodiscard]] End run(const StreamLoop::Parts& parts, Attachment& attachment);
  [[nodiscard]] ReadBackFetcher& read_backs() noexcept { return read_backs_; }

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant now) const override;

 private:
  core::Watch& watch_;
  postgres::SqlClient& sql_;
  ReadBackFetcher read_backs_;
  std::optional<StreamLoop> loop_;
  process::MemoryBound memory_;
  decoder::Lsn catch_up_target_;
};

}  // namespace dupwatch::run
