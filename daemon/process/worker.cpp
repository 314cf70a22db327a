#include "daemon/process/worker.hpp"

#include <condition_variable>
#include <mutex>
#include <utility>

namespace dupwatch::process {

namespace {

/// A thread that has nothing to do ends within that.
constexpr std::chrono::milliseconds kGrace{100};

}  // namespace

struct Worker::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  // Guarded by mutex.
  bool woken = false;
  bool stopping = false;
  bool ended = false;
};

Worker::Worker(std::function<void()> work)
    : shared_(std::make_shared<Shared>()),
      thread_([shared = shared_, work = std::move(work)] { run(*shared, work); }) {}

Worker::~Worker() {
  stop(kGrace);
}

void Worker::wake() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->woken = true;
  }
  shared_->changed.notify_all();
}

bool Worker::stop(std::chrono::milliseconds patience) {
  if (!thread_.joinable()) return true;
  bool ended = false;
  {
    std::unique_lock lock(shared_->mutex);
    shared_->stopping = true;
    shared_->changed.notify_all();
    ended = shared_->changed.wait_for(lock, patience, [this] { return shared_->ended; });
  }
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
  return ended;
}

void Worker::run(Shared& shared, const std::function<void()>& work) {
  std::unique_lock lock(shared.mutex);
  for (;;) {
    shared.changed.wait(lock, [&] { return shared.woken || shared.stopping; });
    if (!std::exchange(shared.woken, false)) break;
    lock.unlock();
    work();
    lock.lock();
  }
  shared.ended = true;
  shared.changed.notify_all();
}

}  // namespace dupwatch::process
