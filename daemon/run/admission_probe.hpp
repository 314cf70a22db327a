#pragma once

#include <optional>

#include "daemon/core/backoff.hpp"
#include "daemon/core/config.hpp"
#include "daemon/postgres/connection.hpp"

namespace dupwatch::run {

/// Makes a session now and then and ends it again: a server that shuts down refuses new ones, and in a smart
/// shutdown it says nothing to those that are connected. What else fails says nothing. Owned by the loop
/// thread.
class AdmissionProbe {
 public:
  static constexpr std::chrono::seconds kInterval{10};
  /// An attempt that takes longer is given up.
  static constexpr std::chrono::seconds kAttemptMax{5};

  /// A stream has begun, on the server that `connection` is pinned to.
  void started(core::ConnectionConfig connection, core::Instant now);
  /// The stream has ended, or another session of ours, which will do, is about to be made.
  void rest() noexcept {
    attempt_.reset();
    hurried_ = false;
  }
  /// A session has ended: asks at once, with an attempt that begins after that.
  void hurry(core::Instant now) noexcept;
  /// Moves an attempt on. `others`: sessions of ours are made just now or stand for short; they will do.
  void tick(core::Instant now, bool others);
  [[nodiscard]] core::Instant deadline() const noexcept { return next_; }
  /// Why the server admits nobody; once.
  [[nodiscard]] std::optional<postgres::Error> take_farewell() noexcept {
    return std::exchange(farewell_, std::nullopt);
  }

 private:
  core::ConnectionConfig connection_;
  std::optional<postgres::Connection> attempt_;
  std::optional<postgres::Error> farewell_;
  bool hurried_ = false;
  /// When tick() has something to do: begin an attempt, or look at the one under way.
  core::Instant next_ = core::Instant::max();
  core::Instant begun_{};
};

}  // namespace dupwatch::run
