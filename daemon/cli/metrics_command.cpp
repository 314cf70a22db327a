#include <fmt/format.h>

#include <cstdio>

#include "daemon/cli/commands.hpp"

namespace dupwatch::cli {

process::ExitCode metrics_command(web::DescriptionFormat format) {
  fmt::print("{}", web::describe_metrics(format));
  return process::ExitCode::kClean;
}

}  // namespace dupwatch::cli
