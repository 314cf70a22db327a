#include "daemon/postgres/slot_number.hpp"

#include <fmt/format.h>

namespace dupwatch::postgres {

std::string is_slot_number(std::string_view text) {
  return fmt::format("({} ~ '^evnt_0{{10}}[0-9]{{16}}$')", text);
}

}  // namespace dupwatch::postgres
