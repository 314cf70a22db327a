#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decoder/change.hpp"

namespace dupwatch::decoder {

/// Why a payload could not be decoded. Closed: each value is a label of dupwatch_decode_errors_total.
enum class DecodeErrorKind : std::uint8_t {
  kTruncated,  ///< the payload ends inside a field
  kTrailing,   ///< bytes after a complete message
  kUnknown,    ///< a message type or action this version does not know
  kMalformed,  ///< syntax: bad JSON, bad number, bad LSN, bad timestamp, a length that contradicts another
  kSequence,   ///< legal alone, illegal here: a row outside a transaction, a row of an undescribed relation
  kMissingColumn,  ///< a row of a watched table without one of its columns: the row was NOT checked
};
inline constexpr std::size_t kDecodeErrorKinds = 6;

[[nodiscard]] std::string_view label(DecodeErrorKind kind) noexcept;

struct DecodeError {
  DecodeErrorKind kind = DecodeErrorKind::kMalformed;
  std::size_t offset = 0;  ///< byte of the payload at which decoding stopped
  std::string detail;      ///< what was found and what was expected; never payload contents
};

/// Empty = success. A decoder keeps going after an error: the next payload is decoded as usual.
using DecodeResult = std::optional<DecodeError>;

/// Tables and columns to extract, owned (TableSpec only views). Names are as in the catalogue, unquoted.
struct WatchedTable {
  std::string schema;
  std::string name;
  std::vector<std::string> columns;
  /// Those of type bytea: wal2json leaves out the \x that SQL writes in front of them.
  std::vector<std::string> bytea_columns = {};
};

/// Turns the payload of one XLogData message into calls on a sink. Pure: no clock, no I/O, no throw but
/// bad_alloc. Owns its state between payloads (pgoutput's relations, the open transaction); one decoder per
/// stream, made anew at each START_REPLICATION. Not thread-safe.
class Decoder {
 public:
  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  virtual ~Decoder() = default;

  /// An error means that nothing of this payload reached the sink. So the sink always sees begin, changes,
  /// commit in that order; after a lost commit the next begin is the error (kSequence), and its rows join the
  /// open transaction. `header_lsn` is the walStart field of the XLogData header.
  [[nodiscard]] virtual DecodeResult decode(std::span<const std::byte> payload, Lsn header_lsn,
                                            ChangeSink& sink) = 0;
};

enum class Plugin : std::uint8_t { kWal2json, kPgoutput };
[[nodiscard]] std::string_view to_string(Plugin plugin) noexcept;

[[nodiscard]] std::unique_ptr<Decoder> make_decoder(Plugin plugin, std::vector<WatchedTable> tables);

/// Messages of pg_logical_emit_message() with this prefix reach the sink, others do not, whatever the plugin
/// sends.
inline constexpr std::string_view kMessagePrefix = "dupwatch";

/// The options of START_REPLICATION for these tables, in order, values not yet quoted. `publication` is used
/// by pgoutput alone.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> start_options(
    Plugin plugin, std::span<const WatchedTable> tables, std::string_view publication);

}  // namespace dupwatch::decoder
