#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/core/backoff.hpp"
#include "daemon/core/config.hpp"
#include "daemon/core/instant.hpp"
#include "daemon/core/stats.hpp"
#include "decoder/lsn.hpp"

namespace dupwatch::core {

/// A message of our own through the WAL, the slot and the decoder and back: the one proof that what commits
/// arrives. At most one is on its way; its content is a nonce that no other dupwatch and no earlier process
/// has. Pure and single-threaded; it moves no position.
///
/// A beat that is late is a reason not to be ready. It is a reason to begin the stream anew only when the
/// stream can't be told to be merely behind: the server says it has sent everything beyond the beat, or the
/// slot has no reader, or nothing at all was heard for kSilenceFactor timeouts. A server that decodes a large
/// transaction, and a stream that catches up, do none of the first two, and the third doubles with every
/// restart that did not help, so that no transaction is too large to get through.
class Heartbeat {
 public:
  static constexpr int kSilenceFactor = 10;
  static constexpr std::uint32_t kDoublingsMax = 8;

  /// Why the stream is to be begun anew.
  enum class Loss : std::uint8_t {
    kPassed,    ///< the server has sent what stands behind the beat, and not the beat
    kNoReader,  ///< the slot says that nobody reads it
    kSilent     ///< nothing was heard
  };

  Heartbeat(HeartbeatConfig config, std::uint64_t seed) : config_(std::move(config)), random_(seed) {}

  /// What was on its way is forgotten; the next beat is due at once.
  void stream_started(Instant now);
  /// No beats until the next stream: the server refuses them, or they can't work here.
  void switch_off() noexcept;
  [[nodiscard]] bool on() const noexcept { return on_; }
  /// Another interval or timeout; counts for the message that is on its way too. `config` does not switch it
  /// on or off.
  void configure(const HeartbeatConfig& config, Instant now);

  /// The content of the beat to emit now; nullopt when none is due. To be followed by emitted() or
  /// not_emitted(), unless the stream starts anew before.
  [[nodiscard]] std::optional<std::string> next(Instant now);
  /// The server wrote the beat; `end` is the position behind it.
  void emitted(std::string_view content, decoder::Lsn end) noexcept;
  /// The beat may or may not be in the WAL; the next one is due after an interval.
  void not_emitted(std::string_view content) noexcept;
  /// A message came through the stream; others' are ignored. True when it was the beat on its way.
  bool returned(std::string_view content, Instant now);

  struct View {
    /// What the server has sent, keepalives included.
    decoder::Lsn received;
    /// When anything was heard last, or when we last had no wish to read.
    Instant heard{};
    /// The catalogue's view of the slot, nullopt = not known.
    std::optional<bool> slot_active;
  };
  [[nodiscard]] std::optional<Loss> lost(const View& view, Instant now) const noexcept;
  /// The stream is begun anew for a lost beat: the next loss takes twice as long to be one.
  void restarting() noexcept;

  /// Age of the beat on its way once that is heartbeat.timeout or more, else zero.
  [[nodiscard]] std::chrono::duration<double> overdue(Instant now) const noexcept;
  /// When next() has a beat; max() = none is due before the one on its way is back.
  [[nodiscard]] Instant deadline() const noexcept;

  [[nodiscard]] Instant last_sent() const noexcept { return last_sent_; }
  /// Before the first: since when it is waited for.
  [[nodiscard]] Instant last_returned() const noexcept { return last_returned_; }
  [[nodiscard]] bool any_sent() const noexcept { return any_sent_; }
  [[nodiscard]] const LatencyHistogram& round_trip() const noexcept { return round_trip_; }

 private:
  struct Beat {
    std::string content;
    Instant sent{};
    decoder::Lsn end;  ///< invalid until the server has answered
  };
  [[nodiscard]] Milliseconds patience() const noexcept;

  HeartbeatConfig config_;
  Prng random_;
  bool on_ = false;
  bool any_sent_ = false;
  bool any_stream_ = false;
  std::optional<Beat> beat_;
  Instant next_ = Instant::max();
  Instant last_sent_{};
  Instant last_returned_{};
  std::uint32_t restarts_ = 0;  ///< in a row, without a beat that came back
  LatencyHistogram round_trip_;
};

[[nodiscard]] std::string_view to_string(Heartbeat::Loss loss) noexcept;

}  // namespace dupwatch::core
