#include "daemon/postgres/dsn_form.hpp"

#include <algorithm>

namespace dupwatch::postgres {
namespace {

using std::string_view;

/// Shorter ones are words of ordinary messages.
constexpr std::size_t kSecretBytesMin = 4;

constexpr string_view kBlanks = " \t\n\r\f\v";
constexpr string_view kDigits = "0123456789";

DsnMistake reserved_character() {
  return {
      "user name or password in the connection URI holds a reserved character as it is",
      "Percent-encode it: @ as %40, / as %2F, : as %3A, ? as %3F, % as %25. Or leave the password out and "
      "supply it by PGPASSFILE."};
}

DsnMistake bad_port() {
  return {
      "in the connection string, what stands in the place of a port is no number (it is not shown, since "
      "it may be a piece of a password)",
      "Write host:port, and percent-encode reserved characters of the password: @ as %40, / as %2F, ? as "
      "%3F."};
}

DsnMistake other_scheme() {
  return {"the connection string is a URI of another kind than libpq's",
          "It begins with postgresql:// or postgres://, without a driver's name (+psycopg2, jdbc:)."};
}

bool is_number(string_view text) {
  return text.find_first_not_of(kDigits) == string_view::npos;
}

/// "host", "host:5432", "[::1]:5432", or empty.
bool is_host(string_view text) {
  auto after = text.find(':');
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == string_view::npos) return false;
    after = close + 1;
    if (after == text.size()) return true;
    if (text[after] != ':') return false;
  }
  return after == string_view::npos || is_number(text.substr(after + 1));
}

bool is_percent_encoded(string_view text) {
  constexpr string_view kHexadecimal = "0123456789abcdefABCDEF";
  for (auto at = text.find('%'); at != string_view::npos; at = text.find('%', at + 1)) {
    const auto digits = text.substr(at + 1, 2);
    if (digits.size() != 2 || digits.find_first_not_of(kHexadecimal) != string_view::npos) return false;
  }
  return true;
}

/// `rest`: what follows the scheme.
std::optional<DsnMistake> mistake_in_uri(string_view rest) {
  const auto authority = rest.substr(0, rest.find_first_of("/?"));
  // The last @ of all is the one that was meant; libpq takes the first, and only before the first / or ?.
  const auto at = rest.find('@');
  if (at != rest.rfind('@') || (at != string_view::npos && at >= authority.size())) {
    return reserved_character();
  }
  if (!is_percent_encoded(rest)) return reserved_character();
  auto hosts = at == string_view::npos ? authority : authority.substr(at + 1);
  for (;;) {
    const auto comma = hosts.find(',');
    if (!is_host(hosts.substr(0, comma))) return bad_port();
    if (comma == string_view::npos) return std::nullopt;
    hosts.remove_prefix(comma + 1);
  }
}

/// Takes a value in libpq's rules (quotes, backslashes) off the front of `rest`; nullopt: a quote is open.
std::optional<std::string> take_value(string_view& rest) {
  std::string value;
  const bool quoted = rest.starts_with('\'');
  if (quoted) rest.remove_prefix(1);
  while (!rest.empty()) {
    const char c = rest.front();
    if (quoted ? c == '\'' : kBlanks.find(c) != string_view::npos) break;
    rest.remove_prefix(1);
    if (c == '\\' && !rest.empty()) {
      value += rest.front();
      rest.remove_prefix(1);
    } else {
      value += c;
    }
  }
  if (!quoted) return value;
  if (rest.empty()) return std::nullopt;
  rest.remove_prefix(1);
  return value;
}

void skip_blanks(string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
}

std::optional<DsnMistake> mistake_in_words(string_view rest) {
  for (skip_blanks(rest); !rest.empty(); skip_blanks(rest)) {
    const auto key = rest.substr(0, rest.find_first_of(" \t\n\r\f\v="));
    rest.remove_prefix(key.size());
    skip_blanks(rest);
    if (!rest.starts_with('=')) {
      return DsnMistake{"the connection string has a word without \"=\"",
                        "A value with a blank in it stands in quotes: password='two words'."};
    }
    rest.remove_prefix(1);
    skip_blanks(rest);
    const auto value = take_value(rest);
    if (!value) {
      return DsnMistake{"a quote in the connection string is not closed",
                        "A quote or backslash within a value is written \\' or \\\\."};
    }
    if (key == "port" && value->find_first_not_of("0123456789,") != std::string::npos) return bad_port();
    if (key != "password" && key != "sslpassword" && value->find("://") != std::string::npos) {
      return DsnMistake{"the connection string has a URI as one of its values",
                        "Write the URI alone, or keywords alone (host=... port=... dbname=... user=...)."};
    }
  }
  return std::nullopt;
}

/// A URI's scheme; nullopt: keywords and values.
std::optional<string_view> scheme_of(string_view dsn) {
  const auto end = dsn.find("://");
  const auto scheme = dsn.substr(0, end);
  const bool uri = end != string_view::npos && scheme.find_first_of(" \t\n\r\f\v='\"") == string_view::npos;
  return uri ? std::optional(scheme) : std::nullopt;
}

/// The keywords of "key = value ...".
std::vector<string_view> keywords(string_view rest) {
  std::vector<string_view> out;
  for (skip_blanks(rest); !rest.empty(); skip_blanks(rest)) {
    out.push_back(rest.substr(0, rest.find_first_of(" \t\n\r\f\v=")));
    rest.remove_prefix(std::min(rest.find('='), rest.size() - 1) + 1);
    skip_blanks(rest);
    (void)take_value(rest);
  }
  return out;
}

/// The keywords of a URI's query.
std::vector<string_view> query_keywords(string_view uri) {
  std::vector<string_view> out;
  for (auto from = uri.find('?'); from != string_view::npos; from = uri.find('&', from + 1)) {
    const auto pair = uri.substr(from + 1, uri.find('&', from + 1) - from - 1);
    // Without one it may be anything.
    if (const auto equals = pair.find('='); equals != string_view::npos)
      out.push_back(pair.substr(0, equals));
  }
  return out;
}

}  // namespace

std::optional<std::string> unknown_option(string_view dsn, const std::vector<std::string>& known) {
  const bool uri = scheme_of(dsn).has_value();
  for (const auto& name : uri ? query_keywords(dsn) : keywords(dsn)) {
    // Of JDBC: libpq takes "ssl=true" in a URI for sslmode=require.
    if (uri && name == "ssl") continue;
    if (std::ranges::find(known, name) == known.end()) return std::string(name);
  }
  return std::nullopt;
}

std::optional<DsnMistake> find_dsn_mistake(string_view dsn) {
  // libpq would read no further, and take what stands before it for a host and a port.
  if (dsn.find('\0') != string_view::npos) {
    return DsnMistake{"the connection string has a NUL byte in it", "Write it again as plain UTF-8 text."};
  }
  if (dsn.starts_with('"') || dsn.starts_with('\'')) {
    return DsnMistake{"the connection string begins with a quote", "Take the quotes around it away."};
  }
  const auto scheme = scheme_of(dsn);
  if (!scheme) return mistake_in_words(dsn);
  if (*scheme != "postgresql" && *scheme != "postgres") return other_scheme();
  return mistake_in_uri(dsn.substr(scheme->size() + 3));
}

std::string without_secrets(std::string text, const std::vector<std::string>& secrets) {
  constexpr string_view kHidden = "***";
  for (const auto& secret : secrets) {
    if (secret.size() < kSecretBytesMin) continue;
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + kHidden.size())) {
      text.replace(at, secret.size(), kHidden);
    }
  }
  return text;
}

}  // namespace dupwatch::postgres
