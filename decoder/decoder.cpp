#include "decoder/decoder.hpp"

#include <cstdlib>

#include "decoder/pgoutput.hpp"
#include "decoder/wal2json.hpp"

namespace dupwatch::decoder {

std::string_view label(DecodeErrorKind kind) noexcept {
  switch (kind) {
    case DecodeErrorKind::kTruncated:
      return "truncated";
    case DecodeErrorKind::kTrailing:
      return "trailing";
    case DecodeErrorKind::kUnknown:
      return "unknown";
    case DecodeErrorKind::kMalformed:
      return "malformed";
    case DecodeErrorKind::kSequence:
      return "sequence";
    case DecodeErrorKind::kMissingColumn:
      return "missing_column";
  }
  std::abort();
}

std::string_view to_string(Plugin plugin) noexcept {
  switch (plugin) {
    case Plugin::kWal2json:
      return "wal2json";
    case Plugin::kPgoutput:
      return "pgoutput";
  }
  std::abort();
}

std::unique_ptr<Decoder> make_decoder(Plugin plugin, std::vector<WatchedTable> tables) {
  switch (plugin) {
    case Plugin::kWal2json:
      return make_wal2json_decoder(std::move(tables));
    case Plugin::kPgoutput:
      return make_pgoutput_decoder(std::move(tables));
  }
  std::abort();
}

std::vector<std::pair<std::string, std::string>> start_options(Plugin plugin,
                                                               std::span<const WatchedTable> tables,
                                                               std::string_view publication) {
  switch (plugin) {
    case Plugin::kWal2json:
      return wal2json_options(tables);
    case Plugin::kPgoutput:
      return pgoutput_options(publication);
  }
  std::abort();
}

}  // namespace dupwatch::decoder
