#include "daemon/web/offload.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <exception>
#include <utility>

namespace dupwatch::web {
namespace {

constexpr int kLowNice = 10;

}  // namespace

Offload::Offload(std::size_t waiting_max, Priority priority)
    : waiting_max_(waiting_max), thread_([this, priority] { run(priority); }) {}

Offload::~Offload() {
  {
    const std::lock_guard lock{mutex_};
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool Offload::submit(std::function<void()> work) {
  {
    const std::lock_guard lock{mutex_};
    if (stop_ || waiting_.size() >= waiting_max_) return false;
    waiting_.push_back(std::move(work));
  }
  changed_.notify_one();
  return true;
}

void Offload::run(Priority priority) {
  // Linux gives each thread a niceness of its own. Refused: it is as nice as the others.
  if (priority == Priority::kLow) (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLowNice);
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    auto work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    try {
      work();
    } catch (const std::exception&) {
      // Out of memory: whoever waits for it has a deadline.
    }
    work = nullptr;
    lock.lock();
  }
}

}  // namespace dupwatch::web
