#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "daemon/core/config.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/web/routes.hpp"
#include "daemon/web/status_store.hpp"

namespace dupwatch::web {

/// Serves /metrics, the probes, /api and the page at / from a StatusStore, and passes POST /-/reload on. Owns
/// its threads, a fixed number; nothing a client does reaches the database or the stream.
class HttpServer {
 public:
  /// Answers POST /-/reload, on the thread of the request.
  using Reload = std::function<Response()>;

  /// The server, or a sentence saying why it can't listen (port in use, address not of this host). `config`
  /// must be enabled(). `store` must outlive the server; `profile` is copied. Without `reload` its path is
  /// forbidden. Does not throw but bad_alloc.
  [[nodiscard]] static std::variant<std::unique_ptr<HttpServer>, std::string> start(
      const core::HttpConfig& config, StatusStore& store, const core::Profile& profile, Reload reload = {});

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  /// Stops listening and waits for the requests under way.
  ~HttpServer();

  /// The port listened on, also where the configuration said 0.
  [[nodiscard]] std::uint16_t port() const noexcept;

  /// From now on; clients of /api/events have to come again.
  void set_basic_auth(const core::BasicAuthConfig& config);
  /// Requests answered with 401.
  [[nodiscard]] std::uint64_t unauthorized_total() const noexcept;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dupwatch::web
