#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decoder/decoder.hpp"

namespace dupwatch::decoder {

/// Decoder of pgoutput's protocol version 1, text or binary tuples.
[[nodiscard]] std::unique_ptr<Decoder> make_pgoutput_decoder(std::vector<WatchedTable> tables);

[[nodiscard]] std::vector<std::pair<std::string, std::string>> pgoutput_options(std::string_view publication);

}  // namespace dupwatch::decoder
