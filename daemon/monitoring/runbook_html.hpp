#pragma once

#include <string>
#include <string_view>

namespace dupwatch::monitoring {

/// A page of ours in Markdown as a fragment of HTML, with all of its text escaped. It knows what our runbooks
/// use: headings, paragraphs, lists of one level, tables, blocks of code, `code` and links. A link to another
/// runbook leads to its page beside this one; one to anything else of the source tree is its text alone.
[[nodiscard]] std::string html_of(std::string_view markdown);

}  // namespace dupwatch::monitoring
