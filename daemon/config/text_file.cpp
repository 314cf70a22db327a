#include "daemon/config/text_file.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "daemon/config/config_file.hpp"

namespace dupwatch::config {

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

}  // namespace dupwatch::config
