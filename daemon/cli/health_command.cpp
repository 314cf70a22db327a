#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>
#include <variant>

#include "daemon/cli/command.hpp"
#include "daemon/cli/daemon_client.hpp"

namespace dupwatch::cli {
namespace {

// The answer is a sentence; another program's page need not be read to its end.
constexpr std::size_t kAnswerBytesMax = 4096;

process::ExitCode health_command(const core::Config& config, bool ready, const std::string& url) {
  const auto found = DaemonClient::of(config, url);
  if (const auto* failure = std::get_if<DaemonClient::Failure>(&found)) {
    fmt::print(stderr, "dupwatch: {}\n", failure->what);
    return process::ExitCode::kUsage;
  }
  const auto& client = std::get<DaemonClient>(found);
  const auto* path = ready ? "/readyz" : "/healthz";
  auto asked = client.get(path, kAnswerBytesMax);
  if (const auto* failure = std::get_if<DaemonClient::Failure>(&asked)) {
    fmt::print(stderr, "dupwatch: {}\n", failure->what);
    return process::ExitCode::kFindings;
  }
  auto [status, body] = std::get<DaemonClient::Answer>(std::move(asked));
  while (body.ends_with('\n')) body.pop_back();
  if (status == 200) {
    fmt::print("{}\n", body);
    return process::ExitCode::kClean;
  }
  fmt::print(stderr, "dupwatch: {}{}: status {}: {}\n", client.base(), path, status, body);
  return process::ExitCode::kFindings;
}

class HealthCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--ready", ready_, "Ask whether it watches, not only whether it is alive");
    app.add_option("--url", url_, "Where it listens, such as http://127.0.0.1:9788")->type_name("URL");
  }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    return health_command(invocation.config, ready_, url_);
  }

 private:
  bool ready_ = false;
  std::string url_;
};

}  // namespace

std::unique_ptr<Command> make_health() {
  return std::make_unique<HealthCommand>();
}

}  // namespace dupwatch::cli
