#pragma once

#include <string>
#include <string_view>

namespace dupwatch::web {

/// What to do when the alert fires, as a page for /runbooks/ALERT; empty = there is no such alert. Its links
/// are relative, so that it is right under any path of a proxy.
[[nodiscard]] std::string runbook_page(std::string_view alert);

/// The page /runbooks/, which lists them.
[[nodiscard]] std::string runbook_list();

}  // namespace dupwatch::web
