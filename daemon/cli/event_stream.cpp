#include "daemon/cli/event_stream.hpp"

#include <utility>

namespace dupwatch::cli {

std::vector<EventStream::Event> EventStream::take(std::string_view bytes) {
  std::vector<Event> out;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto part = bytes.substr(0, end);
    if (line_.size() + part.size() > kEventBytesMax) {
      too_long_ = true;
      line_.clear();
    } else {
      line_ += part;
    }
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    take_line(line_, out);
    line_.clear();
  }
  return out;
}

void EventStream::take_line(std::string_view line, std::vector<Event>& out) {
  if (line.empty()) {
    if (!id_.empty()) last_id_ = std::exchange(id_, {});
    auto event = std::exchange(event_, {});
    if (!event.name.empty() && !std::exchange(too_long_, false)) out.push_back(std::move(event));
    return;
  }
  const auto colon = line.find(':');
  const auto name = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") event_.name = value;
  if (name == "data") {
    if (!event_.data.empty()) event_.data += '\n';
    event_.data += value;
  }
  if (name == "id") id_ = value;
}

void EventStream::restart() {
  line_.clear();
  event_ = {};
  id_.clear();
  too_long_ = false;
}

}  // namespace dupwatch::cli
