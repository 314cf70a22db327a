#pragma once

#include <string_view>

#include "daemon/postgres/error.hpp"
#include "daemon/process/exit_code.hpp"

namespace dupwatch::cli {

/// One line on stderr, with the remedy, and the exit code that goes with the error.
[[nodiscard]] process::ExitCode report_error(const postgres::Error& error);

/// To stdout, as it is. A reader that has gone away is no error.
void print(std::string_view text);

}  // namespace dupwatch::cli
