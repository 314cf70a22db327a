#include "daemon/cli/report_error.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace dupwatch::cli {

process::ExitCode report_error(const postgres::Error& error) {
  fmt::print(stderr, "error: {}{}{}\n", error.message,
             error.remedy.empty() ? "" : "; remedy: ", error.remedy);
  return error.fault == postgres::Fault::kTransient ? process::ExitCode::kTemporary
                                                    : process::ExitCode::kOperator;
}

void print(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace dupwatch::cli
