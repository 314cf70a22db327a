#include "daemon/findings/file_writer.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "daemon/findings/file_history.hpp"

namespace dupwatch::findings {

struct FileWriter::Shared {
  FindingsFile file;  ///< of the worker's thread
  /// There is something to take: asked in every turn of the loop, which takes no lock for it.
  std::atomic<bool> answered{false};
  std::mutex mutex;
  std::condition_variable changed;
  // Guarded by mutex.
  bool opened_once = false;
  std::optional<core::FileTask> task;
  std::optional<Opened> opened;
  std::optional<FindingsFile::Result> result;
  process::EventFd* wake;  ///< nullptr once nobody listens

  Shared(std::string path, process::EventFd& waker) : file(std::move(path)), wake(&waker) {}

  template <class T>
  void answer(std::optional<T> Shared::*place, T value) {
    {
      const std::lock_guard lock(mutex);
      this->*place = std::move(value);
      answered = true;
      if (wake != nullptr) wake->signal();
    }
    changed.notify_all();
  }
  template <class T>
  std::optional<T> take(std::optional<T> Shared::*place) {
    if (!answered) return std::nullopt;
    const std::lock_guard lock(mutex);
    answered = false;
    return std::exchange(this->*place, std::nullopt);
  }
};

FileWriter::FileWriter(std::string path, process::EventFd& wake)
    : shared_(std::make_shared<Shared>(std::move(path), wake)),
      worker_([shared = shared_] { work(*shared); }) {
  worker_.wake();
}

FileWriter::~FileWriter() {
  const std::lock_guard lock(shared_->mutex);
  shared_->wake = nullptr;
}

std::optional<FileWriter::Opened> FileWriter::take_opened() {
  return shared_->take(&Shared::opened);
}

std::optional<FindingsFile::Result> FileWriter::take_result() {
  return shared_->take(&Shared::result);
}

void FileWriter::begin(core::FileTask task) {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->task = std::move(task);
  }
  worker_.wake();
}

bool FileWriter::wait_for_answer(std::chrono::milliseconds patience) {
  std::unique_lock lock(shared_->mutex);
  return shared_->changed.wait_for(lock, patience, [this] { return shared_->answered.load(); });
}

void FileWriter::work(Shared& shared) {
  std::unique_lock lock(shared.mutex);
  if (!std::exchange(shared.opened_once, true)) {
    lock.unlock();
    Opened opened{.trouble = shared.file.open(), .past = {}};
    if (shared.file.past_is_on_disk()) opened.past = read_history(shared.file.path());
    shared.answer(&Shared::opened, std::move(opened));
    lock.lock();
  }
  const auto task = std::exchange(shared.task, std::nullopt);
  lock.unlock();
  if (task) shared.answer(&Shared::result, shared.file.perform(*task));
}

}  // namespace dupwatch::findings
