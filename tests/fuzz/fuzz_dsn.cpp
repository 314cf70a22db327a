// A DSN with a password in it, written rightly or wrongly: whatever the password's characters, no piece of it
// is in the words of an error, nor in what is shown of a DSN (host, port, database, user). The first byte of
// the input chooses the form; the rest, in two halves, stands between the three pieces that must not come
// out.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "daemon/postgres/dsn.hpp"

namespace {

using namespace std::string_view_literals;

/// What stands before and after the password. The forms that no parser takes are mistakes that people make.
constexpr std::array kForms = {
    std::pair{"postgresql://u:"sv, "@h:5432/app"sv},
    std::pair{"postgres://u:"sv, "@h/app?sslmode=require"sv},
    std::pair{"postgresql+psycopg2://u:"sv, "@h/app"sv},
    std::pair{"jdbc:postgresql://h/app?user=u&password="sv, "@h"sv},
    std::pair{"\"postgresql://u:"sv, "@h/app\""sv},
    std::pair{" postgresql://u:"sv, "@h/app"sv},
    std::pair{"postgresql://u:"sv, "h/app"sv},
    std::pair{"postgresql://h/app?user=u&password="sv, ""sv},
    std::pair{"host=h user=u password="sv, " dbname=app"sv},
    std::pair{"host=h user=u password='"sv, "'"sv},
    std::pair{"host=h password="sv, " port=1 user=u"sv},
    std::pair{"dbname=postgresql://u:"sv, "@h/app"sv},
};
constexpr std::array kPieces = {"seacanary"sv, "canarysea"sv, "gullcanary"sv};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dupwatch;
  if (size == 0) return 0;
  const auto& [before, after] = kForms.at(data[0] % kForms.size());
  const std::string_view noise{reinterpret_cast<const char*>(data) + 1, size - 1};
  std::string password{kPieces[0]};
  password += noise.substr(0, noise.size() / 2);
  password += kPieces[1];
  password += noise.substr(noise.size() / 2);
  password += kPieces[2];
  // Where the @ before the host is forgotten and the password has one, the rest of it is a host to anybody.
  if (!after.starts_with('@') && before.ends_with("//u:") && password.find('@') != std::string::npos)
    return 0;
  // password=x host=y is a host to anybody, and so is password=x&host=y.
  if (before.ends_with("=") || before.ends_with("='")) {
    for (const auto keyword : {"host"sv, "port"sv, "dbname"sv, "user"sv}) {
      if (password.find(keyword) != std::string::npos) return 0;
    }
  }
  std::string dsn{before};
  dsn += password;
  dsn += after;

  const auto parsed = postgres::Dsn::parse(dsn);
  std::string shown;
  if (const auto* error = std::get_if<postgres::Error>(&parsed)) {
    shown = error->message + error->remedy;
  } else {
    for (const auto* keyword : {"host", "hostaddr", "port", "dbname", "user"}) {
      shown += std::get<postgres::Dsn>(parsed).value(keyword) + '\n';
    }
  }
  for (const auto piece : kPieces) {
    if (shown.find(piece) == std::string::npos) continue;
    std::fprintf(stderr, "%s\nshows\n%s\n", dsn.c_str(), shown.c_str());
    std::abort();
  }
  return 0;
}
