#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace dupwatch::bench {

/// Prefix, underscore and a ULID: what the engine makes of 48 bits of time and 80 random ones.
struct TextId {
  std::array<char, 31> text{};
  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), text.size()}; }
};

struct Ulid {
  std::uint64_t time_ms = 0;
  std::uint16_t random_high = 0;
  std::uint64_t random_low = 0;
  [[nodiscard]] TextId text(std::string_view prefix) const;
  /// The next one of a monotonic sequence.
  [[nodiscard]] Ulid plus(std::uint64_t steps) const noexcept;
};

struct Event {
  TextId id;
  TextId run;
  std::string_view type;
  TextId correlation;
  bool has_correlation = false;
};

struct LoadShape {
  std::uint64_t seed = 1;
  /// Runs that take turns at random.
  std::size_t live_runs = 50;
  /// A run ends after so many events, as soon as nothing in it is open; drawn evenly.
  std::uint32_t run_events_min = 10;
  std::uint32_t run_events_max = 60;
  /// Every so many events one is written a second time: half of them before the step is closed, half behind
  /// it. 0: none.
  std::uint32_t duplicate_every = 1000;
};

/// Events as an engine's workers write them: every run a sequence of groups of one to three entities that go
/// on side by side, its correlation ids consecutive draws of one sequence, event ids from three processes'
/// monotonic clocks.
class Generator {
 public:
  explicit Generator(LoadShape shape);
  /// The next event of a run drawn at random.
  [[nodiscard]] Event next() { return next_of(draw(runs_.size())); }
  /// The next event of live run `index`.
  [[nodiscard]] Event next_of(std::size_t index);
  [[nodiscard]] std::uint64_t duplicates() const noexcept { return duplicates_; }

 private:
  enum class Kind : std::uint8_t { kStep, kWait, kHook };
  struct Entity {
    std::uint32_t ordinal = 0;
    Kind kind = Kind::kStep;
    std::uint8_t stage = 0;
  };
  struct Run {
    Ulid id;
    Ulid correlations;
    std::uint32_t drawn = 0;
    std::uint32_t events = 0;
    std::uint32_t length = 0;
    std::uint32_t closed_step = 0;
    bool has_closed_step = false;
    std::uint8_t open = 0;
    std::uint8_t owner = 0;
    std::array<Entity, 3> entities{};
  };

  std::size_t draw(std::size_t below) { return random_() % below; }
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  Ulid fresh();
  Run begin();
  std::string_view advance(Run& run, Entity& entity, bool& closes);
  bool duplicate(const Run& run, Event& event);
  void open_group(Run& run);
  Event event_of(const Run& run, std::size_t writer);

  LoadShape shape_;
  std::mt19937_64 random_;
  std::uint64_t clock_us_;
  std::array<Ulid, 3> processes_{};
  std::vector<Run> runs_;
  std::uint64_t until_duplicate_;
  std::uint64_t duplicates_ = 0;
};

}  // namespace dupwatch::bench
