#pragma once

#include <string>
#include <string_view>

#include "daemon/cli/quarantine_options.hpp"
#include "daemon/postgres/error.hpp"
#include "daemon/process/exit_code.hpp"

/// What the quarantine's commands ask a person, and tell one.
namespace dupwatch::cli {

/// Nothing is written without a person's word: `question` on the terminal, or an error without one. Ask
/// before signals are blocked, so that Ctrl-C is an answer too. `changes`: the thing that would change.
[[nodiscard]] bool person_agrees(const std::string& question, std::string_view changes);

/// As report_error(), with the remedies that belong to these commands.
[[nodiscard]] process::ExitCode report_quarantine_error(postgres::Error error,
                                                        QuarantineOptions::Action action);

}  // namespace dupwatch::cli
