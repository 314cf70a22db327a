#include "daemon/config/document.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include "daemon/config/values.hpp"
#include "daemon/core/text.hpp"

namespace dupwatch::config {

void Problems::add(Place place, std::string key, std::string found, std::string expected,
                   std::string remedy) {
  if (list_.size() == kShownMax) {
    ++left_out_;
    return;
  }
  list_.push_back(ConfigProblem{.file = file_,
                                .line = place.line,
                                .column = place.column,
                                .key = std::move(key),
                                .found = std::move(found),
                                .expected = std::move(expected),
                                .remedy = std::move(remedy)});
}

std::vector<ConfigProblem> Problems::take() && {
  std::ranges::stable_sort(list_, {}, [](const ConfigProblem& p) { return std::pair{p.line, p.column}; });
  if (left_out_ > 0) {
    auto& rest = list_.emplace_back();
    rest.file = file_;
    rest.found = fmt::format("{} more problems", left_out_);
    rest.remedy = "correct the ones above first";
  }
  return std::move(list_);
}

namespace {

// The deepest legal value is an item of table.closing: document, table, closing, list.
constexpr std::size_t kDepthMax = 8;
// All keys together are about 40; a list of 64 types and their closings stays below 500.
constexpr std::size_t kNodesMax = 2000;

/// Thrown through yaml-cpp to stop it; the reason is in the problems already. Never leaves this file.
struct Stop {};

[[nodiscard]] Place place_of(const YAML::Mark& mark) noexcept {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

/// Builds the tree from the parser's events. YAML::Node is not used: it keeps one of two equal keys silently,
/// and follows aliases.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Problems& problems) : problems_(problems) {}
  [[nodiscard]] ConfigNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) stop(mark, "a second document", "one document per file", "remove the line ---");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(leaf(mark, "?", anchor)); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { refuse_alias(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    auto node = leaf(mark, tag, anchor);
    node.kind = ConfigNode::Kind::kScalar;
    node.text = value;
    node.quoted = tag == "!";
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(leaf(mark, tag, anchor), ConfigNode::Kind::kList, mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(leaf(mark, tag, anchor), ConfigNode::Kind::kMap, mark);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    ConfigNode node;
    /// Dotted key of this map or list.
    std::string path;
    /// Of a map: the key whose value comes next.
    std::optional<ConfigNode> key;
  };

  [[noreturn]] void stop(const YAML::Mark& mark, std::string found, std::string expected,
                         std::string remedy) {
    problems_.add(place_of(mark), "", std::move(found), std::move(expected), std::move(remedy));
    throw Stop{};
  }
  [[noreturn]] void refuse_alias(const YAML::Mark& mark) {
    stop(mark, "an anchor or alias (& or *)", "plain values", "write the value out, or quote it");
  }

  /// Checks what all nodes have in common. Quoted scalars carry the tag "!", plain ones "?", lists and maps
  /// "?".
  [[nodiscard]] ConfigNode leaf(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) refuse_alias(mark);
    if (!tag.empty() && tag != "?" && tag != "!") {
      stop(mark, "a YAML tag (!...)", "plain values", "quote the value if the ! belongs to it");
    }
    if (++nodes_ > kNodesMax) {
      stop(mark, fmt::format("more than {} values", kNodesMax), "a configuration file",
           "is this the right file?");
    }
    ConfigNode node;
    node.place = place_of(mark);
    return node;
  }

  void open(ConfigNode node, ConfigNode::Kind kind, const YAML::Mark& mark) {
    if (!open_.empty() && open_.back().node.kind == ConfigNode::Kind::kMap && !open_.back().key) {
      stop(mark, "a list or map as a key", "a name", "quote the key");
    }
    if (open_.size() == kDepthMax) {
      stop(mark, fmt::format("more than {} levels", kDepthMax), "a configuration file",
           "is this the right file?");
    }
    node.kind = kind;
    std::string path = open_.empty() ? std::string{} : child_path(open_.back());
    open_.push_back(Frame{std::move(node), std::move(path), std::nullopt});
  }

  void close() {
    auto node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  [[nodiscard]] static std::string child_path(const Frame& frame) {
    if (!frame.key) return frame.path;
    return frame.path.empty() ? frame.key->text : frame.path + "." + frame.key->text;
  }

  void add(ConfigNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    auto& parent = open_.back();
    if (parent.node.kind == ConfigNode::Kind::kMap) {
      if (!parent.key) {
        parent.key = std::move(node);
        return;
      }
      node.key = parent.key->text;
      node.key_place = parent.key->place;
      const auto first = std::ranges::find(parent.node.items, node.key, &ConfigNode::key);
      if (first != parent.node.items.end()) {
        problems_.add(node.key_place, printable(child_path(parent)), "the key a second time", "each key once",
                      fmt::format("it stands on line {} already", first->key_place.line));
        parent.key.reset();
        return;
      }
      parent.key.reset();
    }
    parent.node.items.push_back(std::move(node));
  }

  [[nodiscard]] static std::string printable(const std::string& path) {
    const auto text = in_quotes(path);
    return text.substr(1, text.size() - 2);
  }

  Problems& problems_;
  std::vector<Frame> open_;
  ConfigNode root_;
  std::size_t nodes_ = 0;
  std::size_t documents_ = 0;
};

/// yaml-cpp replaces what is not UTF-8 and takes byte 4 for the end of the file: both would drop settings
/// silently.
[[nodiscard]] bool is_text(std::string_view text, Problems& problems) {
  Place place{1, 1};
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '%' && place.column == 1) {
      problems.add(place, "", "a YAML directive (%...)", "plain values", "remove the line");
      return false;
    }
    const bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
    const auto length = control ? 0 : core::utf8_length(text.substr(i));
    if (length == 0) {
      problems.add(place, "", fmt::format("byte 0x{:02x}", c), "UTF-8 text without control characters");
      return false;
    }
    place = c == '\n' ? Place{place.line + 1, 1} : Place{place.line, place.column + 1};
    i += length;
  }
  return true;
}

}  // namespace

ConfigNode read_document(std::string_view text, Problems& problems) {
  if (text.size() > kConfigBytesMax) {
    problems.add({}, "", "more than 1 MiB", "a configuration file", "is this the right file?");
    return {};
  }
  if (!is_text(text, problems)) return {};
  TreeBuilder builder{problems};
  try {
    std::istringstream input{std::string{text}};
    YAML::Parser parser{input};
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop&) {
    return {};
  } catch (const YAML::Exception& error) {
    // Only the part before a colon: after it yaml-cpp may quote the file, and that may be a password.
    const std::string& message = error.msg;
    problems.add(place_of(error.mark), "", "a YAML error: " + message.substr(0, message.find(": ")),
                 "valid YAML", "indent with spaces, and quote values that hold : # { [ & * ! | > % @");
    return {};
  }
  return builder.take_root();
}

}  // namespace dupwatch::config
