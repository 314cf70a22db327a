#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "decoder/change.hpp"
#include "decoder/decoder.hpp"
#include "decoder/lsn.hpp"

/// The messages inside CopyData of the streaming replication protocol (Postgres manual, 55.4).
namespace dupwatch::decoder {

/// 'w': a piece of the plugin's output.
struct XLogData {
  Lsn wal_start;
  Lsn wal_end;  ///< the server's current end of WAL
  Timestamp sent;
  std::span<const std::byte> payload;
};

/// 'k': the server is alive; everything before wal_end has been sent to us.
struct Keepalive {
  Lsn wal_end;
  Timestamp sent;
  bool reply_requested = false;
};

using Frame = std::variant<XLogData, Keepalive, DecodeError>;

/// Views into `copy_data`.
[[nodiscard]] Frame decode_frame(std::span<const std::byte> copy_data);

/// 'r': the standby status update. All three positions are set to `confirmed` by us: what is not durably
/// judged is neither written nor flushed.
inline constexpr std::size_t kStatusUpdateBytes = 34;
[[nodiscard]] std::array<char, kStatusUpdateBytes> encode_status_update(Lsn confirmed, Timestamp now,
                                                                        bool reply_requested) noexcept;

}  // namespace dupwatch::decoder
