#include "daemon/config/basic_auth_section.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

namespace dupwatch::config {
namespace {

[[nodiscard]] const std::string& text_of(const std::optional<Placed<std::string>>& value) {
  static const std::string none;
  return value ? value->value : none;
}

/// The one line of the file; empty, reported, when it is not a password.
[[nodiscard]] std::string password_in(const Placed<std::string>& path, const FileReader& files,
                                      Problems& problems) {
  auto read = files ? files(path.value) : std::variant<std::string, int>{ENOENT};
  const auto refuse = [&](std::string found, std::string expected) {
    problems.add(path.place, "http.basic_auth.password_file", std::move(found), std::move(expected),
                 "write the password alone into the file, and let the user that runs dupwatch read it");
    return std::string{};
  };
  if (const auto* error = std::get_if<int>(&read)) {
    return refuse(in_quotes(path.value) + " (" + std::generic_category().message(*error) + ")",
                  "a readable regular file");
  }
  auto& text = std::get<std::string>(read);
  // As an editor or echo leaves it.
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) return refuse("an empty file", "a password");
  auto password = parse_password(text);
  // What is wrong with it is not shown: it may be most of the password.
  if (const auto* refusal = std::get_if<Refusal>(&password)) {
    return refuse("a file that is not one line", refusal->expected);
  }
  return std::get<std::string>(std::move(password));
}

}  // namespace

core::BasicAuthConfig build_basic_auth(const BasicAuthSection& section, const FileReader& files,
                                       Problems& problems) {
  core::BasicAuthConfig out{.user = text_of(section.user), .password = text_of(section.password)};
  const bool from_file = !text_of(section.password_file).empty();
  if (from_file && !out.password.empty()) {
    problems.add(section.password_file->place, "http.basic_auth", "both password and password_file",
                 "one of the two");
  } else if (from_file) {
    out.password = password_in(*section.password_file, files, problems);
  }
  // A value that was refused is not missing.
  if (section.refused) return out;
  const bool has_password = from_file || !out.password.empty();
  if (out.user.empty() && has_password) {
    const auto& given = from_file ? section.password_file : section.password;
    problems.add(given->place, "http.basic_auth.user", "no name", "the name that goes with the password");
  } else if (!out.user.empty() && !has_password) {
    problems.add(section.user->place, "http.basic_auth", "a user without a password",
                 "password or password_file",
                 "an empty one would let everybody in; a variable that is set may still be empty");
  }
  return out;
}

}  // namespace dupwatch::config
