#include <utility>  // before Boost 1.74, which forgets it

#include "daemon/web/http_server.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

#include "daemon/web/dispatcher.hpp"
#include "daemon/web/listener.hpp"
#include "daemon/web/web_config_watch.hpp"

namespace dupwatch::web {
namespace {

// For answers under way when the server ends.
constexpr std::chrono::milliseconds kGrace{500};
constexpr std::chrono::milliseconds kGraceLook{10};
// Of two notices of one kind: what strangers do must not fill the log.
constexpr std::chrono::minutes kNoticeInterval{1};

[[nodiscard]] std::string own_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const core::HttpConfig& config, StatusStore& store, const core::Profile& profile, Hooks hooks,
       LoadedWebConfig web)
      : config_(config),
        store_(store),
        hooks_(std::move(hooks)),
        web_(std::move(web)),
        dispatcher_(io_, store, profile, {.reload = hooks_.reload, .acknowledge = hooks_.acknowledge},
                    [this](const std::string& value) { notify(HttpNotice::Kind::kForeign, {value}); }),
        listener_(io_, callbacks()) {
    renew_access();
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  ~Impl() {
    store_.on_update({});
    watch_.reset();
    if (!thread_.joinable()) return;
    boost::asio::post(io_, [this] {
      listener_.stop();
      wait_for_answers(std::chrono::steady_clock::now() + kGrace);
    });
    thread_.join();
  }

  /// Empty when it listens.
  [[nodiscard]] std::string listen() {
    const bool ipv6 = config_.host.find(':') != std::string::npos;
    const auto problem = listener_.open(config_.host, config_.port);
    if (problem.empty()) return {};
    return fmt::format(fmt::runtime(ipv6 ? "cannot listen on [{}]:{}: {}" : "cannot listen on {}:{}: {}"),
                       config_.host, config_.port, problem);
  }

  /// Throws std::system_error where no thread can be made.
  void run() {
    thread_ = std::thread{[this] { serve(); }};
    if (hooks_.load_web_config) {
      watch_.emplace(config_.web_config_file, web_, hooks_.load_web_config,
                     WebConfigWatch::Callbacks{
                         .changed = [this](LoadedWebConfig web, bool news) { take(std::move(web), news); },
                         .failed =
                             [this](const Problems& problems) {
                               web_config_successful_ = false;
                               notify(HttpNotice::Kind::kWebConfigFailed, problems);
                             }});
    }
    boost::asio::post(io_, [this] { listener_.start(); });
    // Many reports at once wake the readers once.
    store_.on_update([this] {
      if (updated_.exchange(true)) return;
      boost::asio::post(io_, [this] {
        updated_ = false;
        listener_.pump_streams();
      });
    });
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return listener_.port(); }
  [[nodiscard]] bool tls() const noexcept { return not_after_ != 0; }

  void set_basic_auth(core::BasicAuthConfig config) {
    boost::asio::post(io_, [this, config = std::move(config)]() mutable {
      config_.basic_auth = std::move(config);
      renew_access();
    });
  }

  void set_allowed_hosts(std::vector<std::string> hosts) {
    boost::asio::post(io_, [this, hosts = std::move(hosts)]() mutable {
      config_.allowed_hosts = std::move(hosts);
      renew_access();
    });
  }

  [[nodiscard]] core::HttpStats stats() const noexcept {
    return {.unauthorized = dispatcher_.unauthorized_total(),
            .foreign = dispatcher_.foreign_total(),
            .evicted = listener_.evicted_total(),
            .connections = listener_.connections(),
            .web_config_successful = web_config_successful_,
            .certificate_not_after = not_after_};
  }

 private:
  [[nodiscard]] Listener::Callbacks callbacks() {
    return {.connection = {.request =
                               [this](const std::shared_ptr<Connection>& connection, RequestHead head) {
                                 dispatcher_.handle(connection, std::move(head),
                                                    listener_.has_room_for_stream());
                               },
                           .bad_request = [this](const std::shared_ptr<Connection>& connection,
                                                 int status) { dispatcher_.refuse(connection, status); },
                           .closed = {}},
            .tls = [this] { return dispatcher_.access()->tls; },
            .no_descriptors = [this] { notify(HttpNotice::Kind::kNoDescriptors, {}); }};
  }

  void serve() {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception&) {
        // Out of memory: the connection at hand ends by its deadline.
      }
    }
  }

  /// Until nobody is there any more, or `end`.
  void wait_for_answers(std::chrono::steady_clock::time_point end) {
    if (listener_.empty() || std::chrono::steady_clock::now() >= end) {
      io_.stop();
      return;
    }
    listener_.stop();
    farewell_.expires_after(kGraceLook);
    farewell_.async_wait([this, end](const boost::system::error_code&) { wait_for_answers(end); });
  }

  /// Any thread.
  void take(LoadedWebConfig web, bool news) {
    web_config_successful_ = true;
    if (news) notify(HttpNotice::Kind::kWebConfigRead, {});
    boost::asio::post(io_, [this, web = std::move(web)]() mutable {
      web_ = std::move(web);
      renew_access();
    });
  }

  void renew_access() {
    auto names = config_.allowed_hosts;
    names.push_back(own_name());
    if (web_.tls) names.insert(names.end(), web_.tls->names().begin(), web_.tls->names().end());
    std::shared_ptr<const PasswordGate> gate =
        std::make_shared<PasswordGate>(config_.basic_auth, web_.config.users);
    const auto& before = dispatcher_.access();
    const bool same = before && before->gate->admits_the_same(*gate);
    // With it goes what it remembers.
    if (same) gate = before->gate;
    const bool others = before && !same;
    not_after_ = web_.tls ? web_.tls->not_after() : 0;
    const HostRules hosts{config_.host, std::move(names)};
    const bool certified = web_.tls && web_.config.tls.client_auth == core::ClientAuth::kRequireAndVerify;
    const bool may_change = gate->closed() || certified || hosts.loopback();
    dispatcher_.set_access(std::make_shared<const Access>(Access{.tls = web_.tls,
                                                                 .gate = std::move(gate),
                                                                 .hosts = hosts,
                                                                 .may_change = may_change,
                                                                 .headers = web_.config.headers,
                                                                 .rate_interval = web_.config.rate_interval,
                                                                 .rate_burst = web_.config.rate_burst}));
    if (others) listener_.close_streams();
  }

  /// Any thread.
  void notify(HttpNotice::Kind kind, std::vector<std::string> texts) {
    if (!hooks_.notify) return;
    if (kind == HttpNotice::Kind::kForeign || kind == HttpNotice::Kind::kNoDescriptors) {
      // Of the server's thread.
      auto& next = kind == HttpNotice::Kind::kForeign ? next_foreign_ : next_exhausted_;
      const auto now = std::chrono::steady_clock::now();
      if (now < next) return;
      next = now + kNoticeInterval;
    }
    hooks_.notify({.kind = kind, .texts = std::move(texts)});
  }

  core::HttpConfig config_;
  StatusStore& store_;
  const Hooks hooks_;
  LoadedWebConfig web_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  boost::asio::steady_timer farewell_{io_};
  Dispatcher dispatcher_;
  Listener listener_;
  std::chrono::steady_clock::time_point next_foreign_{};
  std::chrono::steady_clock::time_point next_exhausted_{};
  std::atomic<bool> updated_ = false;
  std::atomic<bool> web_config_successful_ = true;
  std::atomic<std::int64_t> not_after_ = 0;
  std::optional<WebConfigWatch> watch_;
  std::thread thread_;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const noexcept {
  return impl_->port();
}

