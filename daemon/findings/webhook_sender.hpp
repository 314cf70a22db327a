#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/core/config.hpp"
#include "daemon/findings/webhook_outbox.hpp"

namespace dupwatch::findings {

/// What an attempt said, for the log. Never the URL, which may hold a token.
struct Attempt {
  Answer answer;
  /// Of libcurl, or the status; empty when the request was taken.
  std::string error;
};

/// Sends one request at a time over one connection that is kept. Not thread-safe; may block, so it belongs
/// on a thread of its own. Redirects are not followed: a secret goes where the configuration says and no
/// further.
class Sender {
 public:
  explicit Sender(const core::WebhookConfig& config);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  /// POSTs `delivery`. Blocks up to webhook.timeout; `give_up` is asked at least once a second, and a true
  /// ends the attempt.
  [[nodiscard]] Attempt send(const Delivery& delivery, std::int64_t unix_seconds,
                             const std::function<bool()>& give_up);

 private:
  struct Handle;
  const core::WebhookConfig& config_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace dupwatch::findings
