#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/core/backoff.hpp"
#include "daemon/core/config.hpp"
#include "daemon/core/give_up.hpp"
#include "daemon/core/life_cycle.hpp"
#include "daemon/postgres/connection.hpp"
#include "daemon/process/exit_code.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/reach.hpp"
#include "daemon/run/status_part.hpp"

namespace dupwatch::run {

/// The attempts to stream: what they failed of, whether there is another one, and when. Owned by the loop
/// thread.
class Retries final : public StatusPart {
 public:
  /// What comes after a failure.
  struct Next {
    /// Not kClean = end with it.
    process::ExitCode code = process::ExitCode::kClean;
    /// Stop was requested.
    bool stop = false;
  };

  Retries(const core::Config& config, core::LifeCycle& life, postgres::Waiter& waiter, process::Log& log,
          std::uint64_t seed);

  void started(core::Instant now) noexcept { started_ = now; }
  /// An attempt or a stream has failed: counts it.
  void failed(const postgres::Error& error, core::Instant now);
  /// A stream has begun that goes on with this, or an earlier process had one.
  void goes_on_with(History history) { history_ = std::move(history); }
  void streaming();
  /// A stream has ended that was there for so long.
  void stream_ended(core::Instant::duration lasted) noexcept;
  /// Nobody else is known to have the slot.
  void slot_is_free() noexcept { slot_in_use_since_.reset(); }

  /// An old primary (Cause::kOldPrimary) was waited out for so long that it may be the only one that will
  /// ever come back; its slot holds WAL back meanwhile.
  static constexpr std::chrono::minutes kOldPrimaryMax{10};
  /// What the next stream is to go on with; nothing that is known once an old primary is to be taken.
  [[nodiscard]] History& history(core::Instant now);

  /// Waits for the next attempt, if there is one.
  [[nodiscard]] Next again(const postgres::Error& error);
  /// The same for what failed while something was done about the slot.
  [[nodiscard]] Next again_after(const postgres::Error& error);
  /// Waits as the backoff says, whatever the error is.
  [[nodiscard]] Next pause(const postgres::Error& error);
  /// The code to end with, kClean = try again.
  [[nodiscard]] process::ExitCode judge(core::Obstacle obstacle, const postgres::Error& error);
  /// Of the last failure, until a stream has begun.
  [[nodiscard]] const std::optional<postgres::Error>& last_error() const noexcept { return last_error_; }

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant now) const override;

 private:
  /// Waits for the dupwatch that has the slot to be gone.
  [[nodiscard]] Next stand_by(const postgres::Error& error);
  [[nodiscard]] core::Attempts attempts(core::Instant now) const;

  const core::Config& config_;
  core::LifeCycle& life_;
  postgres::Waiter& waiter_;
  process::Log& log_;
  core::Backoff backoff_;
  core::Instant started_{};
  std::optional<core::Instant> slot_in_use_since_;
  std::optional<core::Instant> old_primary_since_;
  History history_;
  std::optional<postgres::Error> last_error_;
  std::array<std::uint64_t, core::kDisconnects> disconnects_{};
};

/// What a failure counts as; `streamed`: of a stream, else of an attempt. Pure.
[[nodiscard]] core::Disconnect disconnect_kind(const postgres::Error& error, bool streamed) noexcept;
/// Which kind of obstacle an error of an attempt or a stream is. Pure.
[[nodiscard]] core::Obstacle obstacle_of(const postgres::Error& error) noexcept;

}  // namespace dupwatch::run
