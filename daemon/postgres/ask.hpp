#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/postgres/catalog.hpp"

/// Short questions to the server, for this folder's own use.
namespace dupwatch::postgres {

[[nodiscard]] Expected<Result> ask(Connection& sql, const std::string& query,
                                   const Connection::Params& params, Waiter& waiter);
/// First cell of the first row; false without a row and for NULL.
[[nodiscard]] Expected<bool> ask_bool(Connection& sql, const std::string& query,
                                      const Connection::Params& params, Waiter& waiter);
/// 0 for NULL and for what is no number.
[[nodiscard]] std::int64_t to_int64(std::optional<std::string_view> text);

}  // namespace dupwatch::postgres
