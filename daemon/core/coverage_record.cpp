#include "daemon/core/coverage_record.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include "daemon/core/finding.hpp"
#include "daemon/core/planted.hpp"

namespace dupwatch::core {
namespace {

using simdjson::dom::element;

constexpr std::uint64_t kVersion = 1;

std::optional<std::string> text_of(const element& object, std::string_view key) {
  std::string_view text;
  if (object[key].get(text) != simdjson::SUCCESS) return std::nullopt;
  return std::string(text);
}

template <class T>
bool read_number(const element& object, std::string_view key, T& out) {
  std::uint64_t value = 0;
  if (object[key].get(value) != simdjson::SUCCESS) return false;
  out = static_cast<T>(value);
  return true;
}

bool read_lsn(const element& object, std::string_view key, decoder::Lsn& out) {
  const auto text = text_of(object, key);
  const auto lsn = text ? decoder::parse_lsn(*text) : std::nullopt;
  if (lsn) out = *lsn;
  return lsn.has_value();
}

std::optional<GapReason> reason_of(const element& object) {
  const auto label = text_of(object, "reason");
  for (std::size_t i = 0; label && i < kGapReasons; ++i) {
    if (to_string(static_cast<GapReason>(i)) == *label) return static_cast<GapReason>(i);
  }
  return std::nullopt;
}

std::optional<CoverageGap> read_gap(const element& object) {
  CoverageGap gap;
  const auto reason = reason_of(object);
  std::uint64_t opened = 0;
  if (!reason || !read_lsn(object, "from", gap.from) || !read_lsn(object, "to", gap.to) ||
      !read_number(object, "opened", opened)) {
    return std::nullopt;
  }
  gap.reason = *reason;
  gap.opened.micros = static_cast<std::int64_t>(opened);
  return gap;
}

}  // namespace

std::string to_json(const CoverageRecord& record) {
  std::string out = fmt::format("{{\"version\":{},\"system_identifier\":", kVersion);
  append_json_string(out, record.origin.system_identifier);
  out += fmt::format(",\"timeline\":{},\"slot\":", record.origin.timeline);
  append_json_string(out, record.origin.slot);
  out += ",\"plugin\":";
  append_json_string(out, record.origin.plugin);
  out += fmt::format(",\"two_phase\":{},\"table\":{},\"publication\":{},\"confirmed\":\"{}\",\"open_gaps\":[",
                     record.origin.two_phase, record.origin.table, record.origin.publication,
                     decoder::to_string(record.confirmed));
  for (const auto& gap : record.open_gaps) {
    if (out.back() != '[') out += ',';
    out += fmt::format("{{\"reason\":\"{}\",\"from\":\"{}\",\"to\":\"{}\",\"opened\":{}}}",
                       to_string(gap.reason), decoder::to_string(gap.from), decoder::to_string(gap.to),
                       gap.opened.micros);
  }
  return out + "]}\n";
}

std::optional<CoverageRecord> read_coverage_record(std::string_view json) {
  simdjson::dom::parser parser;
  element object;
  if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) return std::nullopt;
  std::uint64_t version = 0;
  if (!read_number(object, "version", version) || version != kVersion) return std::nullopt;
  CoverageRecord record;
  auto& origin = record.origin;
  const auto system = text_of(object, "system_identifier");
  const auto slot = text_of(object, "slot");
  const auto plugin = text_of(object, "plugin");
  simdjson::dom::array gaps;
  if (!system || !slot || !plugin || !read_number(object, "timeline", origin.timeline) ||
      object["two_phase"].get(origin.two_phase) != simdjson::SUCCESS ||
      !read_number(object, "table", origin.table) ||
      !read_number(object, "publication", origin.publication) ||
      !read_lsn(object, "confirmed", record.confirmed) ||
      object["open_gaps"].get(gaps) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  origin.system_identifier = *system;
  origin.slot = *slot;
  origin.plugin = *plugin;
  for (const auto item : gaps) {
    const auto gap = read_gap(item);
    if (!gap) return std::nullopt;
    record.open_gaps.push_back(*gap);
  }
  return record;
}

std::vector<FoundGap> compare_coverage(const std::optional<CoverageRecord>& known,
                                       const CoverageView& found) {
  std::vector<FoundGap> gaps;
  if (!known) {
    if (!found.slot_created && !is_planted(Planted::kIgnoreUnknownPast))
      gaps.push_back({.reason = GapReason::kUnknownPast, .from = {}, .to = found.from});
    return gaps;
  }
  const auto add = [&](GapReason reason) {
    gaps.push_back({.reason = reason, .from = known->confirmed, .to = found.from});
  };
  const auto& before = known->origin;
  const auto& now = found.origin;
  const bool same_history =
      before.system_identifier == now.system_identifier && before.timeline == now.timeline;
  // A slot of other options delivers other things: whoever made it so recreated it.
  const bool other_slot =
      before.slot != now.slot || before.plugin != now.plugin || before.two_phase != now.two_phase;
  if (!same_history) {
    if (!is_planted(Planted::kIgnoreHistory)) add(GapReason::kOtherHistory);
  } else if (!found.standby && found.wal_end < known->confirmed) {
    if (!is_planted(Planted::kIgnoreRestored)) add(GapReason::kRestored);
  } else if (!found.slot_created && !other_slot && found.from > known->confirmed) {
    if (!is_planted(Planted::kIgnoreAhead)) add(GapReason::kPositionAhead);
  }
  if (found.slot_created || other_slot) add(GapReason::kSlotCreated);
  const bool replaced = before.table != now.table || before.publication != now.publication;
  if (same_history && replaced && !is_planted(Planted::kIgnoreReplaced)) {
    add(GapReason::kTableChanged);
  }
  return gaps;
}

}  // namespace dupwatch::core
