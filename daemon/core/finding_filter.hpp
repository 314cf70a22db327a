#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/finding.hpp"

namespace dupwatch::core {

/// Which findings somebody wants to see. As it is made, it admits all. Pure.
struct FindingFilter {
  /// By Severity, Rule and FindingState.
  std::array<bool, kSeverities> severities = filled<kSeverities>();
  std::array<bool, kRules> rules = filled<kRules>();
  std::array<bool, kFindingStates> states = filled<kFindingStates>();
  /// Empty = of any run.
  std::string run_id;
  /// One of the values of the identity; empty = any.
  std::string correlation_id;
  /// A part of the run's id or of a value of the identity, or the whole id of the finding; empty = any.
  std::string search;
  /// Reported last at this moment or later.
  std::optional<decoder::Timestamp> since;

  [[nodiscard]] bool admits(const Finding& finding) const noexcept;

  /// "fatal,conflict" and the like, alone. What they return is wrong with `names`, for people; empty =
  /// nothing.
  [[nodiscard]] std::string only_severities(std::string_view names);
  [[nodiscard]] std::string only_rules(std::string_view names);
  [[nodiscard]] std::string only_states(std::string_view names);

 private:
  template <std::size_t N>
  [[nodiscard]] static constexpr std::array<bool, N> filled() noexcept {
    std::array<bool, N> all{};
    all.fill(true);
    return all;
  }
};

/// Sixteen hexadecimal digits, as finding_id_text() writes them.
[[nodiscard]] std::optional<std::uint64_t> parse_finding_id(std::string_view text) noexcept;

/// A moment with its zone as RFC 3339 has it, "2026-11-24T05:21:38Z" or "...38.5+01:00".
[[nodiscard]] std::optional<decoder::Timestamp> parse_rfc3339(std::string_view text);

}  // namespace dupwatch::core
