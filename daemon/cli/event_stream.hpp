#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dupwatch::cli {

/// Reads server-sent events as they come in pieces. What has more than kEventBytesMax is left out. Pure.
class EventStream {
 public:
  static constexpr std::size_t kEventBytesMax = std::size_t{4} << 20U;
  struct Event {
    std::string name;
    std::string data;
  };

  /// The events that `bytes` complete.
  [[nodiscard]] std::vector<Event> take(std::string_view bytes);
  /// Of the last event that had one; for Last-Event-ID.
  [[nodiscard]] const std::string& last_id() const noexcept { return last_id_; }
  /// Another connection begins: what the last one left incomplete never comes.
  void restart();

 private:
  void take_line(std::string_view line, std::vector<Event>& out);

  std::string line_;
  Event event_;
  std::string id_;
  std::string last_id_;
  bool too_long_ = false;
};

}  // namespace dupwatch::cli
