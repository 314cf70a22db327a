#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>
#include <variant>

#include "daemon/cli/command.hpp"
#include "daemon/cli/daemon_client.hpp"
#include "daemon/core/text.hpp"

namespace dupwatch::cli {
namespace {

// The answer is a sentence; another program's page need not be read to its end.
constexpr std::size_t kHealthBytesMax = 4096;

/// What was asked, and what came of it; without a status there was no answer.
void print_json(bool healthy, std::string_view asked, long status, std::string_view said) {
  fmt::print(R"({{"healthy":{},"asked":{},"status":{},"said":{}}})"
             "\n",
             healthy, core::json_string(asked), status == 0 ? "null" : std::to_string(status),
             core::json_string(said));
}

process::ExitCode health_command(const core::Config& config, bool ready, bool json, const std::string& url) {
  const auto found = DaemonClient::of(config, url);
  if (const auto* failure = std::get_if<DaemonClient::Failure>(&found)) {
    fmt::print(stderr, "dupwatch: {}\n", failure->what);
    return process::ExitCode::kUsage;
  }
  const auto& client = std::get<DaemonClient>(found);
  const auto* path = ready ? "/readyz" : "/healthz";
  auto asked = client.get(path, kHealthBytesMax);
  if (const auto* failure = std::get_if<DaemonClient::Failure>(&asked)) {
    if (json) print_json(false, client.base() + path, 0, failure->what);
    fmt::print(stderr, "dupwatch: {}\n", failure->what);
    return process::ExitCode::kFindings;
  }
  auto [status, body] = std::get<DaemonClient::Answer>(std::move(asked));
  while (body.ends_with('\n')) body.pop_back();
  if (json) print_json(status == 200, client.base() + path, status, body);
  if (status == 200) {
    if (!json) fmt::print("{}\n", body);
    return process::ExitCode::kClean;
  }
  fmt::print(stderr, "dupwatch: {}{}: status {}: {}\n", client.base(), path, status, body);
  return process::ExitCode::kFindings;
}

class HealthCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--ready", ready_, "Ask whether it watches, not only whether it is alive");
    app.add_flag("--json", json_, "One JSON document on stdout");
    app.add_option("--url", url_, "Where it listens, such as http://127.0.0.1:9788")->type_name("URL");
  }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    return health_command(invocation.config, ready_, json_, url_);
  }

 private:
  bool ready_ = false;
  bool json_ = false;
  std::string url_;
};

}  // namespace

std::unique_ptr<Command> make_health() {
  return std::make_unique<HealthCommand>();
}

}  // namespace dupwatch::cli
