#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace dupwatch::web {

/// A server on a loopback port that answers as it is told, for those who ask one. A thread of its own; one
/// request at a time, each on a connection that is closed after it.
class CannedHttp {
 public:
  struct Request {
    /// "GET /api/findings?limit=1".
    std::string line;
    /// The head as it came, with its first line.
    std::string head;
    std::string body;
  };
  struct Answer {
    int status = 200;
    std::string body{};
    /// Further lines of the head, each with its "\r\n".
    std::string head{};
  };
  using Handler = std::function<Answer(const Request&)>;

  explicit CannedHttp(Handler handler);
  ~CannedHttp();
  CannedHttp(const CannedHttp&) = delete;
  CannedHttp& operator=(const CannedHttp&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// http://127.0.0.1:PORT.
  [[nodiscard]] std::string url() const;
  /// What it was asked so far.
  [[nodiscard]] std::vector<Request> requests() const;

 private:
  void serve();
  void answer(int client);

  Handler handler_;
  int listener_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;  // guarded by mutex_
  std::thread thread_;             // last: it uses all of the above
};

}  // namespace dupwatch::web
