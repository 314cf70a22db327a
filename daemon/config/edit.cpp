#include "daemon/config/edit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "daemon/config/document.hpp"
#include "daemon/config/keys.hpp"

namespace dupwatch::config {
namespace {

constexpr std::string_view kByHand = "write it into the file with an editor";
constexpr std::size_t kIndent = 2;

using Lines = std::vector<std::string>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::string text_of(const Lines& lines) {
  std::string text;
  for (const auto& line : lines) text += line + '\n';
  return text;
}

std::vector<std::string> parts_of(std::string_view key) {
  std::vector<std::string> parts;
  for (;;) {
    const auto dot = key.find('.');
    parts.emplace_back(key.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    key.remove_prefix(dot + 1);
  }
}

/// Text that YAML reads as itself without quotes, whatever stands around it.
bool plain(std::string_view value) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./%";
  return !value.empty() && value != "null" && value != "Null" && value != "NULL" &&
         std::ranges::all_of(value, [&](char c) { return kPlain.find(c) != std::string_view::npos; });
}

std::string in_double_quotes(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// How the value may be written; the first that the parser takes for this key is.
std::vector<std::string> forms_of(std::string_view value) {
  std::vector<std::string> forms;
  // Of an address like [::1]:9788 the quotes make text.
  if (value.starts_with('[') || value.starts_with('{')) forms.emplace_back(value);
  forms.push_back(plain(value) ? std::string(value) : in_double_quotes(value));
  return forms;
}

std::size_t indent_of(std::string_view line) {
  const auto first = line.find_first_not_of(' ');
  return first == std::string_view::npos ? line.size() : first;
}

/// Blank, or a comment and no more.
bool is_blank(std::string_view line) {
  const auto indent = indent_of(line);
  return indent == line.size() || line[indent] == '#' || line[indent] == '\r';
}

/// Where the value that begins at `from` ends, on its line; npos: on a later one.
std::size_t end_of_value(std::string_view line, std::size_t from) {
  int depth = 0;
  char quote = '\0';
  for (auto at = from; at < line.size(); ++at) {
    const char c = line[at];
    if (quote != '\0') {
      if (c == '\\' && quote == '"') ++at;
      if (c == quote) quote = '\0';
      continue;
    }
    const bool begins = at == from || depth > 0;
    if (begins && (c == '"' || c == '\'')) quote = c;
    if (begins && (c == '[' || c == '{')) ++depth;
    if (depth > 0 && (c == ']' || c == '}')) --depth;
    if (c == '#' && at > from && line[at - 1] == ' ') {
      line = line.substr(0, at);
      break;
    }
  }
  if (depth > 0 || quote != '\0') return std::string_view::npos;
  return line.find_last_not_of(" \r") + 1;
}

const ConfigNode* child(const ConfigNode& node, std::string_view name) {
  if (node.kind != ConfigNode::Kind::kMap) return nullptr;
  const auto found = std::ranges::find(node.items, name, &ConfigNode::key);
  return found == node.items.end() ? nullptr : &*found;
}

std::size_t row_of(const ConfigNode& node) {
  return static_cast<std::size_t>(node.key_place.line) - 1;
}

/// The key stands alone at the begin of its line, and what is behind its colon is on that line.
bool set_at(Lines& lines, const ConfigNode& node, const std::string& form) {
  auto& line = lines[row_of(node)];
  const auto begin = static_cast<std::size_t>(node.key_place.column) - 1;
  if (indent_of(line) != begin) return false;
  const auto colon = line.find(':', begin + node.key.size());
  if (colon == std::string::npos) return false;
  const auto value = line.find_first_not_of(' ', colon + 1);
  if (value == std::string::npos || line[value] == '#' || line[value] == '\r') {
    if (node.kind != ConfigNode::Kind::kNull) return false;
    line.insert(colon + 1, " " + form);
    return true;
  }
  const auto end = end_of_value(line, value);
  if (end == std::string::npos) return false;
  line.replace(value, end - value, form);
  return true;
}

/// Where a key of this section may go, and how far it is indented.
struct Gap {
  std::size_t row = 0;
  std::size_t indent = 0;
};

/// Below the comment that names it where there is one, else below the head of the section.
std::optional<Gap> gap_for(const Lines& lines, const ConfigNode& section, const std::string& name) {
  std::size_t row = 0;
  Gap gap;
  if (section.key_place.line > 0) {
    row = row_of(section) + 1;
    const auto own = indent_of(lines[row - 1]);
    gap = {row, own + kIndent};
    if (section.kind == ConfigNode::Kind::kMap) {
      if (section.items.front().key_place.line == section.key_place.line) return std::nullopt;
      gap.indent = static_cast<std::size_t>(section.items.front().key_place.column) - 1;
    } else if (section.kind != ConfigNode::Kind::kNull) {
      return std::nullopt;
    }
  }
  const auto comment = std::string(gap.indent, ' ') + "# " + name + ':';
  for (; row < lines.size() && (is_blank(lines[row]) || indent_of(lines[row]) >= gap.indent); ++row) {
    if (lines[row].starts_with(comment)) return Gap{row + 1, gap.indent};
  }
  return gap;
}

bool set_in(Lines& lines, const ConfigNode& root, const std::vector<std::string>& parts,
            const std::string& form) {
  const auto* node = &root;
  std::size_t depth = 0;
  while (depth < parts.size()) {
    const auto* next = child(*node, parts[depth]);
    if (next == nullptr) break;
    node = next;
    ++depth;
  }
  if (depth == parts.size()) return set_at(lines, *node, form);
  // JSON in braces has no place for a line of its own.
  if (depth == 0 && !root.items.empty() && root.items.front().key_place.column != 1) return false;
  const auto found = gap_for(lines, *node, parts[depth]);
  if (!found) return false;
  auto gap = *found;
  const bool section = depth + 1 < parts.size();
  if (depth == 0 && (section || gap.row == 0)) {
    gap = {lines.size(), 0};
    if (!lines.empty()) lines.emplace_back();
    gap.row = lines.size();
  }
  for (; depth < parts.size(); ++depth, gap.indent += kIndent, ++gap.row) {
    const auto text = depth + 1 < parts.size() ? ":" : ": " + form;
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(gap.row),
                 std::string(gap.indent, ' ') + parts[depth] + text);
  }
  return true;
}

/// Every value of the tree by its path; a list or a map of its own too.
void flatten(const ConfigNode& node, const std::string& path, std::map<std::string, std::string>& out) {
  out[path] = fmt::format("{} {}", static_cast<int>(node.kind), node.text);
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const auto& item = node.items[i];
    flatten(item, path + '.' + (item.key.empty() ? std::to_string(i) : item.key), out);
  }
}

/// Nothing but this key, and the sections that it is in, differs.
bool only_changed(const ConfigNode& before, const ConfigNode& after, const std::string& key) {
  std::map<std::string, std::string> one;
  std::map<std::string, std::string> other;
  flatten(before, "", one);
  flatten(after, "", other);
  const auto own = '.' + key;
  const auto counts = [&](const auto& entry) {
    return entry.first == own || own.starts_with(entry.first + '.') || entry.first.starts_with(own + '.');
  };
  std::erase_if(one, counts);
  std::erase_if(other, counts);
  return one == other;
}

/// The key has this value; lines that followed the old one are no part of it.
bool has_value(const ConfigNode& root, const std::string& key, const std::string& value) {
  const auto* node = &root;
  for (const auto& part : parts_of(key)) {
    node = child(*node, part);
    if (node == nullptr) return false;
  }
  return node->kind != ConfigNode::Kind::kScalar || node->text == value;
}

bool is_about(const ConfigProblem& problem, const std::string& key) {
  return problem.key == key || problem.key.starts_with(key + '.') || problem.key.starts_with(key + '[');
}

class Editor {
 public:
  Editor(std::string_view file, const Environment& env, const FileReader& files)
      : file_(file), env_(env), files_(files) {}

