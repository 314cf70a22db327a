#include "daemon/postgres/run_key.hpp"

#include <fmt/format.h>

#include "daemon/postgres/catalog.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

/// The character types compare as text, without the length that a cast to their own name would cut a value
/// to.
std::string comparable(const std::string& type) {
  const bool text_like = type.empty() || type == "text" || type == "character varying";
  return text_like ? "text" : type;
}

template <class Piece>
std::string joined(std::size_t count, std::string_view separator, Piece piece) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += separator;
    out += piece(i);
  }
  return out;
}

std::string of(std::string_view alias, const std::string& name) {
  return alias.empty() ? name : fmt::format("{}.{}", alias, name);
}

}  // namespace

RunKey::RunKey(const core::Profile& profile, const KeyTypes& types) {
  for (std::size_t i = 0; i < profile.scope_columns.size(); ++i) {
    names_.push_back(quote_identifier(profile.scope_columns[i]));
    types_.push_back(comparable(i < types.scope.size() ? types.scope[i] : std::string{}));
  }
  names_.push_back(quote_identifier(profile.run_column));
  types_.push_back(comparable(types.run));
}

std::string RunKey::text(std::string_view alias) const {
  const auto& run = names_.back();
  if (!scoped()) return of(alias, run);
  // concat() gives what the type's output function gives, which a cast to text need not. An empty text names
  // no run, so that a name never ends with the scope.
  return fmt::format("CASE WHEN {} AND concat({}) <> '' THEN concat({}, {}) END", not_null(alias),
                     of(alias, run),
                     joined(names_.size() - 1, ", ",
                            [&](std::size_t i) {
                              return fmt::format("replace(replace(concat({}), '%', '%25'), '/', '%2F'), '/'",
                                                 of(alias, names_[i]));
                            }),
                     of(alias, run));
}

std::string RunKey::columns(std::string_view alias) const {
  return joined(names_.size(), ", ", [&](std::size_t i) { return of(alias, names_[i]); });
}

std::string RunKey::same(std::string_view alias, std::string_view other) const {
  return joined(names_.size(), " AND ", [&](std::size_t i) {
    return fmt::format("{} = {}", of(alias, names_[i]), of(other, names_[i]));
  });
}

std::string RunKey::not_null(std::string_view alias) const {
  return joined(names_.size(), " AND ", [&](std::size_t i) { return of(alias, names_[i]) + " IS NOT NULL"; });
}

std::string RunKey::part(std::string_view key, std::size_t index) const {
  if (!scoped()) return fmt::format("{}::{}", key, types_[0]);
  const auto value = [&](std::size_t i) { return fmt::format("split_part({}::text, '/', {})", key, i + 1); };
  const auto scope = names_.size() - 1;
  if (index < scope) {
    return fmt::format("replace(replace({}, '%2F', '/'), '%25', '%')::{}", value(index), types_[index]);
  }
  return fmt::format("substr({}::text, {} + {})::{}", key,
                     joined(scope, " + ", [&](std::size_t i) { return fmt::format("length({})", value(i)); }),
                     scope + 1, types_[scope]);
}

std::string RunKey::compare(std::string_view alias, std::string_view op, std::string_view key) const {
  if (op == "=") {
    return joined(names_.size(), " AND ",
                  [&](std::size_t i) { return fmt::format("{} = {}", of(alias, names_[i]), part(key, i)); });
  }
  if (!scoped()) return fmt::format("{} {} {}", of(alias, names_[0]), op, part(key, 0));
  return fmt::format("({}) {} ({})", columns(alias), op,
                     joined(names_.size(), ", ", [&](std::size_t i) { return part(key, i); }));
}

std::string RunKey::is_one_of(std::string_view alias, std::string_view keys) const {
  if (!scoped()) return fmt::format("{} = ANY ({}::{}[])", of(alias, names_[0]), keys, types_[0]);
  return fmt::format("({}) IN ({})", columns(alias), taken_apart(keys));
}

std::string RunKey::named_runs() const {
  return fmt::format("(SELECT pg_catalog.current_setting('{}')::{}[])", kRunsSetting,
                     scoped() ? "text" : types_[0]);
}

std::string RunKey::taken_apart(std::string_view keys) const {
  if (!scoped()) return fmt::format("SELECT unnest({}::{}[]) AS {}", keys, types_[0], names_[0]);
  // OFFSET keeps each key from being taken apart once for each column that is compared.
  return fmt::format(
      "SELECT {} FROM unnest({}::text[]) AS k(key) OFFSET 0",
      joined(names_.size(), ", ",
             [&](std::size_t i) { return fmt::format("{} AS {}", part("k.key", i), names_[i]); }),
      keys);
}

}  // namespace dupwatch::postgres
