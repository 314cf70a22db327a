#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/core/finding_filter.hpp"
#include "daemon/web/status_store.hpp"

namespace dupwatch::web {

/// What a client asks of /api/findings or /api/runs/ID.
struct FindingsQuery {
  core::FindingFilter filter;
  std::size_t limit = 0;
  std::optional<StatusStore::Cursor> cursor;
};

/// The query of a request target in its parts; a sentence for the client when something in it is wrong or
/// unknown. `limit` is from 1 to `limit_max`. A cursor of another `origin`, as after a restart of the daemon,
/// is wrong too. Pure.
[[nodiscard]] std::variant<FindingsQuery, std::string> parse_findings_query(std::string_view query,
                                                                            std::size_t limit_max,
                                                                            std::string_view origin);

/// As parse_findings_query() reads it.
[[nodiscard]] std::string cursor_text(const StatusStore::Cursor& cursor, std::string_view origin);

}  // namespace dupwatch::web
