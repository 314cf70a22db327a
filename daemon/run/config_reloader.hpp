#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "daemon/config/config_file.hpp"
#include "daemon/core/reload.hpp"
#include "daemon/process/event_fd.hpp"

namespace dupwatch::run {

/// Reads the configuration again when SIGHUP or POST /-/reload asks for it, on a thread of its own: a slow
/// file system must not hold up the stream. The loop thread alone puts it in force.
class ConfigReloader {
 public:
  using Load = std::function<config::ConfigResult()>;
  /// So long an asker waits for the loop.
  static constexpr std::chrono::seconds kAnswerMax{10};
  /// So many wait at the most; each has a thread of the HTTP server.
  static constexpr int kAskersMax = 4;

  struct Loaded {
    config::ConfigResult result;
    /// Who asked: "SIGHUP" or "http".
    std::string_view by;
  };
  struct Answer {
    core::ConfigChange change;
    /// Every problem of the file; not empty = nothing was changed.
    std::vector<std::string> errors;
  };

  /// `wake` is signalled when something was read. References must outlive it.
  ConfigReloader(Load load, process::ReloadSignal& signal, process::EventFd& wake);
  ~ConfigReloader();
  ConfigReloader(const ConfigReloader&) = delete;
  ConfigReloader& operator=(const ConfigReloader&) = delete;

  /// Of the loop: what was read, once; answer() is to follow.
  [[nodiscard]] std::optional<Loaded> take();
  void answer(Answer answer);

  /// Of any other thread: asks for a reload and waits for what came of it; nullopt when that takes too long,
  /// when too many wait, or at the end.
  [[nodiscard]] std::optional<Answer> ask();
  /// Nobody waits here any more, and nothing is read.
  void stop();

 private:
  void work();
  [[nodiscard]] Loaded read(bool by_signal) const;

  const Load load_;
  process::ReloadSignal& signal_;
  process::EventFd& wake_;
  /// Wakes the thread: asked, or to stop.
  process::EventFd called_;
  std::atomic<bool> is_loaded_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  // All below are guarded by mutex_.
  bool stop_ = false;
  int askers_ = 0;
  std::uint64_t asked_ = 0;
  /// The last question that `loaded_`, and then `answer_`, is about.
  std::uint64_t reading_ = 0;
  std::uint64_t answered_ = 0;
  bool answer_due_ = false;
  std::optional<Loaded> loaded_;
  Answer answer_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace dupwatch::run
