#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/core/packed_text.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/core/run_log.hpp"
#include "decoder/change.hpp"

namespace dupwatch::core {

/// What a row is to one rule of its profile. `identity` has the rule's columns, which live as long as the
/// part.
struct RulePart {
  std::uint8_t type = 0;
  std::array<decoder::Value, Profile::kIdentityMax> values{};
  std::size_t size = 0;

  [[nodiscard]] std::span<const decoder::Value> identity() const noexcept {
    return std::span(values).first(size);
  }
};

/// nullopt: the rule is not about rows of this type, or a column that counts is NULL. Of the row id,
/// type_text and all identity columns of the profile are read.
[[nodiscard]] std::optional<RulePart> part_of(const Profile& profile, const ProfileRule& rule,
                                              const EventRow& row) noexcept;
/// A finding that was remembered by the name of its rule alone.
void complete_reason(const Profile& profile, Finding& finding);
/// Some rule needs the row.
[[nodiscard]] bool takes_part(const Profile& profile, std::string_view type,
                              std::span<const decoder::Value> identity) noexcept;

/// Calls `use(EventRow)` for each rule that the row takes part in; `row` has everything but what the rule
/// says.
template <class Use>
void for_each_part(const Profile& profile, const EventRow& row, Use use) {
  for (const auto& rule : profile.rules) {
    const auto part = part_of(profile, rule, row);
    if (!part) continue;
    auto event = make_event_row(profile, part->type, row.type_text);
    event.run_id = row.run_id;
    event.id = row.id;
    event.commit = row.commit;
    event.streamed = row.streamed && is_of_the_stream(rule.kind);
    event.identity = part->identity();
    use(event);
  }
}

/// Judges the rows of one run by the rules of its profile, in the order of their ids. What the entity of a
/// row holds decides, so the work is that of its rows at most, and none without a finding.
class ProfileRules {
 public:
  /// An entity with more rows is not judged as a whole when a row arrives.
  static constexpr std::uint32_t kAtOnceMax = 64;

  /// Both must outlive the rules.
  ProfileRules(const Profile& profile, const TokenCodec& codec) : profile_(profile), codec_(codec) {}

  struct Fault {
    Shape kind = Shape::kTakenTwice;
    std::uint32_t row = RunLog::kNone;
    /// The row that it contradicts; itself where a row is missing.
    std::uint32_t canonical = RunLog::kNone;
    /// The row that closes, of the rules about closing.
    std::uint32_t closing = RunLog::kNone;
  };
  /// What the arrival of `row` made or changed, but for what may yet be set right and the order of commits.
  /// False: also findings of
  /// more rows than are judged at once, and the run is to be judged again as a whole.
  [[nodiscard]] bool arrived(const RunLog& log, std::uint32_t row, std::vector<Fault>& out) const;
  /// What is at fault with the row as the log is, but for the order of commits.
  void judge(const RunLog& log, std::uint32_t row, std::vector<Fault>& out) const;
  /// What the order of commits says of a row that the stream brought just now.
  void judge_order(const RunLog& log, std::uint32_t row, std::vector<Fault>& out) const;
  /// The row is at fault now, and may not be when all transactions of now have ended.
  [[nodiscard]] bool is_doubtful(const RunLog& log, std::uint32_t row) const;

  /// The rule that a row of this type is a part of.
  [[nodiscard]] const ProfileRule& rule_of(std::uint8_t type) const noexcept {
    return profile_.rules[profile_.types[type].rule];
  }
  /// Types before a row of this type, all bits as of type_bit(), with which it may be at fault although it
  /// sorts behind all others.
  [[nodiscard]] std::uint64_t loud_after(std::uint8_t type) const noexcept;
  /// It may be at fault whatever is before it.
  [[nodiscard]] bool is_always_loud(std::uint8_t type) const noexcept;

 private:
  /// Types of the rule that are its `first`, or that are not.
  [[nodiscard]] std::uint64_t types_of(const ProfileRule& rule, bool first) const noexcept;
  [[nodiscard]] std::uint64_t all_of(const ProfileRule& rule) const noexcept {
    return types_of(rule, true) | types_of(rule, false);
  }
  [[nodiscard]] bool before(const RunLog& log, std::uint32_t a, std::uint32_t b) const {
    return log.less(log.row(a).id, log.row(b).id, codec_);
  }
  void judge_entity(const RunLog& log, const RunLog::Entity& entity, std::vector<Fault>& out) const;
  [[nodiscard]] bool is_hole(const RunLog& log, std::uint32_t row, const ProfileRule& rule) const;

  const Profile& profile_;
  const TokenCodec& codec_;
};

}  // namespace dupwatch::core
