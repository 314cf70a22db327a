#include <cstdint>

#include "decoder/cursor.hpp"
#include "tests/fuzz/checking_sink.hpp"

/// The input is a stream: each payload with two bytes of length before it, the last one perhaps cut short.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dupwatch;
  decoder::Cursor in(std::as_bytes(std::span(data, size)));
  std::vector<std::string_view> payloads;
  while (const auto length = in.read_be<std::uint16_t>()) {
    payloads.push_back(*in.read_bytes(std::min<std::size_t>(*length, in.remaining())));
  }
  fuzz::check_stream(decoder::Plugin::kPgoutput, payloads);
  return 0;
}
