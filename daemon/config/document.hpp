#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/config_file.hpp"

/// YAML text -> a plain tree with places. The only file pair that knows yaml-cpp.
namespace dupwatch::config {

/// 1-based; 0 = no place.
struct Place {
  int line = 0;
  int column = 0;
};

struct ConfigNode {
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  Place place;
  /// kScalar: the text, quotes and escapes resolved.
  std::string text;
  /// kScalar: it stands in quotes.
  bool quoted = false;
  /// kList: the items; kMap: the values, each with its key.
  std::vector<ConfigNode> items;
  std::string key;
  Place key_place;
};

/// Collects problems of one file; bounded, so that a hostile file can't make a report of any size.
class Problems {
 public:
  explicit Problems(std::string_view file) : file_(file) {}
  void add(Place place, std::string key, std::string found, std::string expected, std::string remedy = {});
  [[nodiscard]] bool empty() const noexcept { return list_.empty(); }
  /// In the order of the file.
  [[nodiscard]] std::vector<ConfigProblem> take() &&;

 private:
  static constexpr std::size_t kShownMax = 100;
  std::string file_;
  std::vector<ConfigProblem> list_;
  std::size_t left_out_ = 0;
};

/// The root node; kNull for an empty document. What can't be read (syntax, aliases, tags, a second document,
/// too deep, too many values, bytes that are not text) ends the reading and is added to `problems`; of a key
/// given twice the first is kept.
[[nodiscard]] ConfigNode read_document(std::string_view text, Problems& problems);

}  // namespace dupwatch::config
