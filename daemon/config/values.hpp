#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/config/config_file.hpp"
#include "daemon/core/config.hpp"

/// One value's text -> its type. Pure functions; the bounds are part of the call, so that the message can
/// name them.
namespace dupwatch::config {

/// Why a text was refused. Never holds the text itself: the caller knows whether it may be shown.
struct Refusal {
  std::string expected;
  std::string remedy;
};

template <class T>
using Parsed = std::variant<T, Refusal>;

template <class T>
struct Range {
  T min;
  T max;
};

struct QualifiedName {
  std::string schema;
  std::string name;
};

/// "${NAME}" = the variable, unset is refused; "${NAME:-text}" = text when unset or empty; "$$" = "$".
[[nodiscard]] Parsed<std::string> expand(std::string_view text, const Environment& env);

/// A whole number with unit ms, s, m or h.
[[nodiscard]] Parsed<core::Milliseconds> parse_duration(std::string_view text,
                                                        Range<core::Milliseconds> range);
/// A whole number with unit B, kB, MB, GB (powers of 1000) or KiB, MiB, GiB (powers of 1024).
[[nodiscard]] Parsed<std::uint64_t> parse_bytes(std::string_view text, Range<std::uint64_t> range);
/// A size as parse_bytes takes it, 0B = no limit, or 1% to 99%.
[[nodiscard]] Parsed<core::WalLimit> parse_wal_limit(std::string_view text);
[[nodiscard]] Parsed<std::uint64_t> parse_number(std::string_view text, Range<std::uint64_t> range);
[[nodiscard]] Parsed<bool> parse_bool(std::string_view text);
/// Index into `choices`.
[[nodiscard]] Parsed<std::size_t> parse_choice(std::string_view text,
                                               std::span<const std::string_view> choices);

/// auto, wal2json or pgoutput.
[[nodiscard]] Parsed<core::PluginChoice> parse_plugin(std::string_view text);
/// debug, info, warn or error.
[[nodiscard]] Parsed<core::LogLevel> parse_log_level(std::string_view text);
/// Postgres' own rule, ReplicationSlotValidateName().
[[nodiscard]] Parsed<std::string> parse_slot_name(std::string_view text);
/// A name as the catalogue holds it: 1 to 63 bytes, no quotes around it, case matters.
[[nodiscard]] Parsed<std::string> parse_identifier(std::string_view text);
/// schema.table as the catalogue holds them; a part with a dot in it stands in double quotes.
[[nodiscard]] Parsed<QualifiedName> parse_table_name(std::string_view text);
[[nodiscard]] Parsed<std::string> parse_type_name(std::string_view text);
[[nodiscard]] Parsed<std::string> parse_dsn(std::string_view text);
/// 16 hexadecimal digits, as finding_id is written.
[[nodiscard]] Parsed<std::string> parse_finding_id(std::string_view text);
/// May be empty.
[[nodiscard]] Parsed<std::string> parse_path(std::string_view text);
/// http:// or https:// with a host; "" = off.
[[nodiscard]] Parsed<std::string> parse_url(std::string_view text);
/// A URL that links are made from, without user, query and fragment; slashes at its end are left out; "" =
/// none.
[[nodiscard]] Parsed<std::string> parse_external_url(std::string_view text);
/// A user of HTTP's basic authentication; "" = off.
[[nodiscard]] Parsed<std::string> parse_user(std::string_view text);
/// A password of HTTP's basic authentication; may be empty.
[[nodiscard]] Parsed<std::string> parse_password(std::string_view text);
/// Any text without control characters; may be empty.
[[nodiscard]] Parsed<std::string> parse_secret(std::string_view text);
/// A name that a request may be for: "dupwatch.example.org", "*.example.org", or "*" = any.
[[nodiscard]] Parsed<std::string> parse_host_pattern(std::string_view text);
/// "" = off; "127.0.0.1:9788", "[::1]:9788", "localhost:9788", ":9788" = every IPv4 interface.
[[nodiscard]] Parsed<core::HttpConfig> parse_listen(std::string_view text);

/// The candidate that `text` was probably meant to be.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view text,
                                                      std::span<const std::string_view> candidates);
/// `did you mean "x"?`, or empty.
[[nodiscard]] std::string did_you_mean(std::string_view text, std::span<const std::string_view> candidates);

/// `text` in double quotes, control characters escaped, cut after 60 bytes: safe for one log line.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace dupwatch::config
