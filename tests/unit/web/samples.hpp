#pragma once

#include <cstdint>
#include <string>

#include "daemon/core/finding.hpp"
#include "daemon/core/stats.hpp"

namespace dupwatch::web {

/// A new finding whose run is "run_<id>".
[[nodiscard]] inline core::Finding finding(std::uint64_t id) {
  core::Finding out;
  out.id = id;
  out.table = "workflow.workflow_events";
  out.run_id = "run_" + std::to_string(id);
  out.identity = {"step_1"};
  out.type = "step_created";
  out.canonical.id = "evt_1";
  out.duplicate.id = "evt_2";
  return out;
}

/// A snapshot of a daemon that streams and is caught up.
[[nodiscard]] inline core::StatusSnapshot streaming() {
  core::StatusSnapshot out;
  out.state = core::StreamState::kStreaming;
  out.ready = true;
  out.slot.name = "dupwatch";
  out.slot.plugin = "pgoutput";
  out.server.version = "15.14";
  out.server.system_identifier = "7576531234567890123";
  out.server.timeline = 1;
  out.stream.confirmed = {0x1'0000'0000};
  out.stream.received = {0x1'0000'0010};
  out.stream.server_end = {0x1'0000'0020};
  return out;
}

}  // namespace dupwatch::web
