#pragma once

#include <utility>  // before Boost 1.74, which forgets it

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/web/connection.hpp"
#include "daemon/web/eviction.hpp"

namespace dupwatch::web {

/// Lets clients in and holds their connections, within bounds. Of the server's thread, but for the counters.
class Listener {
 public:
  struct Callbacks {
    /// Of each connection.
    Connection::Callbacks connection;
    /// What a new connection speaks; nullptr = plain HTTP.
    std::function<std::shared_ptr<TlsContext>()> tls;
    std::function<void()> no_descriptors;
  };

  Listener(boost::asio::io_context& io, Callbacks callbacks);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() = default;

  /// Before the server's thread runs. The system's words when it can't; empty when it listens.
  [[nodiscard]] std::string open(const std::string& host, std::uint16_t port);
  void start() { accept(); }
  /// Nobody is let in any more; who has not asked, or reads events, is sent away.
  void stop();

  /// Sends the readers of /api/events away.
  void close_streams();
  /// There is something new for the readers of /api/events.
  void pump_streams();
  [[nodiscard]] bool has_room_for_stream() const;
  [[nodiscard]] bool empty() const noexcept { return connections_.empty(); }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// Sent away to make room for others.
  [[nodiscard]] std::uint64_t evicted_total() const noexcept { return evicted_; }
  [[nodiscard]] std::uint64_t connections() const noexcept { return count_; }

 private:
  void accept();
  void on_accepted(const boost::system::error_code& error, boost::asio::ip::tcp::socket socket);
  void admit(boost::asio::ip::tcp::socket socket);
  [[nodiscard]] bool make_room_for(Peer peer, std::chrono::milliseconds age_min);
  void remove(Connection& connection);
  void for_each_stream(void (Connection::*what)());

  const Callbacks callbacks_;
  const Connection::Callbacks of_connections_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  ConnectionLimits limits_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  PeerCounts peers_;
  std::uint16_t port_ = 0;
  std::atomic<std::uint64_t> evicted_ = 0;
  std::atomic<std::uint64_t> count_ = 0;
};

}  // namespace dupwatch::web
