#include "daemon/config/text_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "daemon/config/config_file.hpp"

namespace dupwatch::config {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// The mode last: a change of the owner takes bits of it away.
bool keep_owner(int fd, const struct stat& old) {
  struct stat own {};
  if (fstat(fd, &own) != 0) return false;
  const bool same = own.st_uid == old.st_uid && own.st_gid == old.st_gid;
  return (same || fchown(fd, old.st_uid, old.st_gid) == 0) && fchmod(fd, old.st_mode & 07777U) == 0;
}

}  // namespace

std::variant<std::string, int> read_file(const std::string& path) {
  // Opening a directory works, reading it does not.
  if (std::error_code error; std::filesystem::is_directory(path, error)) return EISDIR;
  errno = 0;
  std::ifstream file{path, std::ios::binary};
  if (!file) return errno;
  std::string text(kConfigBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return EIO;
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

std::variant<std::string, int> read_regular_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) return EINVAL;
  return read_file(path);
}

int replace_file(const std::string& path, const std::string& text) {
  std::error_code error;
  auto real = path;
  if (std::filesystem::exists(path, error)) real = std::filesystem::canonical(path, error).string();
  if (error) return error.value();
  struct stat old {};
  const bool there = stat(real.c_str(), &old) == 0;
  // Renamed over the old one it is never half written.
  auto fresh = real + ".XXXXXX";
  const int fd = mkostemp(fresh.data(), O_CLOEXEC);
  if (fd < 0) return errno;
  int problem = 0;
  if (!(there ? keep_owner(fd, old) : fchmod(fd, 0640) == 0) || !write_all(fd, text) || fsync(fd) != 0)
    problem = errno;
  if (close(fd) != 0 && problem == 0) problem = errno;
  if (problem == 0 && rename(fresh.c_str(), real.c_str()) != 0) problem = errno;
  if (problem != 0) (void)unlink(fresh.c_str());
  return problem;
}

}  // namespace dupwatch::config
