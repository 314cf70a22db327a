#include "daemon/core/run_log.hpp"

#include <algorithm>
#include <utility>

#include "daemon/core/planted.hpp"

namespace dupwatch::core {
namespace {

/// Rows of an unlisted type share their entity with no other type.
bool is_among(std::uint8_t type, std::uint64_t types) noexcept {
  return type == RunLog::kUnlistedType || (types & type_bit(type)) != 0;
}

void complete(CommitInfo& known, const CommitInfo& other) noexcept {
  if (known.xid == 0) known.xid = other.xid;
  if (!known.lsn.valid()) known.lsn = other.lsn;
  if (known.time.micros == 0) known.time = other.time;
}

}  // namespace

EventRow make_event_row(const Profile& profile, std::optional<std::uint8_t> type,
                        std::string_view type_text) {
  EventRow row{.type = type.value_or(RunLog::kUnlistedType), .type_text = type_text};
  if (!type) return row;
  const auto& listed = profile.types[*type];
  row.group = listed.group;
  row.closes = listed.closes;
  row.ends_run = listed.ends_run;
  return row;
}

std::uint64_t& rows_looked_at() noexcept {
  thread_local std::uint64_t count = 0;
  return count;
}

RunLog::Added RunLog::add(const EventRow& event, TokenCodec& codec) {
  const auto entity = find_or_add_entity(event, codec);
  const auto id = codec.pack(event.id);
  // A redelivery can't be behind every row of its entity.
  if (!is_behind_all(entities_[entity], id)) {
    if (const auto known = find_row(entities_[entity], id, event, codec); known != kNone) {
      auto& commit = rows_[known].commit;
      const bool newly_streamed = event.streamed && !rows_[known].streamed;
      rows_[known].streamed = rows_[known].streamed || event.streamed;
      const bool again = event.commit.lsn.valid() && event.commit.xid != 0 && commit.xid != 0 &&
                         event.commit.xid != commit.xid;
      if (again) {
        commit = event.commit;
      } else {
        complete(commit, event.commit);
      }
      return {.row = known, .known = true, .written_again = again, .newly_streamed = newly_streamed};
    }
  }
  const auto index = static_cast<std::uint32_t>(rows_.size());
  put_row({.id = store(id, event.id),
           .type = event.type,
           .closes = event.closes,
           .ends_run = event.ends_run,
           .streamed = event.streamed,
           .entity = entity,
           .commit = event.commit},
          codec);
  return {.row = index};
}

std::uint32_t RunLog::find_row(const Entity& entity, const Token& id, const EventRow& event,
                               const TokenCodec& codec) const {
  const auto matches = [&](std::uint32_t i) {
    ++rows_looked_at();
    return rows_[i].type == event.type && same(rows_[i].id, id, event.id);
  };
  if (entity.large == kNone) {
    for (auto i = entity.first; i != kNone; i = rows_[i].next) {
      if (matches(i)) return i;
    }
    return kNone;
  }
  const auto own = rows_[entity.first].entity;
  const auto mask = row_table_.size() - 1;
  for (auto slot = row_hash(id, event.id, own, codec) & mask; row_table_[slot] != kNone;
       slot = (slot + 1) & mask) {
    count_work(Work::kProbes);
    if (rows_[row_table_[slot]].entity == own && matches(row_table_[slot])) return row_table_[slot];
  }
  return kNone;
}

void RunLog::put_row(const Row& row, const TokenCodec& codec) {
  const auto index = static_cast<std::uint32_t>(rows_.size());
  rows_.push_back(row);
  // Appended at the end: the order of a chain is the order of arrival.
  auto& entity = entities_[row.entity];
  (entity.last == kNone ? entity.first : rows_[entity.last].next) = index;
  entity.last = index;
  // Of the run as a whole nothing closes anything.
  const bool closable = entity.group != 0 && !entity.null_identity;
  if (closable && entity.first == index) ++open_entities_;
  if (closable && row.closes && entity.closing == kNone) --open_entities_;
  const auto bit = type_bit(row.type);
  entity.repeated |= entity.seen & bit;
  entity.seen |= bit;
  ++entity.rows;
  note_extremes(index, codec);
  if (entity.large != kNone) {
    note_in_large(index, codec);
  } else if (entity.rows > kWalkMax) {
    make_large(row.entity, codec);
  }
}

void RunLog::make_large(std::uint32_t entity, const TokenCodec& codec) {
  entities_[entity].large = static_cast<std::uint32_t>(large_.size());
  large_.emplace_back();
  large_bytes_ += kLargeBytes;
  for (auto i = entities_[entity].first; i != kNone; i = rows_[i].next) note_in_large(i, codec);
}

void RunLog::note_in_large(std::uint32_t index, const TokenCodec& codec) {
  const auto& added = rows_[index];
  auto& all = large_[entities_[added.entity].large];
  auto series = std::ranges::find(all, added.type, &Series::type);
  if (series == all.end()) {
    series = all.insert(all.end(), Series{.type = added.type});
    large_bytes_ += 2 * sizeof(Series);
  }
  ++series->rows;
  const auto before = [&](std::uint32_t a, std::uint32_t b) {
    return b == kNone || less(rows_[a].id, rows_[b].id, codec);
  };
  if (before(index, series->least)) {
    series->second = std::exchange(series->least, index);
  } else if (before(index, series->second)) {
    series->second = index;
  }
  if (series->greatest == kNone || before(series->greatest, index)) series->greatest = index;
  place_row(index, codec);
}

void RunLog::place_row(std::uint32_t index, const TokenCodec& codec) {
  const auto put = [&](std::uint32_t row) {
    const auto& id = rows_[row].id;
    const auto mask = row_table_.size() - 1;
    auto slot = row_hash(id, spilled_text(id), rows_[row].entity, codec) & mask;
    for (; row_table_[slot] != kNone; slot = (slot + 1) & mask) count_work(Work::kProbes);
    row_table_[slot] = row;
  };
  if (++placed_rows_ * 2 > row_table_.size()) {
    const auto old = std::exchange(
        row_table_, std::vector<std::uint32_t>(std::max<std::size_t>(64, row_table_.size() * 2), kNone));
    for (const auto row : old) {
      if (row != kNone) put(row);
    }
  }
  put(index);
}

std::uint64_t RunLog::row_hash(const Token& id, std::string_view text, std::uint32_t entity,
                               const TokenCodec& codec) const noexcept {
  // A row of an entity is looked for among the rows of that entity alone.
  return codec.hash(id, text) + (std::uint64_t{entity} << 16U) + entity;
}

std::uint32_t RunLog::least_of(const Entity& entity, std::uint64_t types, const TokenCodec& codec,
                               std::uint32_t except) const {
  auto found = kNone;
  const auto consider = [&](std::uint32_t i) {
    ++rows_looked_at();
    if (i != kNone && i != except && (found == kNone || less(rows_[i].id, rows_[found].id, codec))) found = i;
  };
  if (entity.large == kNone) {
    for (auto i = entity.first; i != kNone; i = rows_[i].next) {
      if (is_among(rows_[i].type, types)) consider(i);
    }
    return found;
  }
  for (const auto& series : large_[entity.large]) {
    if (is_among(series.type, types)) consider(series.least == except ? series.second : series.least);
  }
  return found;
}

std::uint32_t RunLog::greatest_of(const Entity& entity, std::uint64_t types, const TokenCodec& codec) const {
  auto found = kNone;
  const auto consider = [&](std::uint32_t i) {
    ++rows_looked_at();
    if (found == kNone || less(rows_[found].id, rows_[i].id, codec)) found = i;
  };
  if (entity.large == kNone) {
    for (auto i = entity.first; i != kNone; i = rows_[i].next) {
      if (is_among(rows_[i].type, types)) consider(i);
    }
    return found;
  }
  for (const auto& series : large_[entity.large]) {
    if (is_among(series.type, types)) consider(series.greatest);
  }
  return found;
}

std::uint32_t RunLog::count_of(const Entity& entity, std::uint64_t types,
                               std::uint32_t enough) const noexcept {
  std::uint32_t count = 0;
  if (entity.large == kNone) {
    for (auto i = entity.first; i != kNone && count < enough; i = rows_[i].next) {
      if (is_among(rows_[i].type, types)) ++count;
    }
    return count;
  }
  for (const auto& series : large_[entity.large]) {
    if (is_among(series.type, types)) count += series.rows;
  }
  return std::min(count, enough);
}

bool RunLog::is_behind_all(const Entity& entity, const Token& id) const noexcept {
  if (entity.greatest == kNone) return true;
  const auto& greatest = rows_[entity.greatest].id;
  if (!id.packed() || greatest.kind != id.kind) return false;
  return greatest.hi != id.hi ? greatest.hi < id.hi : greatest.lo < id.lo;
}

void RunLog::note_extremes(std::uint32_t index, const TokenCodec& codec) {
  const auto& added = rows_[index];
  auto& entity = entities_[added.entity];
  const auto& id = added.id;
  const auto keep_least = [&](std::uint32_t& row) {
    if (row == kNone || less(id, rows_[row].id, codec)) row = index;
  };
  const auto keep_greatest = [&](std::uint32_t& row) {
    if (row == kNone || less(rows_[row].id, id, codec)) row = index;
  };
  const auto greatest_before = entity.greatest;
  keep_greatest(entity.greatest);
  if (entity.greatest != greatest_before && greatest_before != kNone &&
      rows_[greatest_before].commit.xid != added.commit.xid)
    entity.greatest_before = greatest_before;
  keep_greatest(greatest_);
  if (added.closes) keep_least(entity.closing);
  if (added.ends_run) keep_least(run_end_);
  keep_least(is_slot_number(id) ? first_slot_ : first_other_);
  if (ulid_millis(entity.key) != 0) note_seed(index, codec);
}

void RunLog::note_seed(std::uint32_t index, const TokenCodec& codec) {
  const auto& id = rows_[index].id;
  if (seed_ == kNone) {
    seed_ = index;
  } else if (less(id, rows_[seed_].id, codec)) {
    // The first of all was also the first of those with another time than this one.
    if (seed_of(index) != seed_of(seed_)) other_seed_ = seed_;
    seed_ = index;
  } else if (seed_of(index) != seed_of(seed_) &&
             (other_seed_ == kNone || less(id, rows_[other_seed_].id, codec))) {
    other_seed_ = index;
  }
}

void RunLog::clear() {
  rows_.clear();
  entities_.clear();
  entity_table_.clear();
  large_.clear();
  row_table_.clear();
  placed_rows_ = 0;
  large_bytes_ = 0;
  spill_.clear();
  run_end_ = first_slot_ = first_other_ = greatest_ = seed_ = other_seed_ = kNone;
  open_entities_ = 0;
  table_ = {};
}

std::uint32_t RunLog::find_or_add_entity(const EventRow& event, TokenCodec& codec) {
  const bool null_identity = std::all_of(event.identity.begin(), event.identity.end(), [](const auto& value) {
    return value.kind != decoder::Value::Kind::kText;
  });
  const auto find_or_add = [&](const Token& key, std::string_view text) {
    const auto found = find_entity(key, text, event.group, codec);
    return found != kNone ? found : put_entity(store(key, text), event.group, null_identity, codec);
  };
  if (event.identity.size() <= 1 && event.type != kUnlistedType) {
    if (null_identity) return find_or_add(Token{}, {});
    const auto text = event.identity[0].text;
    return find_or_add(codec.pack(text), text);
  }
  std::string encoded;
  for (const auto& value : event.identity) append_tuple_value(encoded, value);
  if (event.type == kUnlistedType) append_tuple_value(encoded, decoder::Value::of(event.type_text));
  return find_or_add(Token{.kind = Token::kSpilledTuple}, encoded);
}

std::uint32_t RunLog::find_entity(const Token& key, std::string_view text, std::uint8_t group,
                                  const TokenCodec& codec) const noexcept {
  const auto matches = [&](std::uint32_t i) {
    count_work(Work::kProbes);
    return entities_[i].group == group && same(entities_[i].key, key, text);
  };
  if (entity_table_.empty()) {
    // Mostly it is the newest.
    for (auto i = static_cast<std::uint32_t>(entities_.size()); i-- > 0;) {
      if (matches(i)) return i;
    }
    return kNone;
  }
  const auto mask = entity_table_.size() - 1;
  for (auto slot = codec.hash(key, text) & mask; entity_table_[slot] != kNone; slot = (slot + 1) & mask) {
    if (matches(entity_table_[slot])) return entity_table_[slot];
  }
  return kNone;
}

std::uint32_t RunLog::put_entity(const Token& key, std::uint8_t group, bool null_identity,
                                 const TokenCodec& codec) {
  const auto index = static_cast<std::uint32_t>(entities_.size());
  entities_.push_back(Entity{.key = key, .group = group, .null_identity = null_identity});
  if (entities_.size() <= kLinearMax) return index;
  if (entities_.size() * 2 > entity_table_.size()) {
    rehash_entities(codec);
  } else {
    place_entity(index, codec);
  }
  return index;
}

void RunLog::place_entity(std::uint32_t index, const TokenCodec& codec) {
  const auto mask = entity_table_.size() - 1;
  auto slot = codec.hash(entities_[index].key, spilled_text(entities_[index].key)) & mask;
  for (; entity_table_[slot] != kNone; slot = (slot + 1) & mask) count_work(Work::kProbes);
  entity_table_[slot] = index;
}

void RunLog::rehash_entities(const TokenCodec& codec) {
  std::size_t size = kLinearMax * 4;
  while (size < entities_.size() * 4) size *= 2;
  entity_table_.assign(size, kNone);
  for (std::uint32_t i = 0; i < entities_.size(); ++i) place_entity(i, codec);
}

std::size_t RunLog::heap_bytes() const noexcept {
  return rows_.capacity() * sizeof(Row) + entities_.capacity() * sizeof(Entity) +
         (entity_table_.capacity() + row_table_.capacity()) * sizeof(std::uint32_t) + large_bytes_ +
         (spill_.capacity() > std::string().capacity() ? spill_.capacity() + 1 : 0);
}

}  // namespace dupwatch::core
