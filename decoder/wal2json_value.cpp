#include "decoder/wal2json_value.hpp"

#include <charconv>
#include <system_error>

namespace dupwatch::decoder {

std::optional<Value> scalar_of(std::string_view token) noexcept {
  if (token == "null") return Value::null();
  if (token == "true") return Value::of("t");
  if (token == "false") return Value::of("f");
  // The same test by which wal2json decides to print without quotes.
  if (token.find_first_not_of("0123456789+-eE.") == std::string_view::npos) return Value::of(token);
  return std::nullopt;
}

std::optional<Lsn> lsn_of(std::string_view text) noexcept {
  return text.data() == nullptr ? std::nullopt : parse_lsn(text);
}

std::optional<Xid> xid_of(std::string_view text) noexcept {
  Xid xid = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, xid);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return xid;
}

}  // namespace dupwatch::decoder
