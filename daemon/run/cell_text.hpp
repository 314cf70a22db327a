#pragma once

#include <string>
#include <string_view>

#include "daemon/postgres/connection.hpp"

namespace dupwatch::run {

/// A value of an answer; "" for NULL.
[[nodiscard]] inline std::string cell_text(const pg_result& result, int row, int column) {
  return std::string(postgres::cell(result, row, column).value_or(std::string_view{}));
}

}  // namespace dupwatch::run