bool HttpServer::tls() const noexcept {
  return impl_->tls();
}

void HttpServer::set_basic_auth(const core::BasicAuthConfig& config) {
  impl_->set_basic_auth(config);
}

void HttpServer::set_allowed_hosts(const std::vector<std::string>& hosts) {
  impl_->set_allowed_hosts(hosts);
}

core::HttpStats HttpServer::stats() const noexcept {
  return impl_->stats();
}

std::vector<std::string> HttpServer::problems_of(const decltype(Hooks::load_web_config)& load) {
  auto loaded = load_all(load);
  auto* problems = std::get_if<Problems>(&loaded);
  return problems == nullptr ? Problems{} : std::move(*problems);
}

std::variant<std::unique_ptr<HttpServer>, HttpServer::Failure> HttpServer::start(
    const core::HttpConfig& config, StatusStore& store, const core::Profile& profile, Hooks hooks) {
  LoadedWebConfig web;
  if (hooks.load_web_config) {
    auto loaded = load_all(hooks.load_web_config);
    if (auto* problems = std::get_if<Problems>(&loaded)) {
      return Failure{.kind = Failure::Kind::kWebConfig, .messages = std::move(*problems)};
    }
    web = std::get<LoadedWebConfig>(std::move(loaded));
  }
  try {
    auto impl = std::make_unique<Impl>(config, store, profile, std::move(hooks), std::move(web));
    if (auto reason = impl->listen(); !reason.empty()) {
      return Failure{.kind = Failure::Kind::kListen, .messages = {std::move(reason)}};
    }
    impl->run();
    return std::unique_ptr<HttpServer>{new HttpServer{std::move(impl)}};
  } catch (const std::system_error& error) {
    return Failure{.kind = Failure::Kind::kThreads,
                   .messages = {fmt::format("the HTTP server gets no threads: {}", error.code().message())}};
  }
}

}  // namespace dupwatch::web
