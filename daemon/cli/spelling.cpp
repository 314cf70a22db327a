#include "daemon/cli/spelling.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

#include "daemon/core/text.hpp"

namespace dupwatch::cli {
namespace {

constexpr std::size_t kDistanceMax = 2;
constexpr std::size_t kPrintedMax = 60;

/// Letters to insert, remove, replace or swap with the next.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view word, const std::vector<std::string>& names) {
  if (word.size() > kPrintedMax) return std::nullopt;
  std::optional<std::string> nearest;
  auto least = std::numeric_limits<std::size_t>::max();
  for (const auto& name : names) {
    const auto far = distance(word, name);
    if (far > kDistanceMax || far * 2 >= std::max(word.size(), name.size()) || far >= least) continue;
    least = far;
    nearest = name;
  }
  return nearest;
}

std::string printable(std::string_view word) {
  auto out = core::visible(word.substr(0, kPrintedMax));
  if (word.size() > kPrintedMax) out += "...";
  return out;
}

}  // namespace dupwatch::cli