  void set(std::string& text, const Setting& setting, Problems& problems) {
    const auto key = std::ranges::find(key_table(), std::string_view(setting.key), &KeySpec::path);
    if (key == key_table().end()) {
      problems.add({}, setting.key, "no such key", "a key of dupwatch.yaml(5)");
      return;
    }
    if (key->read == nullptr) {
      problems.add({}, setting.key, "a section", "one of its keys");
      return;
    }
    const auto before = read_document(text, problems);
    if (!problems.empty()) return;
    std::optional<std::string> changed;
    for (const auto& form : forms_of(setting.value)) {
      auto lines = lines_of(text);
      if (!set_in(lines, before, parts_of(setting.key), form)) continue;
      auto candidate = text_of(lines);
      Problems none{file_};
      const auto after = read_document(candidate, none);
      if (!none.empty() || !only_changed(before, after, setting.key) ||
          !has_value(after, setting.key, setting.value)) {
        continue;
      }
      changed = std::move(candidate);
      if (taken(*changed, setting.key)) break;
    }
    if (changed) {
      // What is wrong with the value is told with the whole text.
      text = *std::move(changed);
      return;
    }
    problems.add({}, setting.key, "a place that cannot be changed alone",
                 "key and value on one line of their own", std::string(kByHand));
  }

 private:
  [[nodiscard]] bool taken(const std::string& text, const std::string& key) const {
    const auto result = parse_config(text, file_, env_, files_);
    const auto* found = std::get_if<std::vector<ConfigProblem>>(&result);
    return found == nullptr ||
           std::ranges::none_of(*found, [&](const auto& problem) { return is_about(problem, key); });
  }

  std::string_view file_;
  const Environment& env_;
  const FileReader& files_;
};

}  // namespace

std::variant<std::string, std::vector<ConfigProblem>> set_values(std::string_view text,
                                                                 std::string_view file_name,
                                                                 std::span<const Setting> settings,
                                                                 const Environment& env,
                                                                 const FileReader& files) {
  Problems problems{file_name};
  std::string changed(text);
  for (const auto& setting : settings) Editor(file_name, env, files).set(changed, setting, problems);
  if (!problems.empty()) return std::move(problems).take();
  auto result = parse_config(changed, file_name, env, files);
  if (auto* found = std::get_if<std::vector<ConfigProblem>>(&result)) return std::move(*found);
  return changed;
}

}  // namespace dupwatch::config
