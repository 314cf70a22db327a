#include "daemon/core/run_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace dupwatch::core {
namespace {

constexpr std::size_t kTupleHeader = 9;

std::vector<std::optional<std::string>> decode_tuple(std::string_view text) {
  std::vector<std::optional<std::string>> values;
  while (text.size() >= kTupleHeader) {
    std::uint32_t length = 0;
    std::from_chars(text.data() + 1, text.data() + kTupleHeader, length, 16);
    if (text[0] == 'n') {
      values.emplace_back(std::nullopt);
    } else {
      values.emplace_back(std::string(text.substr(kTupleHeader, length)));
    }
    text.remove_prefix(std::min(text.size(), kTupleHeader + length));
  }
  return values;
}

void complete(CommitInfo& known, const CommitInfo& other) noexcept {
  if (known.xid == 0) known.xid = other.xid;
  if (!known.lsn.valid()) known.lsn = other.lsn;
  if (known.time.micros == 0) known.time = other.time;
}

}  // namespace

void append_tuple_value(std::string& out, const decoder::Value& value) {
  const bool null = value.kind != decoder::Value::Kind::kText;
  fmt::format_to(std::back_inserter(out), "{}{:08x}", null ? 'n' : 't', null ? 0 : value.text.size());
  if (!null) out += value.text;
}

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

bool is_slot_number(const Token& id) noexcept {
  return id.packed() && id.hi >> 16U == 0;
}

std::uint64_t ulid_millis(const Token& id) noexcept {
  return id.packed() ? id.hi >> 16U : 0;
}

RunLog::Added RunLog::add(const EventRow& event, TokenCodec& codec) {
  const auto entity = find_or_add_entity(event, codec);
  const auto id = codec.pack(event.id);
  // A redelivery can't be behind every row of its entity.
  if (!is_behind_all(entities_[entity], id)) {
    for (auto i = entities_[entity].first; i != kNone; i = rows_[i].next) {
      if (rows_[i].type == event.type && same(rows_[i].id, id, event.id)) {
        auto& commit = rows_[i].commit;
        const bool again = event.commit.lsn.valid() && event.commit.xid != 0 && commit.xid != 0 &&
                           event.commit.xid != commit.xid;
        if (again) {
          commit = event.commit;
        } else {
          complete(commit, event.commit);
        }
        return {.row = i, .known = true, .written_again = again};
      }
    }
  }
  const auto index = static_cast<std::uint32_t>(rows_.size());
  put_row({.id = store(id, event.id),
           .type = event.type,
           .closes = event.closes,
           .ends_run = event.ends_run,
           .entity = entity,
           .commit = event.commit},
          codec);
  return {.row = index};
}

void RunLog::put_row(const Row& row, const TokenCodec& codec) {
  const auto index = static_cast<std::uint32_t>(rows_.size());
  rows_.push_back(row);
  // Appended at the end: the order of a chain is the order of arrival.
  auto& entity = entities_[row.entity];
  (entity.last == kNone ? entity.first : rows_[entity.last].next) = index;
  entity.last = index;
  const auto bit = type_bit(row.type);
  entity.repeated |= entity.seen & bit;
  entity.seen |= bit;
  note_extremes(index, codec);
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
  keep_greatest(entity.greatest);
  keep_greatest(greatest_);
  if (added.closes) keep_least(entity.closing);
  if (added.ends_run) keep_least(run_end_);
  keep_least(is_slot_number(id) ? first_slot_ : first_other_);
}

void RunLog::clear() {
  rows_.clear();
  entities_.clear();
  entity_table_.clear();
  spill_.clear();
  run_end_ = first_slot_ = first_other_ = greatest_ = kNone;
}

