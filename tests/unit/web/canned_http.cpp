#include "canned_http.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

namespace dupwatch::web {
namespace {

/// The value of a header with this name (with colon and blank), 0 when there is none.
std::size_t number_of(const std::string& head, const std::string& name) {
  const auto at = head.find("\r\n" + name);
  return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + 2 + name.size(), nullptr, 10);
}

}  // namespace

CannedHttp::CannedHttp(Handler handler)
    : handler_(std::move(handler)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, any, size) != 0 || listen(listener_, 16) != 0 ||
      getsockname(listener_, any, &size) != 0)
    std::abort();
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

CannedHttp::~CannedHttp() {
  (void)shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

std::string CannedHttp::url() const {
  return "http://127.0.0.1:" + std::to_string(port_);
}

std::vector<CannedHttp::Request> CannedHttp::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void CannedHttp::serve() {
  for (;;) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    answer(client);
    close(client);
  }
}

void CannedHttp::answer(int client) {
  Request request;
  std::array<char, 4096> piece{};
  std::string text;
  for (auto end = std::string::npos;;) {
    const auto count = recv(client, piece.data(), piece.size(), 0);
    if (count <= 0) return;
    text.append(piece.data(), static_cast<std::size_t>(count));
    if (end == std::string::npos) end = text.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    request.head = text.substr(0, end + 2);
    request.body = text.substr(end + 4);
    if (request.body.size() >= number_of(request.head, "Content-Length: ")) break;
  }
  request.line = request.head.substr(0, request.head.find(" HTTP/"));
  const auto given = handler_(request);
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
  }
  const auto whole = "HTTP/1.1 " + std::to_string(given.status) +
                     " Said\r\nContent-Length: " + std::to_string(given.body.size()) +
                     "\r\nConnection: close\r\n" + given.head + "\r\n" + given.body;
  for (std::size_t sent = 0; sent < whole.size();) {
    const auto count = send(client, whole.data() + sent, whole.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

}  // namespace dupwatch::web
