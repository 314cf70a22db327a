#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/config/keys.hpp"
#include "daemon/config/reader.hpp"
#include "daemon/core/page_link.hpp"

namespace dupwatch::config {
namespace {

[[nodiscard]] std::string_view section_of(std::string_view path) noexcept {
  const auto dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}

[[nodiscard]] std::string_view leaf_of(std::string_view path) noexcept {
  const auto dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

/// Keys that may stand in `section` ("" = the top level), without the section's name.
[[nodiscard]] std::vector<std::string_view> names_in(std::string_view section) {
  std::vector<std::string_view> names;
  for (const auto& key : key_table()) {
    if (section_of(key.path) == section) names.push_back(leaf_of(key.path));
  }
  return names;
}

/// What to do instead of a key that people expect and that does not exist; empty for any other.
[[nodiscard]] std::string instead_of(std::string_view section, std::string_view name) {
  const bool tls = name.starts_with("tls") || name.starts_with("ssl") || name.starts_with("https");
  if (section != "http" || !tls) return {};
  return "certificates stand in the file that http.web_config_file names, as for every exporter "
         "(config/guide/security.md)";
}

void report_unknown(const ConfigNode& entry, std::string_view section, Problems& problems) {
  const auto names = names_in(section);
  auto remedy = instead_of(section, entry.key);
  if (remedy.empty()) remedy = did_you_mean(entry.key, names);
  if (remedy.empty()) {
    // The right key in the wrong place.
    const auto elsewhere =
        std::ranges::find_if(key_table(), [&](const KeySpec& k) { return leaf_of(k.path) == entry.key; });
    if (elsewhere != key_table().end()) remedy = fmt::format("did you mean {}?", elsewhere->path);
  }
  problems.add(entry.key_place, std::string{section}, "the unknown key " + in_quotes(entry.key),
               fmt::format("one of {}", fmt::join(names, ", ")), std::move(remedy));
}

void read_section(const ConfigNode& map, std::string_view section, const Environment& env, Draft& draft,
                  Problems& problems);

void read_entry(const ConfigNode& entry, std::string_view section, const Environment& env, Draft& draft,
                Problems& problems) {
  const auto path = section.empty() ? entry.key : fmt::format("{}.{}", section, entry.key);
  const auto key = std::ranges::find(key_table(), path, &KeySpec::path);
  // The leaf must match as well: a top-level key "slot.name" is not the key name of the section slot.
  if (key == key_table().end() || leaf_of(key->path) != entry.key) {
    report_unknown(entry, section, problems);
    return;
  }
  if (key->read != nullptr) {
    key->read(Reader{entry, path, key->secret, env, problems}, draft);
    return;
  }
  if (path == "table") draft.table.place = entry.key_place;
  // A section whose keys are all commented out.
  if (entry.kind == ConfigNode::Kind::kNull) return;
  if (entry.kind == ConfigNode::Kind::kMap) {
    read_section(entry, key->path, env, draft, problems);
    return;
  }
  problems.add(entry.place, path, entry.kind == ConfigNode::Kind::kList ? "a list" : "a single value",
               "a map of keys", "indent its keys below it");
}

void read_section(const ConfigNode& map, std::string_view section, const Environment& env, Draft& draft,
                  Problems& problems) {
  for (const auto& entry : map.items) read_entry(entry, section, env, draft, problems);
}

/// Keys that contradict each other.
void check_together(const Draft& draft, Problems& problems) {
  const auto& config = draft.config;
  if (config.connection.backoff_max < config.connection.backoff_min) {
    problems.add(draft.backoff_place, "connection.backoff_max", "less than connection.backoff_min",
                 "at least connection.backoff_min");
  }
  if (config.slot.failover && config.slot.temporary) {
    problems.add(draft.failover_place, "slot.failover", "true with slot.temporary: true", "false",
                 "a temporary slot ends with its connection, so no standby can go on from it");
  }
  if (draft.generic && config.quarantine.mode != core::QuarantineMode::kObserve) {
    problems.add(draft.quarantine_place, "quarantine.mode",
                 in_quotes(core::to_string(config.quarantine.mode)) + " with profile: generic", "observe",
                 "what heals a log was measured with the engine of the profile workflow-devkit alone");
  }
}

/// Who follows a link to the page asks for it by that name.
void allow_own_name(core::HttpConfig& http) {
  const std::string host{core::url_host(http.external_url)};
  const auto name = parse_host_pattern(host);
  if (!std::holds_alternative<std::string>(name) || std::ranges::count(http.allowed_hosts, host) > 0) return;
  http.allowed_hosts.push_back(host);
}

}  // namespace

void read_keys(const ConfigNode& root, const Environment& env, Draft& draft, Problems& problems) {
  if (root.kind == ConfigNode::Kind::kNull) return;
  if (root.kind != ConfigNode::Kind::kMap) {
    problems.add(root.place, "", root.kind == ConfigNode::Kind::kList ? "a list" : "a single value",
                 "a map of keys", "write key: value");
    return;
  }
  read_section(root, "", env, draft, problems);
  check_together(draft, problems);
  allow_own_name(draft.config.http);
}

}  // namespace dupwatch::config
