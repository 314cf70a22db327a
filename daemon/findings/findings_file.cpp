#include "daemon/findings/findings_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace dupwatch::findings {
namespace {

/// So long a pipe may be full before it counts as one that nobody reads.
constexpr int kPipeWaitMillis = 1'000;
/// A path that leads elsewhere right after it was opened is being rotated, most likely.
constexpr int kOpenAttempts = 3;

/// A crash in the middle of a write leaves a torn last line.
bool ends_in_mid_line(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || info.st_size == 0) return false;
  char last = '\n';
  return pread(fd, &last, 1, info.st_size - 1) == 1 && last != '\n';
}

bool same_file(const std::string& path, int fd) {
  struct stat there {};
  struct stat ours {};
  return stat(path.c_str(), &there) == 0 && fstat(fd, &ours) == 0 && there.st_dev == ours.st_dev &&
         there.st_ino == ours.st_ino;
}

/// A new file is lost in a crash of the machine as long as its folder is not on the disk.
void sync_folder(const std::string& path) {
  auto folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  close(fd);
}

}  // namespace

FindingsFile::~FindingsFile() {
  close_file();
}

void FindingsFile::close_file() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

FindingsFile::Trouble FindingsFile::open() {
  const auto trouble = open_once();
  if (!trouble) past_is_on_disk_ = fdatasync(fd_) == 0;
  return trouble;
}

FindingsFile::Trouble FindingsFile::open_once() {
  for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
    close_file();
    // A pipe must not hold the thread for ever, nor be waited for; a file on a disk does not care.
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): its mode is one
    fd_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
    if (fd_ < 0) return {Trouble::Step::kOpen, errno};
    has_identity_ = same_file(path_, fd_);
    if (has_identity_) break;
  }
  struct stat info {};
  end_ = fstat(fd_, &info) == 0 ? info.st_size : 0;
  if (end_ == 0) sync_folder(path_);
  return {};
}

bool FindingsFile::is_ours() const {
  if (!has_identity_) return true;
  struct stat info {};
  // One that became shorter was emptied by a rotation that copies: what it was given since the copy is gone.
  return same_file(path_, fd_) && (fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size >= end_);
}

FindingsFile::Result FindingsFile::reopened() {
  return {.outcome = {.replaced = true}, .trouble = open_once()};
}

FindingsFile::Result FindingsFile::perform(const core::FileTask& task) {
  if (fd_ < 0 || !is_ours()) return reopened();
  Result result;
  if (task.begins_line && !task.bytes.empty() && ends_in_mid_line(fd_)) {
    std::size_t ended = 0;
    if (const int error = write_all("\n", ended)) {
      result.trouble = {Trouble::Step::kWrite, error};
      return result;
    }
  }
  const int error = write_all(task.bytes, result.outcome.written);
  if (error != 0) {
    result.trouble = {Trouble::Step::kWrite, error};
    return result;
  }
  if (task.sync) {
    // EINVAL, EROFS: a pipe or a terminal has no disk.
    const bool synced = fdatasync(fd_) == 0 || errno == EINVAL || errno == EROFS;
    result.outcome.sync = synced ? core::FileOutcome::Sync::kDone : core::FileOutcome::Sync::kFailed;
    if (!synced) result.trouble = {Trouble::Step::kSync, errno};
  }
  // What has gone to a file that is gone must not count.
  return is_ours() ? result : reopened();
}

int FindingsFile::write_all(std::string_view bytes, std::size_t& written) {
  while (written < bytes.size()) {
    const auto count = ::write(fd_, bytes.data() + written, bytes.size() - written);
    if (count >= 0) {
      written += static_cast<std::size_t>(count);
      end_ += count;
      continue;
    }
    if (errno == EINTR) continue;
    const int error = errno;
    pollfd fd{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (error != EAGAIN || poll(&fd, 1, kPipeWaitMillis) <= 0) return error;
  }
  return 0;
}

}  // namespace dupwatch::findings
