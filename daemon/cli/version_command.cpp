#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "daemon/cli/command.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/core/text.hpp"
#include "daemon/web/build_info.hpp"

namespace dupwatch::cli {
namespace {

class VersionCommand final : public Command {
 public:
  void add_options(CLI::App& app) override { app.add_flag("--json", json_, "One JSON document on stdout"); }
  [[nodiscard]] process::ExitCode run(const Invocation& /*invocation*/) override {
    const auto info = web::build_info();
    print(json_ ? fmt::format(R"({{"version":{},"revision":{},"compiler":{}}})"
                              "\n",
                              core::json_string(info.version), core::json_string(info.revision),
                              core::json_string(info.compiler))
                : fmt::format("{}\n", version_line()));
    return process::ExitCode::kClean;
  }

 private:
  bool json_ = false;
};

}  // namespace

std::string version_line() {
  const auto info = web::build_info();
  return fmt::format("dupwatch {} ({}, {})", info.version, info.revision, info.compiler);
}

std::unique_ptr<Command> make_version() {
  return std::make_unique<VersionCommand>();
}

}  // namespace dupwatch::cli
