#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

std::string enclose(std::string_view text, char quote, bool double_backslash) {
  std::string quoted(1, quote);
  for (const char c : text) {
    if (c == quote || (double_backslash && c == '\\')) quoted += c;
    quoted += c;
  }
  quoted += quote;
  return quoted;
}

}  // namespace

std::string quote_identifier(std::string_view name) {
  return enclose(name, '"', false);
}

std::string quote_literal(std::string_view text) {
  if (text.find('\\') == std::string_view::npos) return enclose(text, '\'', false);
  return 'E' + enclose(text, '\'', true);
}

std::string quote_option(std::string_view text) {
  return enclose(text, '\'', false);
}

std::string qualified(std::string_view schema, std::string_view name) {
  return quote_identifier(schema) + '.' + quote_identifier(name);
}

}  // namespace dupwatch::postgres
