#include <cstdint>
#include <string>

#include "decoder/frame.hpp"
#include "decoder/timestamp.hpp"
#include "tests/fuzz/checking_sink.hpp"
#include "tests/unit/decoder/pgoutput_wire.hpp"

namespace {

using namespace dupwatch;
using decoder::timestamp_to_wire;
using decoder::wire::Writer;

std::string encode(const decoder::XLogData& data) {
  const auto* payload = reinterpret_cast<const char*>(data.payload.data());
  return Writer()
      .byte('w')
      .be(data.wal_start.value)
      .be(data.wal_end.value)
      .be(timestamp_to_wire(data.sent))
      .raw({payload, data.payload.size()})
      .str();
}

std::string encode(const decoder::Keepalive& alive) {
  const char reply = alive.reply_requested ? 1 : 0;
  return Writer().byte('k').be(alive.wal_end.value).be(timestamp_to_wire(alive.sent)).byte(reply).str();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span input(data, size);
  const auto frame = decoder::decode_frame(std::as_bytes(input));
  const std::string original(input.begin(), input.end());
  if (const auto* error = std::get_if<decoder::DecodeError>(&frame)) {
    fuzz::require(error->offset <= size && !error->detail.empty(), "an error lies inside the frame");
  } else if (const auto* xlog = std::get_if<decoder::XLogData>(&frame)) {
    fuzz::require(encode(*xlog) == original, "XLogData encodes to what it was decoded from");
  } else if (const auto* alive = std::get_if<decoder::Keepalive>(&frame)) {
    const auto again = encode(*alive);
    // Any byte but zero asks for a reply.
    fuzz::require(again.substr(0, 17) == original.substr(0, 17) && again.size() == original.size(),
                  "a keepalive encodes to what it was decoded from");
  }
  return 0;
}
