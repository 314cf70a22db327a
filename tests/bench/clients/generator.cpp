#include "tests/bench/clients/generator.hpp"

#include <algorithm>
#include <chrono>

namespace dupwatch::bench {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
// 10,000 events of a load are one second of its clock.
constexpr std::uint64_t kEventUs = 100;
constexpr std::array<std::string_view, 3> kPrefixes{"step", "wait", "hook"};

std::uint64_t now_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace

TextId Ulid::text(std::string_view prefix) const {
  TextId id;
  std::copy(prefix.begin(), prefix.end(), id.text.begin());
  id.text[4] = '_';
  auto* at = id.text.data() + 5;
  for (int shift = 45; shift >= 0; shift -= 5)
    *at++ = kAlphabet[time_ms >> static_cast<unsigned>(shift) & 31U];
  // 80 bits in 16 characters: 16 of them in the high part, whose last bit shares a character with the low
  // part's first four.
  const auto high = static_cast<std::uint64_t>(random_high);
  for (const unsigned shift : {11U, 6U, 1U}) *at++ = kAlphabet[high >> shift & 31U];
  *at++ = kAlphabet[(high & 1U) << 4U | random_low >> 60U];
  for (int shift = 55; shift >= 0; shift -= 5)
    *at++ = kAlphabet[random_low >> static_cast<unsigned>(shift) & 31U];
  return id;
}

Ulid Ulid::plus(std::uint64_t steps) const noexcept {
  Ulid next = *this;
  next.random_low += steps;
  if (next.random_low < random_low) ++next.random_high;
  return next;
}

Generator::Generator(LoadShape shape)
    : shape_(shape), random_(shape.seed), clock_us_(now_us()), until_duplicate_(shape.duplicate_every) {
  runs_.reserve(shape_.live_runs);
  for (std::size_t i = 0; i < shape_.live_runs; ++i) {
    clock_us_ += kEventUs;
    runs_.push_back(begin());
  }
}

Ulid Generator::fresh() {
  // The first random bit stays clear, so that a sequence does not run over.
  return {.time_ms = clock_us_ / 1000,
          .random_high = static_cast<std::uint16_t>(random_() & 0x7fffU),
          .random_low = random_()};
}

Generator::Run Generator::begin() {
  Run run;
  run.id = fresh();
  run.correlations = fresh();
  run.owner = static_cast<std::uint8_t>(draw(processes_.size()));
  run.length =
      shape_.run_events_min +
      static_cast<std::uint32_t>(draw(shape_.run_events_max - shape_.run_events_min + std::size_t{1}));
  return run;
}

Event Generator::event_of(const Run& run, std::size_t writer) {
  clock_us_ += kEventUs;
  auto& process = processes_[writer];
  const auto now_ms = clock_us_ / 1000;
  process = process.time_ms == now_ms ? process.plus(1) : fresh();
  return {.id = process.text("wevt"),
          .run = run.id.text("wrun"),
          .type = {},
          .correlation = {},
          .has_correlation = false};
}

void Generator::open_group(Run& run) {
  run.open = static_cast<std::uint8_t>(1 + draw(run.entities.size()));
  for (std::uint8_t i = 0; i < run.open; ++i) {
    const auto kind = chance(85) ? Kind::kStep : chance(67) ? Kind::kWait : Kind::kHook;
    run.entities[i] = {.ordinal = run.drawn++, .kind = kind, .stage = 0};
  }
}

std::string_view Generator::advance(Run& run, Entity& entity, bool& closes) {
  const auto stage = entity.stage++;
  closes = false;
  switch (entity.kind) {
    case Kind::kStep:
      if (stage == 0) return "step_created";
      if (stage == 1) return "step_started";
      if (chance(2)) {
        entity.stage = 1;
        return "step_retrying";
      }
      run.closed_step = entity.ordinal;
      run.has_closed_step = true;
      closes = true;
      return chance(97) ? "step_completed" : "step_failed";
    case Kind::kWait:
      closes = stage == 1;
      return closes ? "wait_completed" : "wait_created";
    case Kind::kHook:
      if (stage == 0) return "hook_created";
      closes = stage > 1 && chance(70);
      return closes ? "hook_disposed" : "hook_received";
  }
  return {};
}

/// Makes the event a second step_created: of a step that is open and begun, or of one that is closed.
bool Generator::duplicate(const Run& run, Event& event) {
  if (shape_.duplicate_every == 0 || --until_duplicate_ > 0) return false;
  until_duplicate_ = 1;  // Until a run comes by that has such a step.
  const bool behind = duplicates_ % 2 == 1;
  std::uint32_t ordinal = run.closed_step;
  if (behind ? !run.has_closed_step : run.open == 0) return false;
  if (!behind) {
    const auto& entity = run.entities[0];
    if (entity.kind != Kind::kStep || entity.stage == 0) return false;
    ordinal = entity.ordinal;
  }
  // In a later millisecond than the row it repeats: of two processes' ids in one millisecond either may be
  // the smaller.
  clock_us_ += 1000;
  event = event_of(run, draw(processes_.size()));
  event.type = "step_created";
  event.correlation = run.correlations.plus(ordinal).text("step");
  event.has_correlation = true;
  until_duplicate_ = shape_.duplicate_every;
  ++duplicates_;
  return true;
}

Event Generator::next_of(std::size_t index) {
  auto& run = runs_[index];
  Event event;
  if (duplicate(run, event)) return event;
  event = event_of(run, run.owner);
  ++run.events;
  if (run.events <= 2) {
    event.type = run.events == 1 ? "run_created" : "run_started";
    return event;
  }
  if (run.open == 0) {
    if (run.events >= run.length) {
      event.type = chance(95) ? "run_completed" : "run_failed";
      run = begin();
      return event;
    }
    open_group(run);
  }
  const auto which = draw(run.open);
  bool closes = false;
  event.type = advance(run, run.entities[which], closes);
  event.correlation = run.correlations.plus(run.entities[which].ordinal)
                          .text(kPrefixes[static_cast<std::size_t>(run.entities[which].kind)]);
  event.has_correlation = true;
  if (closes) run.entities[which] = run.entities[--run.open];
  return event;
}

}  // namespace dupwatch::bench
