#pragma once

#include <string>

#include "daemon/web/status_store.hpp"
#include "daemon/web/verdict.hpp"

/// The page at /. Without its script it shows the verdict and the findings as of loading.
namespace dupwatch::web {

/// HTML with everything from the database escaped.
[[nodiscard]] std::string render_page(const StatusStore& store, const Verdict& verdict);

}  // namespace dupwatch::web
