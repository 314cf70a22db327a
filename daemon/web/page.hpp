#pragma once

#include <string>
#include <string_view>

#include "daemon/web/status_board.hpp"
#include "daemon/web/verdict.hpp"

/// The page at / and its two companions. It works without the script, which only keeps it fresh.
namespace dupwatch::web {

/// HTML with everything from the database escaped.
[[nodiscard]] std::string render_page(const StatusBoard& board, const Verdict& verdict);

[[nodiscard]] std::string_view page_script() noexcept;
[[nodiscard]] std::string_view page_style() noexcept;

}  // namespace dupwatch::web
