#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/cli/finding_writer.hpp"
#include "daemon/core/rule.hpp"

namespace dupwatch::cli {

struct AuditOptions {
  OutputFormat format = OutputFormat::kText;
  /// Severities that are shown and count for the exit code.
  std::array<bool, core::kSeverities> severities{true, true, true, true};
  /// Begin behind this run.
  std::optional<std::string> after;
  /// Only runs whose id, a ULID, was made at or after this moment; milliseconds since 1970.
  std::optional<std::uint64_t> since_millis;
  /// Rows a second, 0 = no limit.
  std::uint64_t rate_max = 0;
  bool before_migration = false;
  /// For the commands that are offered; see Invocation.
  std::string config_option;
};

/// "2026-11-24", "2026-11-24T05:21", "...T05:21:38", with or without Z (UTC), or an age: 12h, 7d. nullopt:
/// neither.
[[nodiscard]] std::optional<std::uint64_t> parse_since(const std::string& text, std::uint64_t now_millis);
/// The age alone, in milliseconds.
[[nodiscard]] std::optional<std::uint64_t> parse_age(std::string_view text);
/// "fatal,conflict"; false and unchanged when a name is wrong.
[[nodiscard]] bool parse_severities(const std::string& text, std::array<bool, core::kSeverities>& out);
/// The largest run id, "wrun_" and a ULID, of all before that moment.
[[nodiscard]] std::string run_id_before(std::uint64_t millis);

}  // namespace dupwatch::cli
