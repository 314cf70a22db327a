#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config/document.hpp"
#include "daemon/config/values.hpp"
#include "daemon/core/config.hpp"

/// The table of keys: the one place that says which exist, where each goes and what it may hold.
namespace dupwatch::config {

template <class T>
struct Placed {
  T value{};
  Place place;
};

/// An entry of `table.rules` as written: what is not given is empty.
struct RuleSection {
  std::string name;
  Place place;
  core::Shape kind = core::Shape::kTakenTwice;
  std::vector<std::string> columns;
  std::vector<std::string> first;
  std::vector<std::string> types;
  bool nulls_equal = false;
  std::int64_t from = 0;
  core::Severity severity = core::Severity::kUnknown;
  std::string reason;
};

/// The section `table` as written, before it is known for which profile.
struct TableSection {
  Place place;
  std::optional<Placed<QualifiedName>> name;
  std::optional<Placed<std::vector<std::string>>> scope_columns;
  std::optional<Placed<std::string>> run_column;
  std::optional<Placed<std::string>> id_column;
  std::optional<Placed<std::vector<std::string>>> identity_columns;
  std::optional<Placed<std::string>> type_column;
  std::optional<Placed<std::vector<std::string>>> types;
  /// Closing type -> the types it closes, in the order of the file.
  std::optional<Placed<std::vector<std::pair<std::string, std::vector<std::string>>>>> closing;
  std::optional<Placed<std::vector<std::string>>> run_end_types;
  std::optional<Placed<std::vector<RuleSection>>> rules;
  std::optional<Placed<bool>> order_watch;
  std::optional<Placed<std::string>> run_label;
  std::optional<Placed<std::string>> event_label;
};

/// The section `http.basic_auth` as written.
struct BasicAuthSection {
  std::optional<Placed<std::string>> user;
  std::optional<Placed<std::string>> password;
  std::optional<Placed<std::string>> password_file;
  /// A value of it was refused, and that is told already.
  bool refused = false;
};

struct Draft {
  core::Config config;
  BasicAuthSection basic_auth;
  bool generic = false;
  /// The name of a built-in profile; empty = one of the two others.
  std::string builtin;
  Place profile_place;
  TableSection table;
  Place backoff_place;
  Place quarantine_place;
  Place failover_place;
};

/// One value of the file on its way into the draft: expands ${ENV}, checks, reports. Every method leaves its
/// target alone when the value is refused.
class Reader;

struct KeySpec {
  std::string_view path;
  /// nullptr for a section.
  void (*read)(const Reader& reader, Draft& draft) = nullptr;
  /// The value is never shown.
  bool secret = false;
};

/// In the order of the reference file, each section before its keys.
[[nodiscard]] std::span<const KeySpec> key_table() noexcept;

/// Reads `root` into `draft` through the table.
void read_keys(const ConfigNode& root, const Environment& env, Draft& draft, Problems& problems);

}  // namespace dupwatch::config
