#include "daemon/web/listener.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <chrono>

namespace dupwatch::web {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// How long it takes until a file may have been closed somewhere.
constexpr std::chrono::milliseconds kRetry{10};
// A client that has just connected is given so long to ask: a crowd that connects again and again would have
// it sent away before its request is read.
constexpr std::chrono::milliseconds kGrace{20};
// By TLS its request comes a round trip and two signatures later.
constexpr std::chrono::milliseconds kTlsGrace{100};
constexpr int kBacklog = 1024;

[[nodiscard]] std::size_t descriptors_max() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return limit.rlim_cur;
}

[[nodiscard]] Peer peer_of(const boost::asio::ip::address& address) {
  constexpr Peer kIpv4 = 0xFFFF'0000'0000'0000U;
  if (address.is_v4()) return kIpv4 | address.to_v4().to_uint();
  const auto bytes = address.to_v6().to_bytes();
  if (address.to_v6().is_v4_mapped()) {
    Peer low = 0;
    for (std::size_t i = 12; i < bytes.size(); ++i) low = (low << 8U) | bytes[i];
    return kIpv4 | low;
  }
  Peer high = 0;
  for (std::size_t i = 0; i < 8; ++i) high = (high << 8U) | bytes[i];
  return high;
}

void close_at_exec(int descriptor) noexcept {
  (void)fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

[[nodiscard]] bool is_exhausted(const error_code& error) noexcept {
  using boost::system::errc::errc_t;
  return error == errc_t::too_many_files_open || error == errc_t::too_many_files_open_in_system ||
         error == errc_t::no_buffer_space || error == errc_t::not_enough_memory;
}

}  // namespace

Listener::Listener(boost::asio::io_context& io, Callbacks callbacks)
    : callbacks_(std::move(callbacks)),
      of_connections_{.request = callbacks_.connection.request,
                      .bad_request = callbacks_.connection.bad_request,
                      .closed = [this](Connection& connection) { remove(connection); }},
      acceptor_(io),
      retry_(io),
      limits_(limits_for(descriptors_max())) {}

std::string Listener::open(const std::string& host, std::uint16_t port) {
  error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  const tcp::endpoint endpoint{address, port};
  if (!error) acceptor_.open(endpoint.protocol(), error);
  if (!error) close_at_exec(acceptor_.native_handle());
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(kBacklog, error);
  if (!error) port_ = acceptor_.local_endpoint(error).port();
  return error ? error.message() : std::string{};
}

void Listener::accept() {
  acceptor_.async_accept(
      [this](const error_code& error, tcp::socket socket) { on_accepted(error, std::move(socket)); });
}

void Listener::on_accepted(const error_code& error, tcp::socket socket) {
  if (!acceptor_.is_open()) return;
  if (is_exhausted(error)) {
    callbacks_.no_descriptors();
    if (!make_room_for(0, callbacks_.tls() ? kTlsGrace : kGrace)) {
      // The client stays in the kernel's queue. Trying again at once would only burn the processor.
      retry_.expires_after(kRetry);
      retry_.async_wait([this](const error_code& cancelled) {
        if (!cancelled && acceptor_.is_open()) accept();
      });
      return;
    }
  }
  if (!error) admit(std::move(socket));
  accept();
}

void Listener::admit(tcp::socket socket) {
  error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return;
  close_at_exec(socket.native_handle());
  socket.set_option(tcp::no_delay(true), error);
  const auto peer = peer_of(remote.address());
  if (is_full_for(peer, connections_.size(), peers_, limits_) && !make_room_for(peer, {})) return;
  const auto connection =
      std::make_shared<Connection>(std::move(socket), peer, callbacks_.tls(), of_connections_);
  connections_.emplace(connection.get(), connection);
  ++peers_[peer];
  count_ = connections_.size();
  connection->start();
}

bool Listener::make_room_for(Peer peer, std::chrono::milliseconds age_min) {
  std::vector<const Held*> held;
  std::vector<Connection*> owners;
  held.reserve(connections_.size());
  owners.reserve(connections_.size());
  for (const auto& [connection, owner] : connections_) {
    held.push_back(&connection->held());
    owners.push_back(connection);
  }
  const auto victim = victim_for(peer, held, peers_, limits_);
  if (!victim) return false;
  const auto age = std::chrono::steady_clock::now() - held[*victim]->since;
  if (held[*victim]->phase == Phase::kReading && age < age_min) return false;
  ++evicted_;
  owners[*victim]->close();
  return true;
}

void Listener::remove(Connection& connection) {
  const auto count = peers_.find(connection.held().peer);
  if (count != peers_.end() && --count->second == 0) peers_.erase(count);
  connections_.erase(&connection);
  count_ = connections_.size();
}

void Listener::for_each_stream(void (Connection::*what)()) {
  std::vector<std::shared_ptr<Connection>> streams;
  for (const auto& [connection, owner] : connections_) {
    if (owner->held().phase == Phase::kStreaming) streams.push_back(owner);
  }
  for (const auto& stream : streams) ((*stream).*what)();
}

void Listener::close_streams() {
  for_each_stream(&Connection::close);
}

void Listener::pump_streams() {
  for_each_stream(&Connection::pump);
}

bool Listener::has_room_for_stream() const {
  const auto streams = std::ranges::count_if(
      connections_, [](const auto& entry) { return entry.second->held().phase == Phase::kStreaming; });
  return static_cast<std::size_t>(streams) < limits_.streams;
}

void Listener::stop() {
  error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
  std::vector<std::shared_ptr<Connection>> idle;
  for (const auto& [connection, owner] : connections_) {
    const auto phase = owner->held().phase;
    if (phase != Phase::kWorking && phase != Phase::kWriting) idle.push_back(owner);
  }
  for (const auto& connection : idle) connection->close();
}

}  // namespace dupwatch::web
