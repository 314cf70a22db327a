#include "daemon/core/run_filter.hpp"

#include <algorithm>
#include <bit>
#include <optional>

#include "daemon/core/run_log.hpp"
#include "daemon/core/slot_gap.hpp"

namespace dupwatch::core {
namespace {

constexpr auto kWindow = std::uint64_t{64};
/// A row that is read again costs several times as much as in the first reading: with more than an eighth of
/// them to read, the order of runs is as fast.
constexpr std::uint64_t kSuspectShare = 8;
/// A small table is read either way in no time.
constexpr std::uint64_t kSuspectRowsMin = 20'000;
constexpr std::size_t kHeapHeader = 32;

/// Open addressing: beyond three quarters the searches grow long.
bool crowded(std::size_t used, std::size_t size) noexcept {
  return used + 1 > size - size / 4;
}

std::uint64_t big_endian(std::string_view text) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value = value << 8U | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0U);
  }
  return value;
}

}  // namespace

RunFilter::Size RunFilter::Size::for_rows(std::uint64_t rows) noexcept {
  // Twice the room: a row is one entity and one run at most.
  const std::size_t enough = std::bit_ceil(std::min(rows, std::uint64_t{1} << 32U) * 2 + 64);
  const Size most;
  return {.entities = std::min(enough, most.entities),
          .live_runs = std::min(enough, most.live_runs),
          .known_runs = std::min(enough, most.known_runs),
          .suspect_bytes = most.suspect_bytes};
}

RunFilter::RunFilter(const Profile& profile, bool refuses_ulids, std::uint64_t seed, const Size& size,
                     TextOrder ids)
    : profile_(profile),
      refuses_ulids_(refuses_ulids),
      seed_(seed),
      second_seed_(hash_words(seed, seed, 0, ~seed)),
      suspect_bytes_max_(size.suspect_bytes),
      ids_(ids),
      entities_(size.entities),
      live_(size.live_runs),
      known_(size.known_runs) {
  plan_types();
}

void RunFilter::plan_types() {
  const auto& types = profile_.types;
  for (std::size_t i = 0; i < types.size(); ++i) {
    auto& plan = plans_[i];
    std::size_t first = i;
    for (std::size_t j = 0; j < types.size(); ++j) {
      const bool together =
          j == i || (types[i].event_class != 0 && types[j].event_class == types[i].event_class);
      if (!together) continue;
      first = std::min(first, j);
      plan.unique = plan.unique || types[j].unique;
      plan.unique_when_null = plan.unique_when_null || (types[j].unique && types[j].unique_when_null);
    }
    plan.class_bit = std::uint64_t{1} << first;
    plan.group = types[i].group;
    const bool lives = types[i].closes || types[i].after_close || types[i].conflicts || types[i].opens;
    plan.of_entity = lives || plan.unique;
    plan.of_entity_when_null = lives || plan.unique_when_null;
    if (types[i].opens) opening_[plan.group] |= plan.class_bit;
    if (types[i].conflicts) conflicting_[plan.group] |= plan.class_bit;
  }
}

void RunFilter::add(const Row& row) {
  if (gave_up_) return;
  ++rows_;
  auto& run = live_run(row.run_id);
  ++run.rows;
  if (run.suspect) {
    weigh(1);
    return;
  }
  if (profile_.slot_ids) look_at_slot(run, row);
  const auto listed = profile_.find_type(row.type);
  const auto* type = listed ? &profile_.types[*listed] : nullptr;
  const bool null_identity = std::ranges::none_of(
      row.identity, [](const auto& value) { return value.kind == decoder::Value::Kind::kText; });
  if (type != nullptr ? !type->tracked(null_identity) : !profile_.unlisted_unique) return;
  const auto id = codec_.pack(row.id);
  const auto place = place_of(id, row.id);
  look_at_run(run, row, type, id, place);
  if (run.suspect) return;
  static constexpr Plan kUnlisted{.class_bit = 1,
                                  .group = 0,
                                  .unique = true,
                                  .unique_when_null = true,
                                  .of_entity = true,
                                  .of_entity_when_null = true};
  const auto& plan = listed ? plans_[*listed] : kUnlisted;
  if (null_identity ? plan.of_entity_when_null : plan.of_entity)
    look_at_entity(run, row, type, plan, null_identity, place);
}

