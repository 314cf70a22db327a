#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/core/finding.hpp"

namespace dupwatch::cli {

enum class OutputFormat : std::uint8_t { kText, kJson, kCsv };

/// Findings on stdout as they are made, then their counts. In JSON every line is one object, the last the
/// summary.
class FindingWriter {
 public:
  /// `config_option` stands in the commands that are offered; see Invocation.
  explicit FindingWriter(OutputFormat format, std::string config_option = {});

  void write(const core::Finding& finding);
  struct Summary {
    std::uint64_t rows = 0;
    std::uint64_t runs = 0;
    bool complete = false;
    /// Where to go on, empty when complete.
    std::string next_after;
  };
  void finish(const Summary& summary);
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }

 private:
  OutputFormat format_;
  std::string config_option_;
  bool colours_;
  std::uint64_t written_ = 0;
  bool by_hand_ = false;
  std::array<std::array<std::uint64_t, core::kSeverities>, core::kRules> counts_{};
};

/// The terminal's code for a severity, empty when not `colours`.
[[nodiscard]] std::string_view colour_of(core::Severity severity, bool colours) noexcept;
[[nodiscard]] std::string_view colour_end(bool colours) noexcept;

/// Columns of a screen that UTF-8 text without control characters takes, one for each character.
[[nodiscard]] std::size_t screen_columns(std::string_view text) noexcept;
/// With blanks behind it, so that it takes `width` columns.
[[nodiscard]] std::string padded(std::string text, std::size_t width);
/// The values of the identity columns in one line, not made safe for a screen.
[[nodiscard]] std::string identity_text(const core::Finding& finding);
/// What fix_command() names, with words in the place of ids, and `ids` those that quarantine is to have.
[[nodiscard]] std::string fix_form(bool by_hand, std::string_view config_option, std::string_view ids);
/// With the newline.
[[nodiscard]] std::string_view csv_header() noexcept;
[[nodiscard]] std::string csv_line(const core::Finding& finding);
/// A field of a CSV line, quoted where it must be (RFC 4180). A field that a spreadsheet would take for a
/// formula gets a leading apostrophe.
[[nodiscard]] std::string csv_field(std::string_view text);

}  // namespace dupwatch::cli
