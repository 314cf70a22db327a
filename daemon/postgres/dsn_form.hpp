#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dupwatch::postgres {

struct DsnMistake {
  /// For people. Quotes nothing of the DSN: what stands in the wrong place may be a piece of a password.
  std::string found;
  std::string fix;
};

/// What libpq would read otherwise than it is meant: it would take a piece of a password for a host, a port
/// or an option, and say so in its messages. nullopt: nothing of that kind. Pure.
[[nodiscard]] std::optional<DsnMistake> find_dsn_mistake(std::string_view dsn);

/// The first option of a DSN without a mistake that is none of `known`; nullopt: all are. Pure.
[[nodiscard]] std::optional<std::string> unknown_option(std::string_view dsn,
                                                        const std::vector<std::string>& known);

/// `text` with each of `secrets` that is long enough to be one replaced. Pure.
[[nodiscard]] std::string without_secrets(std::string text, const std::vector<std::string>& secrets);

}  // namespace dupwatch::postgres
