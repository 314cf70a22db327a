#include "decoder/frame.hpp"

#include <fmt/format.h>

#include <bit>

#include "decoder/cursor.hpp"
#include "decoder/timestamp.hpp"

namespace dupwatch::decoder {
namespace {

Frame truncated_frame(const Cursor& in, std::string_view what) {
  return DecodeError{DecodeErrorKind::kTruncated, in.offset(), fmt::format("the frame ends inside {}", what)};
}

Frame decode_xlog_data(Cursor in) {
  const auto wal_start = in.read_be<std::uint64_t>();
  const auto wal_end = in.read_be<std::uint64_t>();
  const auto sent_wire = in.read_be<std::int64_t>();
  if (!wal_start || !wal_end || !sent_wire) return truncated_frame(in, "an XLogData header");
  const auto sent = timestamp_from_wire(*sent_wire);
  if (!sent) return DecodeError{DecodeErrorKind::kMalformed, in.offset() - 8, "send time out of range"};
  return XLogData{Lsn{*wal_start}, Lsn{*wal_end}, *sent, in.read_rest()};
}

Frame decode_keepalive(Cursor in) {
  const auto wal_end = in.read_be<std::uint64_t>();
  const auto sent_wire = in.read_be<std::int64_t>();
  const auto reply = in.read_be<std::uint8_t>();
  if (!wal_end || !sent_wire || !reply) return truncated_frame(in, "a keepalive");
  if (!in.empty()) return DecodeError{DecodeErrorKind::kTrailing, in.offset(), "bytes after a keepalive"};
  const auto sent = timestamp_from_wire(*sent_wire);
  if (!sent) return DecodeError{DecodeErrorKind::kMalformed, in.offset() - 9, "send time out of range"};
  return Keepalive{Lsn{*wal_end}, *sent, *reply != 0};
}

}  // namespace

Frame decode_frame(std::span<const std::byte> copy_data) {
  Cursor in(copy_data);
  const auto type = in.read_be<std::uint8_t>();
  if (!type) return truncated_frame(in, "its type");
  switch (*type) {
    case 'w':
      return decode_xlog_data(in);
    case 'k':
      return decode_keepalive(in);
    default:
      return DecodeError{DecodeErrorKind::kUnknown, 0, fmt::format("unknown frame type 0x{:02x}", *type)};
  }
}

std::array<char, kStatusUpdateBytes> encode_status_update(Lsn confirmed, Timestamp now,
                                                          bool reply_requested) noexcept {
  std::array<char, kStatusUpdateBytes> message{};
  std::size_t size = 0;
  const auto put_byte = [&](std::uint8_t byte) { message.at(size++) = std::bit_cast<char>(byte); };
  const auto put_u64 = [&](std::uint64_t value) {
    for (unsigned shift = 64; shift > 0; shift -= 8)
      put_byte(static_cast<std::uint8_t>(value >> (shift - 8)));
  };
  put_byte('r');
  put_u64(confirmed.value);  // written
  put_u64(confirmed.value);  // flushed
  put_u64(confirmed.value);  // applied
  put_u64(std::bit_cast<std::uint64_t>(timestamp_to_wire(now)));
  put_byte(reply_requested ? 1 : 0);
  return message;
}

}  // namespace dupwatch::decoder
