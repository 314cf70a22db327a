#include "daemon/core/quarantine_stats.hpp"

namespace dupwatch::core {

std::string_view to_string(QuarantineMode mode) noexcept {
  switch (mode) {
    case QuarantineMode::kObserve:
      return "observe";
    case QuarantineMode::kRecord:
      return "record";
    case QuarantineMode::kRemove:
      return "remove";
  }
  return "?";
}

std::string_view to_string(QuarantineRefusal refusal) noexcept {
  switch (refusal) {
    case QuarantineRefusal::kNotFatal:
      return "not_fatal";
    case QuarantineRefusal::kSlotNumbered:
      return "slot_numbered";
    case QuarantineRefusal::kRunEnded:
      return "run_ended";
    case QuarantineRefusal::kRule:
      return "rule";
    case QuarantineRefusal::kOutcome:
      return "outcome";
    case QuarantineRefusal::kCanonical:
      return "canonical";
    case QuarantineRefusal::kChanged:
      return "changed";
    case QuarantineRefusal::kRestored:
      return "restored";
    case QuarantineRefusal::kRunLimit:
      return "run_limit";
    case QuarantineRefusal::kCircuitOpen:
      return "circuit_open";
    case QuarantineRefusal::kUnverified:
      return "unverified";
    case QuarantineRefusal::kStaysFatal:
      return "stays_fatal";
    case QuarantineRefusal::kNotIndexed:
      return "not_indexed";
    case QuarantineRefusal::kNotSlotNumbered:
      return "not_slot_numbered";
    case QuarantineRefusal::kEngine:
      return "engine";
  }
  return "?";
}

std::string_view to_string(QuarantineOutcome outcome) noexcept {
  switch (outcome) {
    case QuarantineOutcome::kRemoved:
      return "removed";
    case QuarantineOutcome::kRecorded:
      return "recorded";
    case QuarantineOutcome::kDryRun:
      return "dry_run";
    case QuarantineOutcome::kAlready:
      return "already";
    case QuarantineOutcome::kRefused:
      return "refused";
    case QuarantineOutcome::kFailed:
      return "failed";
    case QuarantineOutcome::kDropped:
      return "dropped";
  }
  return "?";
}

std::string_view to_string(QuarantineState state) noexcept {
  switch (state) {
    case QuarantineState::kOff:
      return "off";
    case QuarantineState::kReady:
      return "ready";
    case QuarantineState::kUnavailable:
      return "unavailable";
    case QuarantineState::kTripped:
      return "tripped";
  }
  return "?";
}

}  // namespace dupwatch::core
