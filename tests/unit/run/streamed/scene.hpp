#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "clock.hpp"
#include "daemon/run/daemon.hpp"
#include "database.hpp"
#include "tests/unit/process/scratch_folder.hpp"
#include "tests/unit/web/http_client.hpp"

namespace dupwatch::run::streamed {

using namespace std::chrono_literals;

/// In a record of findings.file.
inline constexpr const char* kFatal = R"("severity":"fatal")";

/// The daemon as `dupwatch run` makes it, on a thread, beside a database that the test plays.
class Scene {
 public:
  using Event = oracle::Event;

  explicit Scene(decoder::Plugin plugin);
  ~Scene();
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  void start();
  /// SIGTERM, and its exit code.
  process::ExitCode stop();
  /// Waits for an end that nobody asked for.
  process::ExitCode wait_for_end();
  [[nodiscard]] bool has_ended() const;
  void start_and_stream();

  /// Whether it comes true within seconds; the daemon's time stands still for no one, but does not skip.
  [[nodiscard]] bool comes(const std::function<bool()>& true_now);
  /// The same, and the daemon's time skips by `step` between two looks, while the walsender sends its signs
  /// of life.
  [[nodiscard]] bool comes_in_time(const std::function<bool()>& true_now, std::chrono::milliseconds step);

  [[nodiscard]] web::Answer get(const std::string& path) const;
  [[nodiscard]] bool ready() const { return get("/readyz").status == 200; }
  /// In the words of /readyz.
  [[nodiscard]] std::string trouble() const { return get("/readyz").body; }
  [[nodiscard]] std::string metric(const std::string& name) const;
  /// How many lines of findings.file have this text.
  [[nodiscard]] std::size_t told(const std::string& text) const;
  /// Whether it logs this within seconds; its time skips meanwhile. Readiness is told a quarter of a second
  /// late, so what is over is better seen in the log.
  [[nodiscard]] bool logs(const std::string& text);
  /// What the daemon has logged so far.
  [[nodiscard]] std::string log() const;

  /// Of run `run`, with ids in the order of `n`.
  static Event event(std::uint64_t n, const std::string& type, std::optional<std::string> entity = {},
                     std::uint64_t run = 1);
  /// A run whose step is created again after it has completed; the finding's row is event 6 of it.
  std::uint64_t commit_duplicate(std::uint64_t run = 1);
  static std::string run_id(std::uint64_t run);

  ScratchFolder folder_;
  Database database_;
  core::Config config_;
  ConfigReloader::Load load_;

 private:
  std::optional<process::ExitCode> code_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

class DaemonTest : public testing::TestWithParam<decoder::Plugin>, protected Scene {
 protected:
  DaemonTest() : Scene(GetParam()) {}
};

inline std::string plugin_of(const testing::TestParamInfo<decoder::Plugin>& info) {
  return std::string(decoder::to_string(info.param));
}

}  // namespace dupwatch::run::streamed
