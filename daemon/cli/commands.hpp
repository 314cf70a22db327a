#pragma once

#include <functional>
#include <string>

#include "daemon/cli/audit_options.hpp"
#include "daemon/cli/guard_options.hpp"
#include "daemon/cli/quarantine_options.hpp"
#include "daemon/config/config_file.hpp"
#include "daemon/core/config.hpp"
#include "daemon/process/event_fd.hpp"
#include "daemon/process/exit_code.hpp"
#include "daemon/web/metric_table.hpp"

/// The commands besides `run`. They print for people, or one JSON document with `json`, on stdout; what went
/// wrong goes to stderr as one line with its remedy.
namespace dupwatch::cli {

/// `load` reads the configuration again; called on another thread.
[[nodiscard]] process::ExitCode run_command(const core::Config& config,
                                            std::function<config::ConfigResult()> load);
/// Preflight; kFindings when a line failed.
[[nodiscard]] process::ExitCode check_command(const core::Config& config, bool json);
/// The rules over the whole existing table, without a slot; kFindings when there are any.
[[nodiscard]] process::ExitCode audit_command(const core::Config& config, const AuditOptions& options);
/// One run as replay reads it; kFindings when a rule speaks of it. The SQL that would mend it also goes to
/// `repair_file`, unless that is empty or there is none.
[[nodiscard]] process::ExitCode explain_command(const core::Config& config, const std::string& run_id,
                                                bool json, const std::string& repair_file);
/// Rows taken out of the log and put back, one at a time, each on a person's word; kFindings when the row
/// stays where it is.
[[nodiscard]] process::ExitCode quarantine_command(const core::Config& config,
                                                   const QuarantineOptions& options);
/// The trigger that keeps second creation events out, installed and removed on a person's word; kFindings
/// when it is refused, and for `status` when the guard is not as it should be.
[[nodiscard]] process::ExitCode guard_command(const core::Config& config, const GuardOptions& options);

struct SetupOptions {
  /// Add what dupwatch quarantine needs.
  bool quarantine = false;
  /// Print what undoes it.
  bool uninstall = false;
  /// With uninstall: dupwatch's own tables too, unless one has the only copy of a row.
  bool drop_tables = false;
  /// Even then.
  bool discard_quarantined = false;
};

/// SQL for a DBA. Touches no database.
[[nodiscard]] process::ExitCode setup_command(const core::Config& config, const SetupOptions& options);
/// What every metric means. Needs neither a configuration nor a database.
[[nodiscard]] process::ExitCode metrics_command(web::DescriptionFormat format);
/// Asks a running daemon over HTTP for /healthz, or for /readyz with `ready`; kFindings when it does not
/// answer or says no. An empty `url` is http.listen of the configuration. Touches no database.
[[nodiscard]] process::ExitCode health_command(const core::Config& config, bool ready,
                                               const std::string& url);
/// Drops the replication slot; kClean also when there was none.
[[nodiscard]] process::ExitCode drop_command(const core::Config& config, bool json);

}  // namespace dupwatch::cli
