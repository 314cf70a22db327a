#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "decoder/decoder.hpp"

namespace dupwatch::decoder {

/// Decoder of wal2json's format-version 2: one JSON object per payload.
[[nodiscard]] std::unique_ptr<Decoder> make_wal2json_decoder(std::vector<WatchedTable> tables);

[[nodiscard]] std::vector<std::pair<std::string, std::string>> wal2json_options(
    std::span<const WatchedTable> tables);

}  // namespace dupwatch::decoder
