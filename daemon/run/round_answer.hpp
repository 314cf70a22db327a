#pragma once

#include <optional>

#include "daemon/core/round_pace.hpp"
#include "daemon/postgres/error.hpp"

namespace dupwatch::run {

/// The answer to a question of a round, or the error in its place.
inline void note_answer(core::RoundPace& pace, const std::optional<postgres::Error>& error,
                        core::Instant now) {
  if (!error) {
    pace.answered(now);
  } else if (error->cause != postgres::Cause::kRenewed) {  // it was we who ended the session
    pace.failed(now, error->message, error->sqlstate.empty() || postgres::ends_session(*error));
  }
}

}  // namespace dupwatch::run
