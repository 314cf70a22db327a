#include "daemon/run/config_reloader.hpp"

#include <poll.h>

#include <array>
#include <exception>
#include <utility>

namespace dupwatch::run {

ConfigReloader::ConfigReloader(Load load, process::ReloadSignal& signal, process::EventFd& wake)
    : load_(std::move(load)), signal_(signal), wake_(wake), thread_([this] { work(); }) {}

ConfigReloader::~ConfigReloader() {
  stop();
  thread_.join();
}

void ConfigReloader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  called_.signal();
  changed_.notify_all();
}

void ConfigReloader::work() {
  for (;;) {
    std::array<pollfd, 2> fds{{{.fd = signal_.fd(), .events = POLLIN, .revents = 0},
                               {.fd = called_.fd(), .events = POLLIN, .revents = 0}}};
    (void)poll(fds.data(), fds.size(), -1);
    called_.clear();
    const bool by_signal = signal_.take();
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      if (!by_signal && asked_ == answered_) continue;
      // Whoever asks from here on may have written the file after it was read.
      reading_ = asked_;
    }
    auto loaded = read(by_signal);
    std::unique_lock lock(mutex_);
    loaded_ = std::move(loaded);
    answer_due_ = true;
    is_loaded_ = true;
    wake_.signal();
    changed_.wait(lock, [this] { return stop_ || !answer_due_; });
    if (stop_) return;
    // A question that came meanwhile.
    if (asked_ != answered_) called_.signal();
  }
}

ConfigReloader::Loaded ConfigReloader::read(bool by_signal) const {
  const std::string_view by = by_signal ? "SIGHUP" : "http";
  try {
    return {.result = load_(), .by = by};
  } catch (const std::exception& error) {
    config::ConfigProblem problem;
    problem.file = "configuration";
    problem.found = error.what();
    return {.result = std::vector{std::move(problem)}, .by = by};
  }
}

std::optional<ConfigReloader::Loaded> ConfigReloader::take() {
  // The loop looks at every turn.
  if (!is_loaded_.load(std::memory_order_relaxed)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  is_loaded_ = false;
  return std::exchange(loaded_, std::nullopt);
}

void ConfigReloader::answer(Answer answer) {
  {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
    answered_ = reading_;
    answer_due_ = false;
  }
  changed_.notify_all();
}

std::optional<ConfigReloader::Answer> ConfigReloader::ask() {
  std::unique_lock lock(mutex_);
  if (stop_ || askers_ == kAskersMax) return std::nullopt;
  ++askers_;
  const auto number = ++asked_;
  called_.signal();
  changed_.wait_for(lock, kAnswerMax, [&] { return stop_ || answered_ >= number; });
  --askers_;
  return answered_ >= number ? std::optional{answer_} : std::nullopt;
}

}  // namespace dupwatch::run
