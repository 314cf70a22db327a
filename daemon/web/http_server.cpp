#include "daemon/web/http_server.hpp"

#include <arpa/inet.h>
#include <civetweb.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "daemon/web/basic_auth.hpp"
#include "daemon/web/event_feed.hpp"
#include "daemon/web/json.hpp"
#include "daemon/web/routes.hpp"

namespace dupwatch::web {
namespace {

/// civetweb's global state, made by the first server and given back by the last. Its own counter is not
/// thread-safe.
class Library {
 public:
  Library() {
    const std::lock_guard lock{mutex()};
    mg_init_library(MG_FEATURES_DEFAULT);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() {
    const std::lock_guard lock{mutex()};
    mg_exit_library();
  }

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
};

/// Opens and closes a connection. Failure is fine: then nobody listens any more.
void knock(const std::string& host, std::uint16_t port) noexcept {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  const bool is_v4 = inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) return;
  const int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  if (is_v4) {
    (void)connect(fd, reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  } else {
    (void)connect(fd, reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
  }
  close(fd);
}

/// The system's words out of civetweb's "cannot bind to 127.0.0.1:80: 13 (Permission denied)".
[[nodiscard]] std::string_view system_message(std::string_view text) noexcept {
  const auto open = text.rfind('(');
  if (open == std::string_view::npos || !text.ends_with(')')) return text;
  return text.substr(open + 1, text.size() - open - 2);
}

/// Value of the header Date.
[[nodiscard]] std::string http_date(std::chrono::system_clock::time_point now) {
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

/// What every answer carries.
void add_safety_headers(std::string& text) {
  text +=
      "Cache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n"
      "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
      "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
      "Cross-Origin-Resource-Policy: same-origin\r\n"
      "Referrer-Policy: no-referrer\r\n";
}

/// Written here and not with mg_response_header_*: that formats the date in gmtime()'s one buffer for all
/// threads.
void send(mg_connection* connection, const Response& response, bool with_body) {
  auto text = fmt::format("HTTP/1.1 {} {}\r\n", response.status,
                          mg_get_response_code_text(connection, response.status));
  const auto add = [&](std::string_view name, std::string_view value) {
    text += fmt::format("{}: {}\r\n", name, value);
  };
  add("Date", http_date(std::chrono::system_clock::now()));
  add("Connection", "close");
  add("Content-Type", response.content_type);
  add("Content-Length", std::to_string(response.body.size()));
  if (response.status == 401) add("WWW-Authenticate", R"(Basic realm="dupwatch", charset="UTF-8")");
  if (response.status == 405) add("Allow", response.allow);
  add_safety_headers(text);
  text += "\r\n";
  if (with_body) text += response.body;
  mg_write(connection, text.data(), text.size());
}

[[nodiscard]] std::string_view view_of(const char* text) noexcept {
  return text == nullptr ? "" : text;
}

/// civetweb's own refusals (malformed request, timeout) with our headers.
int on_error(mg_connection* connection, int status, const char* /*message*/) {
  try {
    Response response;
    response.status = status;
    response.body = fmt::format("{}\n", mg_get_response_code_text(connection, status));
    send(connection, response, true);
  } catch (const std::exception&) {
    // As for on_request: nothing is sent.
  }
  return 0;
}

}  // namespace

class HttpServer::Impl {
  static constexpr int kRequestThreads = 4;
  static constexpr int kEventClientsMax = 64;
  static constexpr std::string_view kReloadPath = "/-/reload";

 public:
  Impl(StatusStore& store, core::Profile profile, Reload reload)
      : store_(store), profile_(std::move(profile)), reload_(std::move(reload)) {}

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// civetweb's accepting thread looks at its stop flag every 2 s or after a connection; this gives it
  /// connections.
  ~Impl() {
    if (context_ == nullptr) return;
    stopping_ = true;
    store_.release();
    std::atomic<bool> stopped = false;
    std::thread stopper{[&] {
      mg_stop(context_);
      stopped = true;
    }};
    while (!stopped) {
      knock(host_, port_);
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    stopper.join();
  }

  /// Empty when it listens.
  [[nodiscard]] std::string listen(const core::HttpConfig& config) {
    const bool ipv6 = config.host.find(':') != std::string::npos;
    const auto address = fmt::format(fmt::runtime(ipv6 ? "[{}]:{}" : "{}:{}"), config.host, config.port);
    if (ipv6 && mg_check_feature(MG_FEATURES_IPV6) == 0) {
      return fmt::format("cannot listen on {}: the installed civetweb was built without IPv6", address);
    }
    // One request per connection: with a thread per connection, four idle ones of browsers would otherwise
    // keep the probes waiting. The queue holds what the four threads do not take at once. Each client of
    // /api/events keeps a thread of its own, so there are threads for the most of them beside the four.
    const auto threads = std::to_string(kRequestThreads + kEventClientsMax);
    std::array<const char*, 15> options = {"listening_ports",
                                           address.c_str(),
                                           "num_threads",
                                           threads.c_str(),
                                           "request_timeout_ms",
                                           "5000",
                                           "tcp_nodelay",
                                           "1",
                                           "enable_keep_alive",
                                           "no",
                                           "max_request_size",
                                           "8192",
                                           "access_control_allow_origin",
                                           "",
                                           nullptr};
    mg_callbacks callbacks{};
    callbacks.begin_request = &Impl::on_request;
    callbacks.http_error = &on_error;
    callbacks.log_message = &Impl::on_log;
    // No log_access: for it civetweb calls localtime(), which is not thread-safe.
    std::array<char, 256> text{};
    mg_error_data error{.code = nullptr, .text = text.data(), .text_buffer_size = text.size()};
    mg_init_data init{.callbacks = &callbacks, .user_data = this, .configuration_options = options.data()};
    starter_ = std::this_thread::get_id();
    context_ = mg_start2(&init, &error);
    if (context_ == nullptr) {
      return fmt::format("cannot listen on {}: {}", address,
                         failure_.empty() ? std::string_view{text.data()} : system_message(failure_));
    }
    mg_server_port bound{};
    if (mg_get_server_ports(context_, 1, &bound) != 1) return fmt::format("cannot listen on {}", address);
    host_ = config.host;
    port_ = static_cast<std::uint16_t>(bound.port);
    return {};
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  void set_basic_auth(const core::BasicAuthConfig& config) {
    auto gate = config.enabled() ? std::make_shared<const BasicAuth>(config) : nullptr;
    const std::lock_guard lock{gate_mutex_};
    gate_ = std::move(gate);
  }

  [[nodiscard]] std::uint64_t unauthorized_total() const noexcept { return unauthorized_; }

 private:
  using Gate = std::shared_ptr<const BasicAuth>;

  /// nullptr: it stands open.
  [[nodiscard]] Gate gate() const {
    const std::lock_guard lock{gate_mutex_};
    return gate_;
  }

  /// mg_start2 itself says only "failed to setup server ports": the reason is in what it logs. Nothing else
  /// that civetweb logs is of use to an operator.
  static int on_log(const mg_connection* connection, const char* message) {
    auto* self = static_cast<Impl*>(mg_get_user_data(mg_get_context(connection)));
    // Its other threads may be running already.
    const bool starting = self != nullptr && self->starter_ == std::this_thread::get_id();
    if (starting && self->failure_.empty()) self->failure_ = message;
    // Non-zero: civetweb does not print it.
    return 1;
  }

  static int on_request(mg_connection* connection) {
    const auto* info = mg_get_request_info(connection);
    auto& self = *static_cast<Impl*>(info->user_data);
    Request request{.method = view_of(info->request_method),
                    .path = view_of(info->local_uri),
                    .query = view_of(info->query_string)};
    // No exception may pass through civetweb's C frames; the client of a failed allocation sees a closed
    // connection.
    try {
      const auto gate = self.gate();
      request.known = !gate || gate->admits(view_of(mg_get_header(connection, "Authorization")));
      if (!request.known && !is_probe(request.path)) {
        ++self.unauthorized_;
        send(connection, unauthorized(), request.method != "HEAD");
        return 401;
      }
      if (request.path == "/api/events" && request.method == "GET") {
        return self.stream_events(connection, gate);
      }
      const auto response =
          request.path == kReloadPath ? self.reload(request.method) : self.respond_to(request);
      send(connection, response, request.method != "HEAD");
      return response.status;
    } catch (const std::exception&) {
      return 500;
    }
  }

  [[nodiscard]] Response respond_to(const Request& request) const {
    return respond(request, store_, profile_, StatusStore::Clock::now());
  }

  [[nodiscard]] Response reload(std::string_view method) const {
    if (method != "POST") return {405, kJsonContentType, error_json("POST only"), "POST"};
    if (reload_) return reload_();
    return {
        403, kJsonContentType,
        error_json("the configuration is not reloaded over HTTP: send SIGHUP, or set http.reload: true and "
                   "restart")};
  }

  /// Keeps the calling thread until the client is gone. A client that does not read is gone too: once the
  /// socket is full, mg_write gives up after request_timeout_ms. It waits for the store, which never waits
  /// for it. With another password the client has to show it, so it ends then.
  int stream_events(mg_connection* connection, const Gate& admitted_by) {
    const Place place{event_clients_};
    if (place.number() > kEventClientsMax) {
      Response full{503, "application/json; charset=utf-8",
                    error_json(fmt::format("{} clients have the events already; /api/findings serves all",
                                           kEventClientsMax))};
      send(connection, full, true);
      return full.status;
    }
    std::string head = fmt::format(
        "HTTP/1.1 200 OK\r\nDate: {}\r\nConnection: close\r\nContent-Type: text/event-stream; "
        "charset=utf-8\r\nX-Accel-Buffering: no\r\n",
        http_date(std::chrono::system_clock::now()));
    add_safety_headers(head);
    head += "\r\nretry: 1000\n\n";
    EventFeed feed{store_, view_of(mg_get_header(connection, "Last-Event-ID"))};
    for (auto text = head; !stopping_ && gate() == admitted_by; text = feed.next(EventFeed::Clock::now())) {
      if (!text.empty() && mg_write(connection, text.data(), text.size()) != static_cast<int>(text.size()))
        break;
      store_.wait_for_update(feed.last(), feed.deadline());
    }
    return 200;
  }

  /// One client's place among those of /api/events.
  class Place {
   public:
    explicit Place(std::atomic<int>& count) : count_(count), number_(++count) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { --count_; }
    [[nodiscard]] int number() const noexcept { return number_; }

   private:
    std::atomic<int>& count_;
    const int number_;
  };

  Library library_;
  StatusStore& store_;
  const core::Profile profile_;
  const Reload reload_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> event_clients_ = 0;
  std::atomic<std::uint64_t> unauthorized_ = 0;
  mutable std::mutex gate_mutex_;
  Gate gate_;  // guarded by gate_mutex_
  std::thread::id starter_;
  std::string failure_;
  std::string host_;
  std::uint16_t port_ = 0;
  mg_context* context_ = nullptr;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const noexcept {
  return impl_->port();
}

void HttpServer::set_basic_auth(const core::BasicAuthConfig& config) {
  impl_->set_basic_auth(config);
}

std::uint64_t HttpServer::unauthorized_total() const noexcept {
  return impl_->unauthorized_total();
}

std::variant<std::unique_ptr<HttpServer>, std::string> HttpServer::start(const core::HttpConfig& config,
                                                                         StatusStore& store,
                                                                         const core::Profile& profile,
                                                                         Reload reload) {
  auto impl = std::make_unique<Impl>(store, profile, std::move(reload));
  impl->set_basic_auth(config.basic_auth);
  if (auto reason = impl->listen(config); !reason.empty()) return reason;
  return std::unique_ptr<HttpServer>{new HttpServer{std::move(impl)}};
}

}  // namespace dupwatch::web
