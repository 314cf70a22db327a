#include "scene.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::run::streamed {
namespace {

/// Before any thread is.
process::StopSignals& stop_signals() {
  static process::StopSignals signals;
  return signals;
}

process::ReloadSignal& reload_signal() {
  static process::ReloadSignal signal;
  return signal;
}

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

Scene::Scene(decoder::Plugin plugin) : database_(plugin) {
  stop_signals();
  reload_signal();
  config_.connection.dsn = "host=db.example";
  config_.slot.plugin =
      plugin == decoder::Plugin::kPgoutput ? core::PluginChoice::kPgoutput : core::PluginChoice::kWal2json;
  config_.connection.backoff_min = core::Milliseconds{5};
  config_.connection.backoff_max = core::Milliseconds{20};
  config_.findings.file = folder_ / "findings.jsonl";
  config_.http.port = free_port();
  config_.log.format = core::LogFormat::kJson;
  load_ = [this]() -> config::ConfigResult { return config_; };
}

Scene::~Scene() {
  if (thread_.joinable()) stop();
}

void Scene::start() {
  ended_ = false;
  code_.reset();
  const auto file = folder_ / "log";
  thread_ = std::thread([this, file] {
    const int kept = dup(STDERR_FILENO);
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(fd, STDERR_FILENO);
    {
      process::Log log(config_.log);
      Daemon daemon(config_, stop_signals(), log, load_, reload_signal());
      code_ = daemon.run();
    }
    dup2(kept, STDERR_FILENO);
    close(fd);
    close(kept);
    ended_ = true;
  });
}

process::ExitCode Scene::stop() {
  if (!ended_) pthread_kill(thread_.native_handle(), SIGTERM);
  return wait_for_end();
}

process::ExitCode Scene::wait_for_end() {
  thread_.join();
  if (testing::Test::HasFailure()) std::fputs(log().c_str(), stderr);
  return *code_;
}

bool Scene::has_ended() const {
  return ended_;
}

void Scene::start_and_stream() {
  start();
  ASSERT_TRUE(comes([&] { return ready(); })) << trouble() << log();
}

bool Scene::comes(const std::function<bool()>& true_now) {
  return comes_in_time(true_now, 0ms);
}

bool Scene::comes_in_time(const std::function<bool()>& true_now, std::chrono::milliseconds step) {
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (!true_now()) {
    if (std::chrono::steady_clock::now() > until || testing::Test::HasFailure()) return false;
    std::this_thread::sleep_for(5ms);
    if (step == 0ms) continue;
    skip(step);
    database_.keepalive(false);
  }
  return true;
}

web::Answer Scene::get(const std::string& path) const {
  return web::call(config_.http.port, "GET", path);
}

std::string Scene::metric(const std::string& name) const {
  std::istringstream lines(get("/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
  }
  return {};
}

std::size_t Scene::told(const std::string& text) const {
  std::size_t count = 0;
  std::istringstream lines(content(config_.findings.file));
  for (std::string line; std::getline(lines, line);) count += line.find(text) != std::string::npos ? 1U : 0U;
  return count;
}

bool Scene::logs(const std::string& text) {
  return comes_in_time([&] { return log().find(text) != std::string::npos; }, 50ms);
}

std::string Scene::log() const {
  return content(folder_ / "log");
}

std::string Scene::run_id(std::uint64_t run) {
  return core::ulid("wrun_", run);
}

oracle::Event Scene::event(std::uint64_t n, const std::string& type, std::optional<std::string> entity,
                           std::uint64_t run) {
  return {.run_id = run_id(run),
          .id = core::ulid("wevt_", run * 32 + n),
          .identity = {std::move(entity)},
          .type = type};
}

std::uint64_t Scene::commit_duplicate(std::uint64_t run) {
  database_.commit({event(1, "run_created", {}, run), event(2, "run_started", {}, run),
                    event(3, "step_created", "step_a", run), event(4, "step_started", "step_a", run)});
  database_.commit({event(5, "step_completed", "step_a", run)});
  return database_.commit({event(6, "step_created", "step_a", run)});
}

}  // namespace dupwatch::run::streamed