RunFilter::Place RunFilter::place_of(const Token& id, std::string_view text) const noexcept {
  if (ids_ == TextOrder::kNumbers) {
    const auto words = place_of_number(text);
    return {words[0], words[1]};
  }
  if (id.packed()) return {id.hi, id.lo};
  return {big_endian(text), big_endian(text.substr(std::min<std::size_t>(text.size(), 8)))};
}

void RunFilter::finish() {
  forget();
}

RunFilter::Live& RunFilter::live_run(std::string_view run_id) {
  auto token = codec_.pack(run_id);
  std::uint64_t hash = 0;
  if (token.packed()) {
    hash = hash_words(token.hi, token.lo, token.kind, seed_);
  } else {
    hash = hash_text(run_id, seed_);
    token.hi = hash;
    token.lo = hash_text(run_id, second_seed_);
  }
  const auto find = [&]() -> Live& {
    auto at = hash & (live_.size() - 1);
    while (live_[at].kind != Token::kNull &&
           (live_[at].hi != token.hi || live_[at].lo != token.lo || live_[at].kind != token.kind)) {
      at = (at + 1) & (live_.size() - 1);
    }
    return live_[at];
  };
  auto* run = &find();
  if (run->kind != Token::kNull) return *run;
  if (crowded(live_used_, live_.size())) {
    forget();
    run = &find();
  }
  ++live_used_;
  *run = Live{.hi = token.hi, .lo = token.lo, .kind = token.kind};
  const bool is_new =
      remember(hash, token.packed() ? hash_words(token.hi, token.lo, token.kind, second_seed_) : token.lo);
  if (!is_new) suspect(*run, run_id);
  return *run;
}

/// The place in the table is of another hash than the entry: together they are some eighty bits.
bool RunFilter::remember(std::uint64_t key, std::uint64_t at) {
  key |= 1U;
  at &= known_.size() - 1;
  for (; known_[at] != 0; at = (at + 1) & (known_.size() - 1)) {
    if (known_[at] == key) return false;
  }
  if (crowded(runs_, known_.size())) {
    gave_up_ = true;
    return true;
  }
  known_[at] = key;
  ++runs_;
  return true;
}

RunFilter::Entity* RunFilter::entity_of(std::uint64_t key) {
  auto at = key & (entities_.size() - 1);
  for (; entities_[at].key != 0; at = (at + 1) & (entities_.size() - 1)) {
    if (entities_[at].key == key) return &entities_[at];
  }
  if (crowded(entities_used_, entities_.size())) return nullptr;
  ++entities_used_;
  entities_[at].key = key;
  return &entities_[at];
}

std::uint64_t RunFilter::key_of(const Live& run, const Row& row, bool listed, std::uint8_t group,
                                bool null_identity) {
  std::uint64_t identity = seed_;
  if (row.identity.size() == 1 && listed) {
    const auto text = row.identity[0].text;
    const auto token = null_identity ? Token{} : codec_.pack(text);
    identity = token.spilled() ? hash_text(text, second_seed_)
                               : hash_words(token.hi, token.lo, token.kind, second_seed_);
  } else {
    for (const auto& value : row.identity) {
      const bool null = value.kind != decoder::Value::Kind::kText;
      identity = hash_text(null ? std::string_view{} : value.text, identity + (null ? 1U : 2U));
    }
    if (!listed) identity = hash_text(row.type, identity + 3U);
  }
  const auto of_run = hash_words(run.hi, run.lo, run.kind, seed_);
  return std::max<std::uint64_t>(hash_words(of_run, identity, group, seed_), 1);
}

