#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/lag_meter.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/run/admission_probe.hpp"
#include "daemon/run/attach.hpp"
#include "daemon/run/heartbeat_writer.hpp"
#include "daemon/run/slot_hole_rounds.hpp"
#include "daemon/run/source.hpp"
#include "daemon/run/status_part.hpp"
#include "daemon/run/witness_rounds.hpp"

namespace dupwatch::run {

/// What is asked of the server beside the stream while it streams: whether the stream still brings what is
/// written, how far behind we are, and whether the server goes down. Owned by the loop thread.
class ServerWatch final : public StatusPart {
 public:
  ServerWatch(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql, process::Log& log,
              std::uint64_t seed);

  void streaming(const Attachment& attachment, const Source& source, core::Instant now);
  /// Ends the sessions that would keep a server from shutting down.
  void leave_server(const core::ConnectionConfig& connection, core::Instant now);
  /// Another session of ours is about to be made: it shows as well whether the server admits any.
  void session_comes() noexcept { admission_.rest(); }
  /// While streaming. `others`: sessions of ours are made just now.
  void turn(bool others, core::Instant now);
  void judged(decoder::Lsn position) noexcept { lag_.judged(position); }
  [[nodiscard]] core::Instant deadline() const noexcept;

  /// An error of a session of ours that may be the server's farewell.
  void note_farewell(const postgres::Error& error);
  /// What was said when the server ended a session of ours; once.
  [[nodiscard]] std::optional<postgres::Error> take_farewell();
  /// The farewells of before the stream say nothing any more.
  void forget_farewells() { farewell_.reset(); }
  /// Asks at once whether the server admits anybody.
  void hurry(core::Instant now) noexcept { admission_.hurry(now); }
  /// Why the stream is to be ended: it has lost a heartbeat.
  [[nodiscard]] std::optional<postgres::Error> heartbeat_lost(core::Instant heard,
                                                              std::optional<bool> slot_active,
                                                              core::Instant now) {
    return heartbeat_.lost(heard, slot_active, now);
  }

  /// Where stream and table have come to disagree since the last call.
  [[nodiscard]] std::vector<core::Witness::Verdict> take_disagreements() { return witness_.take(); }
  /// How they disagree just now, a sentence; empty: they agree.
  [[nodiscard]] std::string disagreement() const;

  [[nodiscard]] core::LagMeter& lag() noexcept { return lag_; }
  /// See HeartbeatWriter::client().
  [[nodiscard]] const postgres::SqlClient* heartbeat_client() const noexcept { return heartbeat_.client(); }

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant now) const override;

 private:
  const core::Config& config_;
  core::Watch& watch_;
  postgres::SqlClient& sql_;
  core::LagMeter lag_;
  HeartbeatWriter heartbeat_;
  AdmissionProbe admission_;
  WitnessRounds witness_;
  SlotHoleRounds slot_holes_;
  std::optional<postgres::Error> farewell_;
};

}  // namespace dupwatch::run
