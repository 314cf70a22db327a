#include "daemon/web/connection.hpp"

#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <string_view>

namespace dupwatch::web {
namespace {

namespace http = boost::beast::http;

// As much as a client may leave untaken for kWriteMax.
constexpr std::size_t kPieceBytes = std::size_t{64} << 10U;
constexpr std::string_view kPlainToTls =
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "this port speaks HTTPS\n";

[[nodiscard]] std::string text_of(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

[[nodiscard]] RequestHead head_of(const http::request_parser<http::empty_body>& parser) {
  const auto& message = parser.get();
  RequestHead head{.method = text_of(message.method_string()), .target = text_of(message.target())};
  head.http_1_0 = message.version() == 10;
  const auto take = [&](std::string_view name, std::string& into) {
    const auto values = message.equal_range(boost::beast::string_view{name.data(), name.size()});
    if (values.first == values.second) return std::size_t{0};
    into = text_of(values.first->value());
    return static_cast<std::size_t>(std::distance(values.first, values.second));
  };
  std::string host;
  const auto hosts = take("Host", host);
  if (hosts > 0) head.host = std::move(host);
  head.ambiguous = hosts > 1;
  if (take("Authorization", head.authorization) > 1) head.ambiguous = true;
  if (take("Origin", head.origin) > 1) head.ambiguous = true;
  if (take("Sec-Fetch-Site", head.fetch_site) > 1) head.ambiguous = true;
  take("Accept-Encoding", head.accept_encoding);
  take("Last-Event-ID", head.last_event_id);
  take("Accept", head.accept);
  take("Content-Type", head.content_type);
  return head;
}

/// Whether the request line ends with a version of HTTP that is none of ours.
[[nodiscard]] bool has_other_version(std::string_view input) {
  const auto line = input.substr(0, input.find("\r\n"));
  const auto version = line.substr(line.rfind(' ') + 1);
  return line.size() < input.size() && version.starts_with("HTTP/") && version != "HTTP/1.0" &&
         version != "HTTP/1.1";
}

[[nodiscard]] int status_of(const boost::system::error_code& error, bool has_target, std::string_view input) {
  if (error == http::error::header_limit) return has_target ? 431 : 414;
  if (error == http::error::body_limit) return 413;
  return error == http::error::bad_version && has_other_version(input) ? 505 : 400;
}

}  // namespace

Connection::Connection(boost::asio::ip::tcp::socket socket, Peer peer, std::shared_ptr<TlsContext> tls,
                       const Callbacks& callbacks)
    : callbacks_(callbacks),
      transport_(std::move(socket), std::move(tls)),
      timer_(transport_.socket().get_executor()) {
  held_.peer = peer;
  held_.since = Clock::now();
}

Transport::Done Connection::then(Step step) {
  return [self = shared_from_this(), step](const Error& error, std::size_t bytes) {
    if (!self->closed_) ((*self).*step)(error, bytes);
  };
}

void Connection::enter(Phase phase) {
  held_.phase = phase;
  held_.since = Clock::now();
}

void Connection::arm(Clock::duration delay) {
  timer_.expires_after(delay);
  timer_.async_wait([weak = weak_from_this(), armed = ++armed_](const Error& error) {
    const auto self = weak.lock();
    if (self && !error && !self->closed_ && self->armed_ == armed) self->on_deadline();
  });
}

void Connection::disarm() {
  ++armed_;
  timer_.cancel();
}

void Connection::on_deadline() {
  if (held_.phase == Phase::kStreaming && !writing_) {
    pump();
  } else if (held_.phase == Phase::kReading && parser_ && parser_->got_some()) {
    enter(Phase::kWorking);
    arm(kWorkMax);
    callbacks_.bad_request(shared_from_this(), 408);
  } else {
    close();
  }
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  transport_.close();
  disarm();
  callbacks_.closed(*this);
}

void Connection::start() {
  arm(kHeadMax);
  transport_.handshake(then(&Connection::on_handshake));
}

void Connection::on_handshake(const Error& error, std::size_t /*bytes*/) {
  if (error) {
    if (ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_HTTP_REQUEST) {
      transport_.write_plain(boost::asio::buffer(kPlainToTls.data(), kPlainToTls.size()));
    }
    close();
    return;
  }
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(kHeadBytesMax));
  parser_->body_limit(kBodyBytesMax);
  read_head();
}

void Connection::read_head() {
  transport_.read_some(input_.prepare(std::min<std::size_t>(2048, input_.max_size() - input_.size())),
                       then(&Connection::on_read));
}

void Connection::on_read(const Error& error, std::size_t bytes) {
  // After a deadline an answer is on its way already.
  if (held_.phase != Phase::kReading) return;
  if (error) {
    close();
    return;
  }
  input_.commit(bytes);
  Error wrong;
  const auto used = parser_->put(input_.data(), wrong);
  if (wrong && wrong != http::error::need_more) {
    refuse(wrong);
    return;
  }
  input_.consume(used);
  if (!parser_->is_header_done()) {
    if (input_.size() == input_.max_size()) {
      refuse(http::error::header_limit);
    } else {
      read_head();
    }
    return;
  }
  on_head();
}

void Connection::on_head() {
  head_ = head_of(*parser_);
  const auto length = parser_->content_length();
  const auto wanted = head_.method == "POST" && length && *length <= kTakenBytesMax
                          ? static_cast<std::size_t>(*length)
                          : std::size_t{0};
  head_.body.resize(wanted);
  body_read_ = std::min(wanted, input_.size());
  std::copy_n(static_cast<const char*>(input_.data().data()), body_read_, head_.body.data());
  read_body();
}

void Connection::read_body() {
  if (body_read_ == head_.body.size()) return hand_over();
  transport_.read_some(boost::asio::buffer(head_.body.data() + body_read_, head_.body.size() - body_read_),
                       then(&Connection::on_body));
}

void Connection::on_body(const Error& error, std::size_t bytes) {
  if (held_.phase != Phase::kReading) return;
  if (error) {
    close();
    return;
  }
  body_read_ += bytes;
  read_body();
}

void Connection::hand_over() {
  parser_.reset();
  enter(Phase::kWorking);
  arm(kWorkMax);
  callbacks_.request(shared_from_this(), std::move(head_));
}

void Connection::refuse(const Error& error) {
  const std::string_view input{static_cast<const char*>(input_.data().data()), input_.size()};
  const int status = status_of(error, !parser_->get().target().empty(), input);
  enter(Phase::kWorking);
  arm(kWorkMax);
  callbacks_.bad_request(shared_from_this(), status);
}

void Connection::respond(std::string answer) {
  if (closed_) return;
  output_ = std::move(answer);
  enter(Phase::kWriting);
  write();
}

void Connection::write() {
  writing_ = true;
  arm(kWriteMax);
  const auto size = std::min(kPieceBytes, output_.size() - written_);
  transport_.write_some(boost::asio::buffer(output_.data() + written_, size), then(&Connection::on_written));
}

void Connection::on_written(const Error& error, std::size_t bytes) {
  if (error) {
    close();
    return;
  }
  written_ += bytes;
  if (held_.phase == Phase::kWriting && Clock::now() - held_.since > kAnswerMax) {
    close();
  } else if (written_ < output_.size()) {
    write();
  } else {
    writing_ = false;
    std::string().swap(output_);
    written_ = 0;
    after_answer();
  }
}

void Connection::after_answer() {
  if (feed_) {
    pump();
    return;
  }
  enter(Phase::kClosing);
  arm(kFarewellMax);
  transport_.finish(then(&Connection::on_finished));
}

void Connection::on_finished(const Error& /*error*/, std::size_t /*bytes*/) {
  // Closing while the client still sends would reset the connection, and take the answer from it.
  transport_.drain(boost::asio::buffer(scratch_), then(&Connection::on_drained));
}

void Connection::on_drained(const Error& error, std::size_t bytes) {
  drained_ += bytes;
  if (error || drained_ > kDrainedBytesMax) {
    close();
    return;
  }
  on_finished({}, 0);
}

void Connection::stream(std::string head, EventFeed feed) {
  if (closed_) return;
  output_ = std::move(head);
  feed_.emplace(std::move(feed));
  enter(Phase::kStreaming);
  transport_.read_some(boost::asio::buffer(scratch_), then(&Connection::on_read_while_streaming));
  write();
}

void Connection::on_read_while_streaming(const Error& error, std::size_t bytes) {
  // What it says is of no interest, that it is gone is.
  drained_ += bytes;
  if (error || drained_ > kHeadBytesMax) {
    close();
    return;
  }
  transport_.read_some(boost::asio::buffer(scratch_), then(&Connection::on_read_while_streaming));
}

void Connection::pump() {
  if (closed_ || writing_ || !feed_) return;
  const auto now = Clock::now();
  if (now < next_piece_) {
    arm(next_piece_ - now);
    return;
  }
  output_ = feed_->next(now);
  if (output_.empty()) {
    arm(std::max<Clock::duration>(feed_->deadline() - now, std::chrono::milliseconds{1}));
  } else {
    next_piece_ = now + kPieceInterval;
    write();
  }
}

}  // namespace dupwatch::web
