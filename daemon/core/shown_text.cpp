#include "daemon/core/shown_text.hpp"

#include <fmt/format.h>

#include "daemon/core/keyed_hash.hpp"

namespace dupwatch::core {
namespace {

constexpr std::size_t kBeginning = 256;

bool continues_a_character(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80;
}

}  // namespace

std::string shown_text(std::string_view text) {
  if (text.size() <= kShownBytesMax) return std::string(text);
  auto end = kBeginning;
  while (end > kBeginning - 4 && continues_a_character(text[end])) --end;
  return fmt::format("{}... ({} bytes, {:016x})", text.substr(0, end), text.size(), hash_text(text, 0));
}

Finding shown(Finding finding) {
  const auto cut = [](std::string& text) {
    if (text.size() > kShownBytesMax) text = shown_text(text);
  };
  cut(finding.run_id);
  cut(finding.type);
  for (auto& value : finding.identity) {
    if (value) cut(*value);
  }
  cut(finding.canonical.id);
  cut(finding.duplicate.id);
  if (finding.closing) cut(finding.closing->id);
  return finding;
}

}  // namespace dupwatch::core
