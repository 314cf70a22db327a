#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/decoder.hpp"
#include "tests/unit/decoder/change_text.hpp"

namespace dupwatch::decoder {

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The tables of most decoder tests.
inline std::vector<WatchedTable> workflow_tables() {
  return {{"workflow", "workflow_events", {"run_id", "id", "correlation_id", "type"}}};
}

/// One decoder with its sink: payloads in, lines of text or the label of the error out.
class Driver {
 public:
  explicit Driver(Plugin plugin, std::vector<WatchedTable> tables = workflow_tables())
      : decoder_(make_decoder(plugin, std::move(tables))) {}

  /// What the payload told the sink, or "error <label>" followed by what the sink had been told before it.
  std::string feed(std::string_view payload, Lsn header_lsn = Lsn{0x99}) {
    ChangeText sink(/*with_relations=*/true);
    // A copy of exactly this size, so that the sanitizers see a read past the end.
    const std::vector<char> copy(payload.begin(), payload.end());
    error_ = decoder_->decode(std::as_bytes(std::span(copy)), header_lsn, sink);
    if (!error_) return sink.take();
    return "error " + std::string(label(error_->kind)) + "\n" + sink.take();
  }

  [[nodiscard]] const DecodeResult& error() const noexcept { return error_; }

 private:
  std::unique_ptr<Decoder> decoder_;
  DecodeResult error_;
};

}  // namespace dupwatch::decoder
