#pragma once

#include <optional>

#include "daemon/core/reload.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/config_reloader.hpp"
#include "daemon/run/status_part.hpp"

namespace dupwatch::run {

/// Has a configuration that was read while the daemon runs put in force, and tells whoever asked what came of
/// it. Owned by the loop thread.
class Reloads final : public StatusPart {
 public:
  /// Who puts it in force.
  class Taker {
   public:
    [[nodiscard]] virtual core::ConfigChange put_in_force(const core::Config& wanted, core::Instant now) = 0;

   protected:
    Taker() = default;
    Taker(const Taker&) = default;
    Taker& operator=(const Taker&) = default;
    ~Taker() = default;
  };

  /// `running` is the configuration in force. References must outlive it.
  Reloads(const core::Config& running, ConfigReloader::Load load, process::ReloadSignal& signal,
          process::EventFd& wake, process::Log& log);

  /// What was read, once; nullopt: nothing. answer() is to follow.
  [[nodiscard]] std::optional<ConfigReloader::Loaded> take() { return reloader_.take(); }
  /// Has it put in force, and says so in the log.
  [[nodiscard]] ConfigReloader::Answer apply(const ConfigReloader::Loaded& loaded, Taker& taker,
                                             core::Instant now);
  void answer(ConfigReloader::Answer answer) { reloader_.answer(std::move(answer)); }
  [[nodiscard]] ConfigReloader& reloader() noexcept { return reloader_; }

  void describe(core::StatusSnapshot& out, core::Instant /*now*/) const override {
    out.config_reload = stats_;
  }
  [[nodiscard]] std::string trouble(core::Instant /*now*/) const override { return {}; }

 private:
  const core::Config& running_;
  process::Log& log_;
  ConfigReloader reloader_;
  core::ConfigReload stats_;
};

}  // namespace dupwatch::run
