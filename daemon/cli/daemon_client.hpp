#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "daemon/core/config.hpp"
#include "daemon/core/web_config.hpp"

namespace dupwatch::cli {

/// Asks the running daemon of a configuration over HTTP: at its http.listen with its user and password, and a
/// certificate where it wants one. For another address, and where web.config.file has but the hashes of
/// passwords, ~/.netrc is read. One thread.
class DaemonClient {
 public:
  struct Answer {
    long status = 0;
    std::string body;
  };
  /// Why there is no answer, for people.
  struct Failure {
    std::string what;
  };

  /// `url` takes the place of http.listen; empty = none. A sentence for people where there is nothing to ask.
  [[nodiscard]] static std::variant<DaemonClient, Failure> of(const core::Config& config,
                                                              const std::string& url);

  /// Longer answers than `bytes_max` are a failure.
  [[nodiscard]] std::variant<Answer, Failure> get(std::string_view path, std::size_t bytes_max) const;

  /// Posts `json`.
  [[nodiscard]] std::variant<Answer, Failure> post(std::string_view path, const std::string& json,
                                                   std::size_t bytes_max) const;

  /// Hands on what comes until the other side ends or is silent for longer than a daemon ever is. `resume` is
  /// the value of Last-Event-ID, empty = none.
  [[nodiscard]] Failure stream(std::string_view path, const std::string& resume,
                               const std::function<void(std::string_view)>& take) const;

  /// Without a slash at its end.
  [[nodiscard]] const std::string& base() const noexcept { return base_; }

 private:
  DaemonClient(std::string base, core::BasicAuthConfig login, core::WebTls tls, bool local)
      : base_(std::move(base)), login_(std::move(login)), tls_(std::move(tls)), local_(local) {}

  /// `json` nullptr: GET.
  [[nodiscard]] std::variant<Answer, Failure> ask(std::string_view path, const std::string* json,
                                                  std::size_t bytes_max) const;

  std::string base_;
  core::BasicAuthConfig login_;
  core::WebTls tls_;
  /// By http.listen, not by a URL.
  bool local_;
};

}  // namespace dupwatch::cli
