#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/watch.hpp"
#include "daemon/findings/outputs.hpp"
#include "daemon/findings/table_writer.hpp"
#include "daemon/findings/webhook_worker.hpp"
#include "daemon/quarantine/worker.hpp"
#include "daemon/run/acknowledger.hpp"
#include "daemon/run/status_part.hpp"

namespace dupwatch::run {

/// Everything that findings go to, and where those of an earlier process come from. Owned by the loop thread.
class FindingDelivery final : public StatusPart {
 public:
  FindingDelivery(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql,
                  web::StatusStore& store, process::EventFd& wake, process::Log& log, std::uint64_t seed);

  /// The words when findings.file can't be used.
  [[nodiscard]] std::optional<std::string> open() { return outputs_.open(); }
  /// Makes the findings of an earlier process known, once they have been read.
  void restore_past();
  /// While findings.table can be reached.
  void turn_table(core::Instant now) { table_.pump(now); }
  /// True: an acknowledgement has begun or ended, and is to be published before the next turn.
  [[nodiscard]] bool turn(core::Instant now);
  /// What the watch has found goes out, and to the disk; where no stream loop does that.
  void report(core::Instant now);
  /// They are as they were told, by a server whose findings.table may lack them.
  void record_confirmed(std::vector<core::Finding> findings);
  /// The end of the process.
  void finish(std::chrono::milliseconds patience) { outputs_.finish(patience); }
  [[nodiscard]] core::Instant deadline() const noexcept {
    return std::min(table_.deadline(), outputs_.deadline());
  }

  [[nodiscard]] bool loading() const noexcept { return outputs_.loading(); }
  [[nodiscard]] bool accepts() const noexcept { return outputs_.accepts(); }
  /// Findings of the table rules that an earlier process told, since the last call.
  [[nodiscard]] std::vector<std::uint64_t> take_restored() { return std::exchange(restored_, {}); }
  /// See QuarantineWorker.
  void attached(const core::ServerPin& server) { quarantine_.attached(server); }
  void leave_server() { quarantine_.rest(); }
  [[nodiscard]] std::optional<postgres::Error> take_farewell() { return quarantine_.take_farewell(); }
  [[nodiscard]] findings::FindingOutputs& outputs() noexcept { return outputs_; }
  [[nodiscard]] Acknowledger& acknowledger() noexcept { return acknowledger_; }

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant now) const override;

 private:
  const core::Config& config_;
  core::Watch& watch_;
  web::StatusStore& store_;
  process::Log& log_;
  findings::TableWriter table_;
  findings::WebhookWorker webhook_;
  quarantine::QuarantineWorker quarantine_;
  findings::FindingOutputs outputs_;
  Acknowledger acknowledger_;
  std::vector<std::uint64_t> restored_;
};

}  // namespace dupwatch::run
