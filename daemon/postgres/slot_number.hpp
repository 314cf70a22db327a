#pragma once

#include <string>
#include <string_view>

namespace dupwatch::postgres {

/// core::slot_of in SQL: true of a text that is the engine's slot number. The one form that queries use.
[[nodiscard]] std::string is_slot_number(std::string_view text);

}  // namespace dupwatch::postgres
