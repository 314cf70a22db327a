#pragma once

#include <memory>
#include <optional>

#include "daemon/core/config.hpp"
#include "daemon/process/exit_code.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/acknowledger.hpp"
#include "daemon/run/config_reloader.hpp"
#include "daemon/run/status_part.hpp"
#include "daemon/web/http_server.hpp"
#include "daemon/web/status_store.hpp"

namespace dupwatch::run {

/// The daemon's HTTP server: its start, what it asks for and what it has to say. Its threads meet the loop's
/// in the store, the reloader and the acknowledger alone.
class HttpFront final : public StatusPart {
 public:
  HttpFront(const core::Config& config, web::StatusStore& store, ConfigReloader& reloader,
            Acknowledger& acknowledger, process::Log& log)
      : config_(config), store_(store), reloader_(reloader), acknowledger_(acknowledger), log_(log) {}

  /// nullopt when it listens, or is switched off.
  [[nodiscard]] std::optional<process::ExitCode> start();
  /// The configuration may be another than `before`.
  void config_changed(const core::HttpConfig& before);

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant /*now*/) const override { return {}; }

 private:
  /// On a thread of the server.
  [[nodiscard]] web::Response reload();

  const core::Config& config_;
  web::StatusStore& store_;
  ConfigReloader& reloader_;
  Acknowledger& acknowledger_;
  process::Log& log_;
  std::unique_ptr<web::HttpServer> server_;
};

}  // namespace dupwatch::run
