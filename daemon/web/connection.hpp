#pragma once

#include <utility>  // before Boost 1.74, which forgets it

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/web/event_feed.hpp"
#include "daemon/web/eviction.hpp"
#include "daemon/web/request_head.hpp"
#include "daemon/web/transport.hpp"

namespace dupwatch::web {

/// One client: reads the head of one request, sends one answer, and closes. All of it is of the server's
/// thread. A short body of a POST is taken; any other is thrown away after the answer.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// Until the head is there, handshake included.
  static constexpr std::chrono::seconds kHeadMax{5};
  /// Until a client takes something of its answer.
  static constexpr std::chrono::seconds kWriteMax{5};
  static constexpr std::chrono::seconds kAnswerMax{60};
  /// After the answer, for what a client still sends and for its farewell.
  static constexpr std::chrono::seconds kFarewellMax{2};
  /// Until the answer is made.
  static constexpr std::chrono::seconds kWorkMax{30};
  /// Between two pieces of a stream, so that many readers of many findings leave time for others.
  static constexpr std::chrono::milliseconds kPieceInterval{100};
  static constexpr std::size_t kHeadBytesMax = 8192;
  static constexpr std::size_t kBodyBytesMax = std::size_t{1} << 16U;
  static constexpr std::size_t kTakenBytesMax = 8192;
  static constexpr std::size_t kDrainedBytesMax = std::size_t{16} << 20U;

  struct Callbacks {
    /// The head is there; respond() or stream() is to follow, once.
    std::function<void(const std::shared_ptr<Connection>&, RequestHead)> request;
    /// What came is no request of HTTP; respond() is to follow.
    std::function<void(const std::shared_ptr<Connection>&, int status)> bad_request;
    /// It is over.
    std::function<void(Connection&)> closed;
  };

  /// `callbacks` must outlive it.
  Connection(boost::asio::ip::tcp::socket socket, Peer peer, std::shared_ptr<TlsContext> tls,
             const Callbacks& callbacks);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() = default;

  void start();
  /// Sends all of an answer.
  void respond(std::string answer);
  /// Sends `head`, and then what `feed` has until the client is gone.
  void stream(std::string head, EventFeed feed);
  /// The store of `feed` has something new.
  void pump();
  void close();

  [[nodiscard]] const Held& held() const noexcept { return held_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Error = boost::system::error_code;
  using Step = void (Connection::*)(const Error&, std::size_t);

  /// A callback that keeps this alive.
  [[nodiscard]] Transport::Done then(Step step);
  void enter(Phase phase);
  void arm(Clock::duration delay);
  void disarm();
  void on_deadline();
  void on_handshake(const Error& error, std::size_t bytes);
  void read_head();
  void on_read(const Error& error, std::size_t bytes);
  void on_head();
  void read_body();
  void on_body(const Error& error, std::size_t bytes);
  void hand_over();
  void refuse(const Error& error);
  void write();
  void on_written(const Error& error, std::size_t bytes);
  void after_answer();
  void on_finished(const Error& error, std::size_t bytes);
  void on_drained(const Error& error, std::size_t bytes);
  void on_read_while_streaming(const Error& error, std::size_t bytes);

  const Callbacks& callbacks_;
  Transport transport_;
  boost::asio::steady_timer timer_;
  /// Tells a deadline that was taken back from the one that counts.
  std::uint64_t armed_ = 0;
  Held held_;
  bool closed_ = false;
  boost::beast::flat_buffer input_{2 * kHeadBytesMax};
  std::optional<boost::beast::http::request_parser<boost::beast::http::empty_body>> parser_;
  /// Its body is being read.
  RequestHead head_;
  std::size_t body_read_ = 0;
  std::string output_;
  std::size_t written_ = 0;
  bool writing_ = false;
  std::size_t drained_ = 0;
  std::array<char, 512> scratch_{};
  std::optional<EventFeed> feed_;
  Clock::time_point next_piece_{};
};

}  // namespace dupwatch::web
