#pragma once

#include <optional>
#include <string_view>

#include "daemon/core/rule.hpp"

namespace dupwatch::core {

/// The shape of a finding in a record of 0.1.0, which gives it by its sentence alone; nullopt: 0.1.0 had no
/// such sentence. Of a generic table kAfterClose stands for kFirstAfterClose as well.
[[nodiscard]] std::optional<Shape> shape_in_first_record(Rule rule, std::string_view why) noexcept;

}  // namespace dupwatch::core
