#include "daemon/web/acknowledge_request.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "daemon/core/finding_filter.hpp"

namespace dupwatch::web {
namespace {

using core::Acknowledgement;

constexpr std::string_view kPrefix = "/api/findings/";
constexpr std::string_view kSet = "/acknowledge";
constexpr std::string_view kTakeBack = "/unacknowledge";
constexpr std::string_view kForm =
    R"(expected {"comment":"why","until":"8h"} as application/json, and "by":"your name" where you like)";

[[nodiscard]] bool is_json(std::string_view content_type) {
  // A form of a foreign page can't say this type without being asked first.
  return content_type == "application/json" || content_type.starts_with("application/json;");
}

[[nodiscard]] bool is_blank(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; });
}

/// "ops (alice)": the user has shown a password, the name is what the client says.
[[nodiscard]] std::string name_of(std::string_view user, std::string_view said) {
  if (user.empty()) return std::string{said.empty() ? "unknown" : said};
  if (said.empty() || said == user) return std::string{user};
  return fmt::format("{} ({})", user, said);
}

/// The texts that are wanted, each once; what is wrong, empty = nothing.
struct Texts {
  std::optional<std::string_view> comment;
  std::optional<std::string_view> until;
  std::optional<std::string_view> by;

  [[nodiscard]] std::string read(const simdjson::dom::object& object) {
    for (const auto& [key, value] : object) {
      std::optional<std::string_view>* text = nullptr;
      if (key == "comment") text = &comment;
      if (key == "until") text = &until;
      if (key == "by") text = &by;
      std::string_view read;
      if (text == nullptr || *text || value.get(read) != simdjson::SUCCESS) return std::string{kForm};
      *text = read;
    }
    return {};
  }
};

}  // namespace

bool is_acknowledge_path(std::string_view path) noexcept {
  return path.starts_with(kPrefix) && (path.ends_with(kSet) || path.ends_with(kTakeBack));
}

std::variant<AcknowledgeRequest, std::string> parse_acknowledge(std::string_view path,
                                                                const RequestHead& head,
                                                                std::string_view user,
                                                                decoder::Timestamp now) {
  const bool take_back = path.ends_with(kTakeBack);
  path.remove_prefix(kPrefix.size());
  path.remove_suffix((take_back ? kTakeBack : kSet).size());
  const auto id = core::parse_finding_id(path);
  if (!id) return "a finding id has 16 hexadecimal digits";
  if (take_back) return AcknowledgeRequest{.finding_id = *id, .acknowledgement = {}};
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (!is_json(head.content_type) || parser.parse(head.body).get(object) != simdjson::SUCCESS) {
    return std::string{kForm};
  }
  Texts texts;
  if (auto wrong = texts.read(object); !wrong.empty()) return wrong;
  if (!texts.comment || is_blank(*texts.comment)) return "comment: say why, for those who come after you";
  if (texts.comment->size() > Acknowledgement::kCommentBytesMax) {
    return fmt::format("comment: at most {} bytes", Acknowledgement::kCommentBytesMax);
  }
  auto by = name_of(user, texts.by.value_or(""));
  if (by.size() > Acknowledgement::kByBytesMax) {
    return fmt::format("by: at most {} bytes with the user", Acknowledgement::kByBytesMax);
  }
  const auto until = core::parse_until(texts.until.value_or(""), now);
  if (!until) {
    return fmt::format(
        "until: expected a time to come such as 2026-11-24T05:21:38Z, or how long, such as 90m, 8h or 7d; at "
        "most {} days",
        Acknowledgement::kDaysMax);
  }
  return AcknowledgeRequest{
      .finding_id = *id,
      .acknowledgement = Acknowledgement{
          .by = std::move(by), .comment = std::string{*texts.comment}, .at = now, .until = *until}};
}

}  // namespace dupwatch::web
