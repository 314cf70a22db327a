#pragma once

#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "daemon/core/web_config.hpp"

namespace dupwatch::web {

/// The certificate, the key and what is asked of clients, ready for handshakes. Immutable; a connection keeps
/// the one it began with.
class TlsContext {
 public:
  /// Reads the files. Every problem at once, a sentence each, without any part of a key.
  [[nodiscard]] static std::variant<std::shared_ptr<TlsContext>, std::vector<std::string>> build(
      const core::WebTls& config);

  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext() = default;

  /// DNS names of the certificate, which a browser has compared with what it asked for.
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  /// When the certificate ends, in seconds since 1970.
  [[nodiscard]] std::int64_t not_after() const noexcept { return not_after_; }
  [[nodiscard]] boost::asio::ssl::context& native() noexcept { return context_; }

 private:
  TlsContext() : context_(boost::asio::ssl::context::tls_server) {}

  class Builder;
  static int verify(int preverified, X509_STORE_CTX* store);

  boost::asio::ssl::context context_;
  std::vector<std::string> names_;
  std::int64_t not_after_ = 0;
  bool verified_ = false;
  std::vector<std::string> allowed_sans_;
};

}  // namespace dupwatch::web
