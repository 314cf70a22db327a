#include <utility>  // before Boost 1.74, which forgets it

#include "daemon/web/web_config_watch.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

namespace dupwatch::web {
namespace {

// A file that is written in two steps has time for the second.
constexpr int kLooksUntilSettled = 4;

[[nodiscard]] std::string signature_of(const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return "none;";
  return fmt::format("{}:{}:{}:{}.{}:{}.{};", info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec, info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
}

}  // namespace

std::variant<LoadedWebConfig, Problems> load_all(const LoadWebConfig& load) {
  auto parsed = load();
  if (auto* problems = std::get_if<Problems>(&parsed)) return std::move(*problems);
  LoadedWebConfig out{.config = std::get<core::WebConfig>(std::move(parsed)), .tls = nullptr};
  if (!out.config.tls.enabled) return out;
  auto tls = TlsContext::build(out.config.tls);
  if (auto* problems = std::get_if<Problems>(&tls)) return std::move(*problems);
  out.tls = std::get<std::shared_ptr<TlsContext>>(std::move(tls));
  return out;
}

WebConfigWatch::WebConfigWatch(std::string file, const LoadedWebConfig& first, LoadWebConfig load,
                               Callbacks callbacks)
    : file_(std::move(file)),
      load_(std::move(load)),
      callbacks_(std::move(callbacks)),
      tls_(first.tls != nullptr),
      users_(!first.config.users.empty()) {
  watch_files_of(first.config);
  // What changed between the first reading and this is read at the first look.
  seen_ = signature();
  thread_ = std::thread{[this] { run(); }};
}

WebConfigWatch::~WebConfigWatch() {
  {
    const std::lock_guard lock{mutex_};
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void WebConfigWatch::run() {
  std::unique_lock lock{mutex_};
  while (!changed_.wait_for(lock, kInterval, [this] { return stop_; })) {
    lock.unlock();
    try {
      look();
    } catch (const std::exception&) {
      // Out of memory: the next look.
    }
    lock.lock();
  }
}

void WebConfigWatch::look() {
  auto now = signature();
  if (now != seen_) {
    seen_ = std::move(now);
    looks_ = 0;
    settled_ = false;
    news_ = true;
    return;
  }
  if (settled_) return;
  const bool long_enough = ++looks_ >= kLooksUntilSettled;
  auto loaded = load_all(load_);
  if (const auto* problems = std::get_if<Problems>(&loaded)) {
    settled_ = long_enough;
    if (settled_) callbacks_.failed(*problems);
    return;
  }
  auto& web = std::get<LoadedWebConfig>(loaded);
  const bool users = !web.config.users.empty();
  // Fewer locks than before may be a file that was cut off.
  if (((tls_ && !web.tls) || (users_ && !users)) && !long_enough) return;
  tls_ = web.tls != nullptr;
  users_ = users;
  settled_ = true;
  const auto files = files_;
  watch_files_of(web.config);
  // Of other files it is not known whether they changed since they were read: once more, and quietly.
  if (files != files_) {
    seen_ = signature();
    looks_ = 0;
    settled_ = false;
  }
  callbacks_.changed(std::move(web), std::exchange(news_, false));
}

std::string WebConfigWatch::signature() const {
  std::string out;
  for (const auto& file : files_) out += signature_of(file);
  return out;
}

void WebConfigWatch::watch_files_of(const core::WebConfig& config) {
  files_ = {file_};
  for (const auto* source : {&config.tls.cert, &config.tls.key, &config.tls.client_ca}) {
    if (!source->file.empty()) files_.push_back(source->file);
  }
}

}  // namespace dupwatch::web
