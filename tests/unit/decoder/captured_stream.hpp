#pragma once

#include <fmt/format.h>

#include <istream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/decoder.hpp"
#include "tests/unit/decoder/change_text.hpp"

/// A recorded stream as text: one line "LSN HEX" for each payload, where LSN is the XLogData header's
/// walStart. Lines that start with # are comments.
namespace dupwatch::decoder {

struct CapturedPayload {
  Lsn header_lsn;
  std::vector<std::byte> bytes;
};

inline std::optional<std::byte> hex_byte(char high, char low) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto high_value = kDigits.find(high);
  const auto low_value = kDigits.find(low);
  if (high_value == std::string_view::npos || low_value == std::string_view::npos) return std::nullopt;
  return static_cast<std::byte>(high_value * 16 + low_value);
}

/// Throws std::runtime_error on a line of any other form.
inline std::vector<CapturedPayload> read_captured_stream(std::istream& in) {
  std::vector<CapturedPayload> stream;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.front() == '#') continue;
    const auto blank = line.find(' ');
    const auto lsn = parse_lsn(std::string_view(line).substr(0, blank));
    if (!lsn || blank == std::string::npos) throw std::runtime_error("expected: LSN HEX");
    CapturedPayload payload{*lsn, {}};
    for (std::size_t i = blank + 1; i < line.size(); i += 2) {
      const auto byte = i + 1 < line.size() ? hex_byte(line[i], line[i + 1]) : std::nullopt;
      if (!byte) throw std::runtime_error("bad hexadecimal digits");
      payload.bytes.push_back(*byte);
    }
    stream.push_back(std::move(payload));
  }
  return stream;
}

/// The stream's changes, one line each, errors as "error <label>" in their place. Transactions that told the
/// sink nothing are left out: wal2json announces those of other tables, pgoutput does not.
inline std::string changes_of(Plugin plugin, std::vector<WatchedTable> tables,
                              const std::vector<CapturedPayload>& stream) {
  const auto decoder = make_decoder(plugin, std::move(tables));
  std::string text;
  std::size_t begin_at = std::string::npos;
  for (const auto& payload : stream) {
    ChangeText sink;
    const auto error = decoder->decode(payload.bytes, payload.header_lsn, sink);
    const auto line = error ? fmt::format("error {}\n", label(error->kind)) : sink.take();
    if (line.starts_with("begin ")) {
      begin_at = text.size();
    } else if (line.starts_with("commit ") && begin_at != std::string::npos) {
      text.resize(begin_at);
      begin_at = std::string::npos;
      continue;
    } else if (!line.empty()) {
      begin_at = std::string::npos;
    }
    text += line;
  }
  return text;
}

}  // namespace dupwatch::decoder
