#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "daemon/core/web_config.hpp"
#include "daemon/web/tls_context.hpp"

namespace dupwatch::web {

/// A web configuration file and the certificates that it names, read and in order.
struct LoadedWebConfig {
  core::WebConfig config;
  /// nullptr = plain HTTP.
  std::shared_ptr<TlsContext> tls;
};

using Problems = std::vector<std::string>;
/// Reads and parses the file; any thread.
using LoadWebConfig = std::function<std::variant<core::WebConfig, Problems>()>;

/// Reads the file through `load`, and what it names. Every problem at once.
[[nodiscard]] std::variant<LoadedWebConfig, Problems> load_all(const LoadWebConfig& load);

/// Reads it all again when one of the files changes, on a thread of its own: a slow file system must not hold
/// up the probes. A change is read when it has stood for one interval: a file that is being written is empty
/// for a moment, and would open the door to everybody.
class WebConfigWatch {
 public:
  static constexpr std::chrono::milliseconds kInterval{250};

  struct Callbacks {
    /// It was read and is in order. `news` = a file is another one than at the last look.
    std::function<void(LoadedWebConfig, bool news)> changed;
    /// Something changed and stays out of order; once for each change.
    std::function<void(const Problems&)> failed;
  };

  /// `first` is what was read before. Throws std::system_error where no thread can be made.
  WebConfigWatch(std::string file, const LoadedWebConfig& first, LoadWebConfig load, Callbacks callbacks);
  WebConfigWatch(const WebConfigWatch&) = delete;
  WebConfigWatch& operator=(const WebConfigWatch&) = delete;
  ~WebConfigWatch();

 private:
  void run();
  void look();
  /// Changes with each file.
  [[nodiscard]] std::string signature() const;
  void watch_files_of(const core::WebConfig& config);

  const std::string file_;
  const LoadWebConfig load_;
  const Callbacks callbacks_;
  std::vector<std::string> files_;
  std::string seen_;
  /// Looks since the last change; what stands then is not yet in force unless `settled_`.
  int looks_ = 0;
  bool settled_ = false;
  /// What stands is another than what was read at the start.
  bool news_ = false;
  /// Of what is in force.
  bool tls_;
  bool users_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;   // guarded by mutex_
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace dupwatch::web
