#include "daemon/run/coverage_book.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "daemon/process/clock.hpp"

namespace dupwatch::run {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{64} << 10U;
constexpr std::chrono::seconds kAgain{1};

bool is_regular(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode);
}

std::string words(const std::string& what, const std::string& path) {
  return what + " " + path + ": " + std::strerror(errno);
}

/// A descriptor that is kept for when no other can be had.
int open_spare() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/// Everything, or false with errno.
bool write_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const auto count = ::write(fd, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

std::optional<std::string> read_all(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string text;
  std::array<char, 4096> buffer{};
  ssize_t count = 0;
  while (text.size() <= kFileBytesMax && (count = ::read(fd, buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  const int error = errno;
  close(fd);
  errno = error;
  return count < 0 ? std::nullopt : std::optional(std::move(text));
}

}  // namespace

CoverageBook::CoverageBook(process::EventFd& wake) : wake_(wake) {}

CoverageBook::~CoverageBook() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (spare_ >= 0) close(spare_);
}

std::string CoverageBook::path_for(const core::Config& config) {
  const auto& file = config.findings.file;
  if (!file.empty() && is_regular(file)) return file + ".coverage";
  // systemd may list several.
  const char* state = std::getenv("STATE_DIRECTORY");
  if (state == nullptr || *state == '\0') return {};
  const std::string_view folders{state};
  return std::string(folders.substr(0, folders.find(':'))) + "/" + config.slot.name + ".coverage";
}

std::optional<std::string> CoverageBook::open(std::string path) {
  path_ = std::move(path);
  if (path_.empty()) return std::nullopt;
  pages_.keep();
  std::optional<std::string> problem;
  if (const auto text = read_all(path_)) {
    pages_.restore(core::read_coverage_record(*text));
    if (!pages_.known()) problem = path_ + " is damaged: what was seen before is not known";
  } else if (errno != ENOENT) {
    problem = words("cannot read", path_);
  }
  spare_ = open_spare();
  thread_ = std::thread([this] { work(); });
  return problem;
}

void CoverageBook::begin(core::CoverageOrigin origin, decoder::Lsn from,
                         std::vector<core::CoverageGap> open_gaps) {
  pages_.begin(std::move(origin), from, std::move(open_gaps));
  exchange();
}

void CoverageBook::note_gaps(std::vector<core::CoverageGap> open_gaps) {
  pages_.note_gaps(std::move(open_gaps));
  exchange();
}

void CoverageBook::exchange() {
  if (!kept()) return;
  auto page = pages_.take_page();
  {
    const std::lock_guard lock(mutex_);
    pages_.written(written_.number, written_.confirmed);
    if (!page) return;
    next_ = std::move(page);
  }
  changed_.notify_all();
}

decoder::Lsn CoverageBook::confirmable(decoder::Lsn wanted, core::Instant now) {
  exchange();
  const auto position = pages_.confirmable(wanted, now);
  exchange();
  return position;
}

bool CoverageBook::take_written() {
  exchange();
  return pages_.take_written();
}

void CoverageBook::settle(decoder::Lsn position, core::Instant deadline) {
  pages_.settle(position);
  exchange();
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline,
                      [this] { return written_.number == pages_.newest() || !trouble_.empty(); });
  pages_.written(written_.number, written_.confirmed);
}

std::string CoverageBook::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void CoverageBook::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || next_.has_value(); });
    if (!next_) return;
    auto page = *std::exchange(next_, std::nullopt);
    lock.unlock();
    auto trouble = write(page.text);
    lock.lock();
    trouble_ = std::move(trouble);
    if (trouble_.empty()) {
      page.text.clear();
      written_ = std::move(page);
    } else if (!next_) {
      next_ = std::move(page);
    }
    changed_.notify_all();
    wake_.signal();
    if (trouble_.empty()) continue;
    if (stop_) return;
    changed_.wait_for(lock, kAgain, [this] { return stop_; });
  }
}

int CoverageBook::open_fresh(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  const int fd = ::open(path.c_str(), kFlags, 0640);
  if (fd >= 0 || errno != EMFILE || spare_ < 0) return fd;
  // Clients of HTTP may have the others.
  close(std::exchange(spare_, -1));
  return ::open(path.c_str(), kFlags, 0640);
}

std::string CoverageBook::write(const std::string& text) {
  // A file that is renamed over the old one is never half written.
  const auto fresh = path_ + ".new";
  const int fd = open_fresh(fresh);
  if (fd < 0) return words("cannot create", fresh);
  std::string problem;
  if (!write_all(fd, text) || fsync(fd) != 0) problem = words("cannot write", fresh);
  if (close(fd) != 0 && problem.empty()) problem = words("cannot write", fresh);
  if (spare_ < 0) spare_ = open_spare();
  // Should the rename not outlive a crash of the machine, the older page is there: a gap too many.
  if (problem.empty() && rename(fresh.c_str(), path_.c_str()) != 0) problem = words("cannot rename", fresh);
  return problem;
}

}  // namespace dupwatch::run
