#include "daemon/findings/webhook_sender.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <new>

#include "daemon/findings/webhook_signature.hpp"

namespace dupwatch::findings {
namespace {

// Nobody reads the answer's body; a receiver that sends more than this is not the one that was meant.
constexpr std::size_t kAnswerBytesMax = std::size_t{64} << 10U;

extern "C" std::size_t drop_answer(char* /*data*/, std::size_t size, std::size_t count, void* total) {
  auto& seen = *static_cast<std::size_t*>(total);
  seen += size * count;
  return seen > kAnswerBytesMax ? 0 : size * count;
}

extern "C" int ask_give_up(void* give_up, curl_off_t /*down_total*/, curl_off_t /*down*/,
                           curl_off_t /*up_total*/, curl_off_t /*up*/) {
  return (*static_cast<const std::function<bool()>*>(give_up))() ? 1 : 0;
}

/// A list of header lines that curl reads during the transfer.
class Headers {
 public:
  Headers() = default;
  ~Headers() { curl_slist_free_all(list_); }
  Headers(const Headers&) = delete;
  Headers& operator=(const Headers&) = delete;

  void add(const std::string& line) {
    auto* longer = curl_slist_append(list_, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    list_ = longer;
  }
  [[nodiscard]] curl_slist* get() const noexcept { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

}  // namespace

struct Sender::Handle {
  CURL* curl = curl_easy_init();
  std::array<char, CURL_ERROR_SIZE> error{};
  Handle() {
    if (curl == nullptr) throw std::bad_alloc();
  }
  ~Handle() { curl_easy_cleanup(curl); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  template <class T>
  void set(CURLoption option, T value) noexcept {
    (void)curl_easy_setopt(curl, option, value);
  }
};

Sender::Sender(const core::WebhookConfig& config) : config_(config), handle_(std::make_unique<Handle>()) {
  auto& handle = *handle_;
  handle.set(CURLOPT_URL, config.url.c_str());
  handle.set(CURLOPT_PROTOCOLS_STR, "http,https");
  handle.set(CURLOPT_FOLLOWLOCATION, 0L);
  handle.set(CURLOPT_TIMEOUT_MS, long{config.timeout.count()});
  handle.set(CURLOPT_NOSIGNAL, 1L);
  handle.set(CURLOPT_USERAGENT, "dupwatch");
  handle.set(CURLOPT_ERRORBUFFER, handle.error.data());
  handle.set(CURLOPT_WRITEFUNCTION, &drop_answer);
  handle.set(CURLOPT_NOPROGRESS, 0L);
  handle.set(CURLOPT_XFERINFOFUNCTION, &ask_give_up);
  if (!config.ca_file.empty()) handle.set(CURLOPT_CAINFO, config.ca_file.c_str());
}

Sender::~Sender() = default;

Attempt Sender::send(const Delivery& delivery, std::int64_t unix_seconds,
                     const std::function<bool()>& give_up) {
  Headers headers;
  headers.add("Content-Type: application/json");
  headers.add("Expect:");  // Without it curl waits a second for "100 Continue" before a body of 1 MiB.
  headers.add(fmt::format("X-Dupwatch-Delivery: {}", delivery.id));
  if (!config_.secret.empty()) {
    headers.add("X-Dupwatch-Signature: " + signature(config_.secret, unix_seconds, delivery.body));
  }
  auto& handle = *handle_;
  std::size_t answered = 0;
  handle.error[0] = '\0';
  handle.set(CURLOPT_WRITEDATA, &answered);
  handle.set(CURLOPT_XFERINFODATA, &give_up);
  handle.set(CURLOPT_HTTPHEADER, headers.get());
  handle.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(delivery.body.size()));
  handle.set(CURLOPT_POSTFIELDS, delivery.body.c_str());
  const auto code = curl_easy_perform(handle.curl);
  Attempt attempt;
  (void)curl_easy_getinfo(handle.curl, CURLINFO_RESPONSE_CODE, &attempt.answer.http_status);
  curl_off_t seconds = 0;
  (void)curl_easy_getinfo(handle.curl, CURLINFO_RETRY_AFTER, &seconds);
  // More than an hour is no pause; Outbox bounds it further.
  attempt.answer.retry_after = std::chrono::seconds{std::min<curl_off_t>(seconds, 3600)};
  const auto status = attempt.answer.http_status;
  if (code != CURLE_OK && (status < 200 || status >= 300)) {
    attempt.answer.http_status = 0;
    attempt.error = handle.error[0] != '\0' ? handle.error.data() : curl_easy_strerror(code);
  } else if (status < 200 || status >= 300) {
    attempt.error = fmt::format("status {}", status);
  }
  return attempt;
}

}  // namespace dupwatch::findings
