#pragma once

#include <utility>  // before Boost 1.74, which forgets it

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include "daemon/web/tls_context.hpp"

namespace dupwatch::web {

/// An accepted socket, plain or with TLS. Of the server's thread. Whoever waits is called on that thread,
/// also after close(), and must keep this alive until then.
class Transport {
 public:
  using Done = std::function<void(const boost::system::error_code&, std::size_t)>;

  /// Without `tls` it is plain.
  Transport(boost::asio::ip::tcp::socket socket, std::shared_ptr<TlsContext> tls);
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  ~Transport() = default;

  /// Plain: `done` is called at once.
  void handshake(const Done& done);
  /// At least one byte, or an error; at the end of what the peer sends that is an error too.
  void read_some(boost::asio::mutable_buffer into, const Done& done);
  /// At least one byte, or an error.
  void write_some(boost::asio::const_buffer from, const Done& done);
  /// Tells the peer that nothing more comes.
  void finish(const Done& done);
  /// Below TLS: what comes after finish().
  void drain(boost::asio::mutable_buffer into, const Done& done);
  void write_plain(boost::asio::const_buffer from);
  void close() noexcept;

  [[nodiscard]] boost::asio::ip::tcp::socket& socket() noexcept { return socket_; }

 private:
  boost::asio::ip::tcp::socket socket_;
  std::shared_ptr<TlsContext> tls_;
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> stream_;
};

}  // namespace dupwatch::web
