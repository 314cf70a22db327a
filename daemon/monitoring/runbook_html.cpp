#include "daemon/monitoring/runbook_html.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/core/text.hpp"

namespace dupwatch::monitoring {
namespace {

using core::append_html;

constexpr std::string_view kPageEnding = ".md";

/// "[text](target)" at the beginning of `text`: its two parts, and how long it is.
struct FoundLink {
  std::string_view text;
  std::string_view target;
  std::size_t size;
};
std::optional<FoundLink> link_in(std::string_view text) {
  const auto middle = text.find("](");
  const auto end = middle == std::string_view::npos ? middle : text.find(')', middle);
  if (end == std::string_view::npos) return std::nullopt;
  return FoundLink{.text = text.substr(1, middle - 1),
                   .target = text.substr(middle + 2, end - middle - 2),
                   .size = end + 1};
}

void append_inline(std::string& out, std::string_view text);

void append_link(std::string& out, const FoundLink& link) {
  const auto target = link.target.substr(0, link.target.find('#'));
  const bool web = target.starts_with("https://");
  const bool runbook = target.ends_with(kPageEnding) && target.find('/') == std::string_view::npos;
  if (!web && !runbook) return append_inline(out, link.text);
  out += "<a href=\"";
  append_html(out, web ? target : target.substr(0, target.size() - kPageEnding.size()));
  out += "\">";
  append_inline(out, link.text);
  out += "</a>";
}

void append_inline(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto at = text.find_first_of("`[");
    append_html(out, text.substr(0, at));
    if (at == std::string_view::npos) return;
    text.remove_prefix(at);
    const auto end = text.find('`', 1);
    if (text.front() == '`' && end != std::string_view::npos) {
      out += "<code>";
      append_html(out, text.substr(1, end - 1));
      out += "</code>";
      text.remove_prefix(end + 1);
    } else if (const auto link = text.front() == '[' ? link_in(text) : std::nullopt) {
      append_link(out, *link);
      text.remove_prefix(link->size);
    } else {
      append_html(out, text.substr(0, 1));
      text.remove_prefix(1);
    }
  }
}

/// The text behind "- " or "1. "; nullopt: the line begins no item. `ordered` says which.
std::optional<std::string_view> item_in(std::string_view line, bool& ordered) {
  if (line.starts_with("- ")) {
    ordered = false;
    return line.substr(2);
  }
  const auto digits = line.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos || !line.substr(digits).starts_with(". "))
    return std::nullopt;
  ordered = true;
  return line.substr(digits + 2);
}

class Writer {
 public:
  void take(std::string_view line) {
    if (code_) return take_code(line);
    if (line.starts_with("```")) {
      close();
      code_ = true;
      out_ += "<pre tabindex=\"0\"><code>";
      return;
    }
    if (line.empty()) return close();
    if (line.starts_with('#')) return heading(line);
    if (line.starts_with('|')) return row(line);
    bool ordered = false;
    if (const auto item = item_in(line, ordered)) {
      begin(ordered ? Block::kOrdered : Block::kList, ordered ? line.substr(0, line.find('.')) : "");
      end_item();
      out_ += "<li>";
      item_open_ = true;
      text_ = *item;
      return;
    }
    const auto first = std::min(line.find_first_not_of(' '), line.size());
    const bool goes_on = block_ == Block::kParagraph || item_open_;
    if (!goes_on) begin(Block::kParagraph);
    if (goes_on) text_ += '\n';
    text_ += line.substr(first);
  }
  [[nodiscard]] std::string finish() {
    close();
    return std::move(out_);
  }

 private:
  enum class Block : std::uint8_t { kNone, kParagraph, kList, kOrdered, kTable };

  static std::string_view name_of(Block block) noexcept {
    switch (block) {
      case Block::kNone:
        break;
      case Block::kParagraph:
        return "p";
      case Block::kList:
        return "ul";
      case Block::kOrdered:
        return "ol";
      case Block::kTable:
        return "table";
    }
    return {};
  }
  void take_code(std::string_view line) {
    if (line.starts_with("```")) {
      code_ = false;
      out_ += "</code></pre>\n";
      return;
    }
    append_html(out_, line);
    out_ += '\n';
  }
  void heading(std::string_view line) {
    close();
    const auto depth = std::min<std::size_t>(line.find_first_not_of('#'), 6);
    const auto tag = std::string("h") + static_cast<char>('0' + depth);
    out_ += "<" + tag + ">";
    append_inline(out_, line.substr(std::min(depth + 1, line.size())));
    out_ += "</" + tag + ">\n";
  }
  void row(std::string_view line) {
    // The line between head and body.
    if (line.starts_with("|---") || line.starts_with("|:--")) return;
    const bool head = block_ != Block::kTable;
    begin(Block::kTable);
    const std::string tag = head ? "th" : "td";
    out_ += "<tr>";
    line = line.substr(1, line.ends_with('|') ? line.size() - 2 : line.size() - 1);
    while (true) {
      const auto end = std::min(line.find('|'), line.size());
      auto cell = line.substr(0, end);
      while (cell.starts_with(' ')) cell.remove_prefix(1);
      while (cell.ends_with(' ')) cell.remove_suffix(1);
      out_ += "<" + tag + (head ? " scope=\"col\">" : ">");
      append_inline(out_, cell);
      out_ += "</" + tag + ">";
      if (end == line.size()) break;
      line.remove_prefix(end + 1);
    }
    out_ += "</tr>\n";
  }
  /// `number`: of the first item of a list that has them.
  void begin(Block block, std::string_view number = {}) {
    if (block_ == block) return;
    close();
    block_ = block;
    out_ += "<";
    out_ += name_of(block);
    // Another block stood between this item and the one before.
    if (!number.empty() && number != "1") out_.append(" start=\"").append(number).append("\"");
    out_ += ">";
  }
  /// Of a paragraph or an item: a link or a piece of code may go over the end of a line.
  void flush() {
    append_inline(out_, text_);
    text_.clear();
  }
  void end_item() {
    flush();
    if (std::exchange(item_open_, false)) out_ += "</li>\n";
  }
  void close() {
    end_item();
    if (block_ == Block::kNone) return;
    out_ += "</";
    out_ += name_of(std::exchange(block_, Block::kNone));
    out_ += ">\n";
  }

  std::string out_;
  std::string text_;
  Block block_ = Block::kNone;
  bool item_open_ = false;
  bool code_ = false;
};

}  // namespace

std::string html_of(std::string_view markdown) {
  Writer writer;
  while (!markdown.empty()) {
    const auto end = std::min(markdown.find('\n'), markdown.size());
    writer.take(markdown.substr(0, end));
    markdown.remove_prefix(std::min(end + 1, markdown.size()));
  }
  return writer.finish();
}

}  // namespace dupwatch::monitoring
