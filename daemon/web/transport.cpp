#include "daemon/web/transport.hpp"

namespace dupwatch::web {

using boost::asio::ip::tcp;
using boost::system::error_code;

Transport::Transport(tcp::socket socket, std::shared_ptr<TlsContext> tls)
    : socket_(std::move(socket)), tls_(std::move(tls)) {
  if (tls_) stream_.emplace(socket_, tls_->native());
}

void Transport::handshake(const Done& done) {
  if (!stream_) {
    done({}, 0);
    return;
  }
  stream_->async_handshake(boost::asio::ssl::stream_base::server,
                           [done](const error_code& error) { done(error, 0); });
}

void Transport::read_some(boost::asio::mutable_buffer into, const Done& done) {
  if (stream_) {
    stream_->async_read_some(into, done);
  } else {
    socket_.async_read_some(into, done);
  }
}

void Transport::write_some(boost::asio::const_buffer from, const Done& done) {
  if (stream_) {
    stream_->async_write_some(from, done);
  } else {
    socket_.async_write_some(from, done);
  }
}

void Transport::finish(const Done& done) {
  const auto shut = [this] {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  };
  if (!stream_) {
    shut();
    done({}, 0);
    return;
  }
  // It also waits for the peer's answer, which not every peer gives: the caller has a deadline.
  stream_->async_shutdown([shut, done](const error_code& error) {
    shut();
    done(error, 0);
  });
}

void Transport::drain(boost::asio::mutable_buffer into, const Done& done) {
  socket_.async_read_some(into, done);
}

void Transport::write_plain(boost::asio::const_buffer from) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.write_some(from, ignored);
}

void Transport::close() noexcept {
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace dupwatch::web