std::uint32_t RunLog::find_or_add_entity(const EventRow& event, TokenCodec& codec) {
  const bool null_identity = std::all_of(event.identity.begin(), event.identity.end(), [](const auto& value) {
    return value.kind != decoder::Value::Kind::kText;
  });
  const auto find_or_add = [&](const Token& key, std::string_view text) {
    const auto found = find_entity(key, text, event.group);
    return found != kNone ? found : put_entity(store(key, text), event.group, null_identity);
  };
  if (event.identity.size() == 1 && event.type != kUnlistedType) {
    if (null_identity) return find_or_add(Token{}, {});
    const auto text = event.identity[0].text;
    return find_or_add(codec.pack(text), text);
  }
  std::string encoded;
  for (const auto& value : event.identity) append_tuple_value(encoded, value);
  if (event.type == kUnlistedType) append_tuple_value(encoded, decoder::Value::of(event.type_text));
  return find_or_add(Token{.kind = Token::kSpilledTuple}, encoded);
}

std::uint32_t RunLog::find_entity(const Token& key, std::string_view text,
                                  std::uint8_t group) const noexcept {
  const auto matches = [&](std::uint32_t i) {
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
  for (auto slot = hash_of(key, text) & mask; entity_table_[slot] != kNone; slot = (slot + 1) & mask) {
    if (matches(entity_table_[slot])) return entity_table_[slot];
  }
  return kNone;
}

std::uint32_t RunLog::put_entity(const Token& key, std::uint8_t group, bool null_identity) {
  const auto index = static_cast<std::uint32_t>(entities_.size());
  entities_.push_back(Entity{.key = key, .group = group, .null_identity = null_identity});
  if (entities_.size() <= kLinearMax) return index;
  if (entities_.size() * 2 > entity_table_.size()) {
    rehash_entities();
  } else {
    place_entity(index);
  }
  return index;
}

void RunLog::place_entity(std::uint32_t index) {
  const auto mask = entity_table_.size() - 1;
  auto slot = hash_of(entities_[index].key, spilled_text(entities_[index].key)) & mask;
  while (entity_table_[slot] != kNone) slot = (slot + 1) & mask;
  entity_table_[slot] = index;
}

void RunLog::rehash_entities() {
  std::size_t size = kLinearMax * 4;
  while (size < entities_.size() * 4) size *= 2;
  entity_table_.assign(size, kNone);
  for (std::uint32_t i = 0; i < entities_.size(); ++i) place_entity(i);
}

std::uint64_t RunLog::hash_of(const Token& token, std::string_view text) noexcept {
  // A run's entities are few and its table dies with it; an unseeded hash does.
  return token.spilled() ? hash_text(text, token.kind) : hash_token(token, 0);
}

std::string_view RunLog::spilled_text(const Token& token) const noexcept {
  if (!token.spilled()) return {};
  return std::string_view(spill_).substr(token.hi, token.lo);
}

Token RunLog::store(const Token& token, std::string_view text) {
  if (!token.spilled()) return token;
  const Token stored{.hi = spill_.size(), .lo = text.size(), .kind = token.kind};
  spill_ += text;
  return stored;
}

std::string RunLog::text(const Token& token, const TokenCodec& codec) const {
  std::string out;
  if (token.packed()) {
    codec.unpack(token, out);
  } else {
    out = spilled_text(token);
  }
  return out;
}

bool RunLog::less_text(const Token& a, const Token& b, const TokenCodec& codec) const {
  return text(a, codec) < text(b, codec);
}

std::vector<std::optional<std::string>> RunLog::identity(const Entity& entity,
                                                         const TokenCodec& codec) const {
  if (entity.key.kind == Token::kSpilledTuple) return decode_tuple(spilled_text(entity.key));
  if (entity.key.kind == Token::kNull) return {std::nullopt};
  return {text(entity.key, codec)};
}

std::size_t RunLog::heap_bytes() const noexcept {
  return rows_.capacity() * sizeof(Row) + entities_.capacity() * sizeof(Entity) +
         entity_table_.capacity() * sizeof(std::uint32_t) +
         (spill_.capacity() > std::string().capacity() ? spill_.capacity() + 1 : 0);
}

}  // namespace dupwatch::core
