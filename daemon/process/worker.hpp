#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

namespace dupwatch::process {

/// A thread for calls that may block for as long as a disk or a reader likes. Nobody has to wait for it: a
/// thread that is still in such a call when its owner ends is left behind, and ends with the process. So
/// what the work uses has to be shared with it, by std::shared_ptr, and not be owned by anybody else.
class Worker {
 public:
  /// `work` is called on the thread once for any number of wake() since it was last called. Throws
  /// std::system_error when there is no thread to be had.
  explicit Worker(std::function<void()> work);
  /// As stop(100 ms).
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// From any thread.
  void wake();
  /// Lets the work be called a last time where it was asked for, and waits for that. False: it was still
  /// under way after `patience`, and its thread is left behind.
  bool stop(std::chrono::milliseconds patience);

 private:
  struct Shared;
  static void run(Shared& shared, const std::function<void()>& work);

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace dupwatch::process
