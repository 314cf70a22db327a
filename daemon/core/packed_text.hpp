#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/keyed_hash.hpp"

/// Ids of the watched log are `prefix_` + 26 characters of Crockford's base 32 (ULIDs, and the zero-padded
/// slot numbers of the 5.x line): 31 bytes of text that carry 128 bits. They are kept as those 128 bits plus
/// a prefix number; every other string is kept as it is, so packing is exact for any input.
namespace dupwatch::core {

/// A packed or spilled string. Tokens of one TokenCodec compare equal exactly when their strings do, spilled
/// ones with their text at hand.
struct Token {
  static constexpr std::uint8_t kNull = 0;
  /// hi = offset, lo = length of the text in its owner's spill area.
  static constexpr std::uint8_t kSpilled = 1;
  /// As kSpilled; the text is an encoded tuple (several identity columns, or an unlisted type).
  static constexpr std::uint8_t kSpilledTuple = 2;
  static constexpr std::uint8_t kFirstPrefix = 3;
  /// Of TokenCodec::kSlotPrefix, whatever codec it was.
  static constexpr std::uint8_t kSlotKind = kFirstPrefix;

  std::uint64_t hi = 0;
  std::uint64_t lo = 0;
  std::uint8_t kind = kNull;

  [[nodiscard]] bool packed() const noexcept { return kind >= kFirstPrefix; }
  [[nodiscard]] bool spilled() const noexcept { return kind == kSpilled || kind == kSpilledTuple; }
};

/// How the texts of two ids compare: as their column's type does.
enum class TextOrder : std::uint8_t {
  kBytes,
  kNumbers  ///< decimal numbers: "9" before "10"
};
/// Of two texts as they stand; what is no number comes behind all numbers, as NaN does, by its bytes.
[[nodiscard]] bool less_text(std::string_view a, std::string_view b, TextOrder order) noexcept;
/// Two words that never compare the other way than less_text does with kNumbers; they may be equal.
[[nodiscard]] std::array<std::uint64_t, 2> place_of_number(std::string_view text) noexcept;

class TokenCodec {
 public:
  /// More prefixes than this, apart from kSlotPrefix, are spilled: a handful exist in practice, and hostile
  /// ids must not slow the lookup.
  static constexpr std::size_t kPrefixesMax = 32;
  static constexpr std::size_t kPrefixBytesMax = 16;
  static constexpr std::size_t kBodyChars = 26;
  /// Of the engine's slot-numbered ids; known to every codec from the start.
  static constexpr std::string_view kSlotPrefix = "evnt_";

  /// `seed` is for hash(); a process that reads what others write must draw it at random.
  explicit TokenCodec(std::uint64_t seed = 0);

  /// Keyed hash of a token; `text` is that of a spilled one.
  [[nodiscard]] std::uint64_t hash(const Token& token, std::string_view text) const noexcept {
    return token.spilled() ? hash_text(text, seed_ ^ token.kind) : hash_token(token);
  }

  /// How ids that are not packed compare; kBytes until this is called. Before the first id only.
  void set_order(TextOrder order) noexcept { order_ = order; }
  [[nodiscard]] TextOrder order() const noexcept { return order_; }

  /// The packed token, or one of kind kSpilled with hi = lo = 0 when the text can't be packed: the caller
  /// stores it.
  [[nodiscard]] Token pack(std::string_view text);
  /// Appends the text of a packed token.
  void unpack(const Token& token, std::string& out) const;

 private:
  /// Up to 16 bytes, zeros behind them; two loads compare it with the start of a text.
  struct Prefix {
    std::array<std::uint64_t, 2> bytes{};
    std::size_t size = 0;
    /// Written out: that of the array is a call of memcmp.
    friend bool operator==(const Prefix& a, const Prefix& b) noexcept {
      return a.bytes[0] == b.bytes[0] && a.bytes[1] == b.bytes[1] && a.size == b.size;
    }
  };
  /// The first `size` bytes of a text that has kBodyChars at least.
  [[nodiscard]] static Prefix prefix_of(std::string_view text, std::size_t size) noexcept;

  [[nodiscard]] std::uint64_t hash_token(const Token& token) const noexcept {
    return hash_words(token.hi, token.lo, token.kind, seed_);
  }

  std::uint64_t seed_;
  TextOrder order_ = TextOrder::kBytes;
  std::vector<Prefix> prefixes_;
};

}  // namespace dupwatch::core
