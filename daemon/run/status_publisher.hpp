#pragma once

#include <string>
#include <vector>

#include "daemon/process/log.hpp"
#include "daemon/process/service_manager.hpp"
#include "daemon/run/status_part.hpp"
#include "daemon/web/status_store.hpp"

namespace dupwatch::run {

/// Brings what the parts say to the web threads and to systemd, a few times a second. Owned by the loop
/// thread.
class StatusPublisher {
 public:
  StatusPublisher(const core::Config& config, process::Log& log);

  /// In the order in which their trouble is told: what explains the rest comes first. They must outlive the
  /// last publish().
  void watch(std::vector<const StatusPart*> parts) { parts_ = std::move(parts); }
  /// The loop turns.
  void beat(core::Instant now) { store_.beat(now); }
  /// The next turn publishes.
  void hurry(core::Instant now) noexcept { next_ = now; }
  void turn(bool streaming, core::Instant now);
  void publish(core::Instant now);
  void stopping(std::string_view why) { service_.stopping(why); }
  [[nodiscard]] core::Instant deadline() const noexcept;
  [[nodiscard]] web::StatusStore& store() noexcept { return store_; }

 private:
  [[nodiscard]] core::StatusSnapshot snapshot(core::Instant now) const;

  process::Log& log_;
  web::StatusStore store_;
  process::ServiceManager service_;
  std::vector<const StatusPart*> parts_;
  core::Instant next_{};
};

}  // namespace dupwatch::run
