#pragma once

#include <string_view>

/// The page's files as they are in daemon/web/, put into the program by embed.cmake.
namespace dupwatch::web {

[[nodiscard]] std::string_view page_html() noexcept;
[[nodiscard]] std::string_view acknowledge_js() noexcept;
[[nodiscard]] std::string_view app_js() noexcept;
[[nodiscard]] std::string_view finding_js() noexcept;
[[nodiscard]] std::string_view format_js() noexcept;
[[nodiscard]] std::string_view list_js() noexcept;
[[nodiscard]] std::string_view state_js() noexcept;
[[nodiscard]] std::string_view status_js() noexcept;
[[nodiscard]] std::string_view timeline_js() noexcept;
[[nodiscard]] std::string_view app_css() noexcept;
[[nodiscard]] std::string_view icon_svg() noexcept;

}  // namespace dupwatch::web
