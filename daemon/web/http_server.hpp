#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/core/stats.hpp"
#include "daemon/core/web_config.hpp"
#include "daemon/web/acknowledge_request.hpp"
#include "daemon/web/routes.hpp"
#include "daemon/web/status_store.hpp"

namespace dupwatch::web {

/// What the server has to say to an operator.
struct HttpNotice {
  enum class Kind : std::uint8_t {
    kForeign,          ///< a request was refused for the Host or Origin in `texts`
    kNoDescriptors,    ///< nobody can be let in: the process may not open more files
    kWebConfigRead,    ///< the web configuration file or what it names is another, and in force
    kWebConfigFailed,  ///< it is out of order, as `texts` says; the one before stays in force
  };
  Kind kind;
  std::vector<std::string> texts;
};

/// What the server asks of others.
struct HttpHooks {
  /// Answers POST /-/reload, on a thread of the server. Empty: its path is forbidden.
  std::function<Response()> reload{};
  /// Answers what POST /api/findings/ID/acknowledge and .../unacknowledge ask for, on a thread of the server.
  /// Empty: there is no such path.
  std::function<Response(const AcknowledgeRequest&)> acknowledge{};
  /// Reads http.web_config_file; any thread. Empty: there is none.
  std::function<std::variant<core::WebConfig, std::vector<std::string>>()> load_web_config{};
  /// Any thread. May be empty.
  std::function<void(HttpNotice)> notify{};
};

/// Serves /metrics, the probes, /api and the page at / from a StatusStore, and passes POST /-/reload and
/// acknowledgements on. Owns its threads, a fixed number; nothing a client does reaches the database or the
/// stream.
class HttpServer {
 public:
  using Hooks = HttpHooks;

  /// Why there is no server.
  struct Failure {
    enum class Kind : std::uint8_t { kListen, kWebConfig, kThreads };
    Kind kind;
    /// Sentences; of kWebConfig every problem, of the others one.
    std::vector<std::string> messages;
  };

  /// `config` must be enabled(). `store` must outlive the server; `profile` is copied. Does not throw but
  /// bad_alloc.
  [[nodiscard]] static std::variant<std::unique_ptr<HttpServer>, Failure> start(
      const core::HttpConfig& config, StatusStore& store, const core::Profile& profile, Hooks hooks = {});

  /// Every problem of a web configuration file and of what it names, a sentence each.
  [[nodiscard]] static std::vector<std::string> problems_of(const decltype(Hooks::load_web_config)& load);

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  /// Stops listening, gives answers under way half a second, and closes the rest.
  ~HttpServer();

  /// The port listened on, also where the configuration said 0.
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// Whether it speaks TLS.
  [[nodiscard]] bool tls() const noexcept;

  /// From now on; clients of /api/events have to come again where the users are others.
  void set_basic_auth(const core::BasicAuthConfig& config);
  void set_allowed_hosts(const std::vector<std::string>& hosts);

  [[nodiscard]] core::HttpStats stats() const noexcept;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dupwatch::web
