#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/change.hpp"

/// The one text by which a run is known everywhere: the values of the profile's scope columns and of its run
/// column, with "/" between them. In a scope value "%" is written %25 and "/" %2F, so that two keys are equal
/// if and only if all their values are; the run itself is written as it is. Without scope columns the key is
/// the run. postgres/run_key.hpp says the same in SQL.
namespace dupwatch::core {

/// `out` is replaced. All of `scope` are texts: a row with a NULL among them is of no run.
void write_run_key(std::string& out, std::span<const decoder::Value> scope, std::string_view run);
/// The values, the run last; nullopt: no key with so many scope columns.
[[nodiscard]] std::optional<std::vector<std::string>> split_run_key(std::string_view key,
                                                                    std::size_t scope_columns);

}  // namespace dupwatch::core
