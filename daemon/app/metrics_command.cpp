#include <fmt/format.h>

#include <cstdio>

#include "daemon/app/commands.hpp"

namespace dupwatch::app {

ExitCode metrics_command(web::DescriptionFormat format) {
  fmt::print("{}", web::describe_metrics(format));
  return ExitCode::kClean;
}

}  // namespace dupwatch::app
