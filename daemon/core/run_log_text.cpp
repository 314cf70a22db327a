#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "daemon/core/run_log.hpp"

/// The texts of a log: what no token holds is kept as it is, and so are identities of several columns.
namespace dupwatch::core {
namespace {

constexpr std::size_t kTupleHeader = 9;

std::vector<std::optional<std::string>> decode_tuple(std::string_view text) {
  std::vector<std::optional<std::string>> values;
  while (text.size() >= kTupleHeader) {
    std::uint32_t length = 0;
    std::from_chars(text.data() + 1, text.data() + kTupleHeader, length, 16);
    if (text[0] == 'n') {
      values.emplace_back(std::nullopt);
    } else {
      values.emplace_back(std::string(text.substr(kTupleHeader, length)));
    }
    text.remove_prefix(std::min(text.size(), kTupleHeader + length));
  }
  return values;
}

}  // namespace

void append_tuple_value(std::string& out, const decoder::Value& value) {
  const bool null = value.kind != decoder::Value::Kind::kText;
  fmt::format_to(std::back_inserter(out), "{}{:08x}", null ? 'n' : 't', null ? 0 : value.text.size());
  if (!null) out += value.text;
}

std::string_view RunLog::spilled_text(const Token& token) const noexcept {
  if (!token.spilled()) return {};
  return std::string_view(spill_).substr(token.hi, token.lo);
}

Token RunLog::store(const Token& token, std::string_view text) {
  if (!token.spilled()) return token;
  const Token stored{.hi = spill_.size(), .lo = text.size(), .kind = token.kind};
  spill_ += text;
  return stored;
}

std::string RunLog::text(const Token& token, const TokenCodec& codec) const {
  std::string out;
  if (token.packed()) {
    codec.unpack(token, out);
  } else {
    out = spilled_text(token);
  }
  return out;
}

bool RunLog::less_text(const Token& a, const Token& b, const TokenCodec& codec) const {
  // Texts may have hundreds of kilobytes: only a packed one is written out.
  const auto order = codec.order();
  if (a.spilled() && b.spilled()) return core::less_text(spilled_text(a), spilled_text(b), order);
  if (a.spilled()) return core::less_text(spilled_text(a), text(b, codec), order);
  if (b.spilled()) return core::less_text(text(a, codec), spilled_text(b), order);
  return core::less_text(text(a, codec), text(b, codec), order);
}

std::vector<std::optional<std::string>> RunLog::identity(const Entity& entity,
                                                         const TokenCodec& codec) const {
  if (entity.key.kind == Token::kSpilledTuple) return decode_tuple(spilled_text(entity.key));
  if (entity.key.kind == Token::kNull) return {std::nullopt};
  return {text(entity.key, codec)};
}

}  // namespace dupwatch::core