void RunFilter::look_at_run(Live& run, const Row& row, const EventType* type, const Token& id,
                            const Place& place) {
  // Ids of several forms sort by their text, which is not kept.
  if (run.ids_kind == Token::kNull) run.ids_kind = id.kind;
  (is_slot_number(id) ? run.has_slot : run.has_other) = true;
  bool found = run.ids_kind != id.kind;
  const bool refused = row.own ? refuses_ulids(*row.own) : refuses_ulids_;
  found = found || (profile_.slot_ids && run.has_other && (run.has_slot || refused));
  if (profile_.slot_ids && row.identity.size() == 1 && row.identity[0].kind == decoder::Value::Kind::kText) {
    const auto seed = ulid_millis(codec_.pack(row.identity[0].text));
    if (run.seed == 0) run.seed = seed;
    found = found || (seed != 0 && seed != run.seed);
  }
  if (type != nullptr && type->opens) run.last_opening = std::max(run.last_opening, place);
  if (type != nullptr && type->ends_run) run.first_end = std::min(run.first_end, place);
  if (found || run.last_opening >= run.first_end) suspect(run, row.run_id);
}

void RunFilter::look_at_entity(Live& run, const Row& row, const EventType* type, const Plan& plan,
                               bool null_identity, const Place& place) {
  auto* entity = entity_of(key_of(run, row, type != nullptr, plan.group, null_identity));
  if (entity == nullptr) {
    suspect(run, row.run_id);
    forget();
    return;
  }
  const bool repeats = (entity->classes & plan.class_bit) != 0;
  entity->classes |= plan.class_bit;
  bool found = repeats && (null_identity ? plan.unique_when_null : plan.unique);
  if (type != nullptr) {
    if (type->after_close) entity->last_living = std::max(entity->last_living, place);
    if (type->closes) entity->first_closing = std::min(entity->first_closing, place);
    found = found || entity->last_living >= entity->first_closing;
    found = found || ((entity->classes & conflicting_[plan.group]) != 0 &&
                      (entity->classes & opening_[plan.group]) != 0);
  }
  if (found) suspect(run, row.run_id);
}

/// As SlotNumbers: slot 1 may be missing. Several writers fill several pages at a time, so the slots of a run
/// come a little out of order.
void RunFilter::look_at_slot(Live& run, const Row& row) {
  const auto slot = slot_of(row.id);
  if (!slot || *slot <= run.dense) return;
  const auto beyond = *slot - run.dense - 1;
  if (beyond == 0) {
    ++run.dense;
    for (; (run.ahead & 1U) != 0; run.ahead >>= 1U) ++run.dense;
    run.ahead >>= 1U;
  } else if (beyond > kWindow || run.kind == Token::kSpilled) {
    // Of a run without a token the name is not kept: it has to be told now.
    suspect(run, row.run_id);
  } else {
    run.ahead |= std::uint64_t{1} << (beyond - 1);
  }
}

void RunFilter::suspect(Live& run, std::string_view run_id) {
  run.suspect = true;
  weigh(run.rows);
  name(run_id);
}

void RunFilter::weigh(std::uint64_t rows) {
  suspect_rows_ += rows;
  if (suspect_rows_ > kSuspectRowsMin + rows_ / kSuspectShare) gave_up_ = true;
}

void RunFilter::name(std::string_view run_id) {
  suspects_.emplace_back(run_id);
  suspect_bytes_ += sizeof(std::string) + run_id.size() + kHeapHeader;
  if (suspect_bytes_ > suspect_bytes_max_) gave_up_ = true;
}

/// Empties what is kept for the last rows. A run that goes on is known and is named when its next row comes.
void RunFilter::forget() {
  std::string run_id;
  for (const auto& run : live_) {
    if (run.ahead == 0 || run.suspect || gave_up_) continue;
    run_id.clear();
    codec_.unpack({.hi = run.hi, .lo = run.lo, .kind = run.kind}, run_id);
    name(run_id);
  }
  std::ranges::fill(live_, Live{});
  std::ranges::fill(entities_, Entity{});
  live_used_ = entities_used_ = 0;
}

}  // namespace dupwatch::core
