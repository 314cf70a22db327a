#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace dupwatch::web {

/// A thread for work that the server's own thread must not wait for, in the order in which it came.
class Offload {
 public:
  enum class Priority { kUsual, kLow };

  /// At most `waiting_max` pieces wait. Throws std::system_error where no thread can be made.
  explicit Offload(std::size_t waiting_max, Priority priority = Priority::kUsual);
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;
  /// Waits for the piece under way and drops those that wait.
  ~Offload();

  /// Any thread. false: too many wait, `work` is not done. What it throws is dropped.
  [[nodiscard]] bool submit(std::function<void()> work);

 private:
  void run(Priority priority);

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Both are guarded by mutex_.
  std::deque<std::function<void()>> waiting_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace dupwatch::web
