#include "daemon/cli/daemon_client.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "daemon/config/web_config_file.hpp"

namespace dupwatch::cli {
namespace {

// Shorter than the default time limit of a container's health check, 30 s: our message is the better one.
constexpr long kTimeoutMillis = 5'000;
// A change is answered once it is on the disk.
constexpr long kChangeMillis = 15'000;
// The daemon says something each 15 s, and its state each second when that changes.
constexpr long kSilenceSeconds = 45;

using Take = std::function<bool(std::string_view)>;

extern "C" std::size_t take_http_bytes(char* data, std::size_t size, std::size_t count, void* take) {
  return (*static_cast<const Take*>(take))({data, size * count}) ? size * count : 0;
}

struct CurlDeleter {
  void operator()(CURL* curl) const noexcept { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using Curl = std::unique_ptr<CURL, CurlDeleter>;
using Headers = std::unique_ptr<curl_slist, CurlDeleter>;

/// Where the daemon with this configuration is reached from the same host.
std::string base_url(const core::HttpConfig& http, bool tls) {
  const bool any = http.host == "0.0.0.0";
  const bool v6 = http.host.find(':') != std::string::npos;
  const auto host = any                         ? "127.0.0.1"
                    : v6 && http.host[0] != '[' ? fmt::format("[{}]", http.host)
                                                : http.host;
  return fmt::format("{}://{}:{}", tls ? "https" : "http", host, http.port);
}

/// It is the same host, so the name in the certificate is not looked at. A server that wants a certificate
/// takes its own.
void use_tls(CURL* curl, const core::WebTls& tls) {
  const auto set = [&](CURLoption option, auto value) { (void)curl_easy_setopt(curl, option, value); };
  set(CURLOPT_SSL_VERIFYPEER, 0L);
  set(CURLOPT_SSL_VERIFYHOST, 0L);
  if (tls.client_auth == core::ClientAuth::kNone) return;
  const auto give = [&](CURLoption file, CURLoption blob, const core::PemSource& source) {
    if (!source.file.empty()) {
      set(file, source.file.c_str());
      return;
    }
    curl_blob text{
        .data = const_cast<char*>(source.text.data()), .len = source.text.size(), .flags = CURL_BLOB_COPY};
    set(blob, &text);
  };
  give(CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, tls.cert);
  give(CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB, tls.key);
}

/// Who may be told a password: the daemon of this host, and whoever proves to have the name that was asked
/// for.
bool may_log_in(bool local, const core::WebTls& tls) {
  return local || !tls.enabled;
}

Curl request(const std::string& target, const core::BasicAuthConfig& login, bool local,
             const core::WebTls& tls, const Take& take) {
  Curl curl(curl_easy_init());
  if (!curl) throw std::bad_alloc();
  const auto set = [&](CURLoption option, auto value) { (void)curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, target.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOPROXY, "*");  // http_proxy is for others: this daemon is on the same host
  set(CURLOPT_CONNECTTIMEOUT_MS, kTimeoutMillis);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_WRITEFUNCTION, &take_http_bytes);
  set(CURLOPT_WRITEDATA, const_cast<Take*>(&take));
  if (local && login.enabled()) {
    set(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    set(CURLOPT_USERNAME, login.user.c_str());
    set(CURLOPT_PASSWORD, login.password.c_str());
  } else if (may_log_in(local, tls)) {
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
  }
  if (tls.enabled) use_tls(curl.get(), tls);
  return curl;
}

/// Runs the request; empty = it got an answer.
std::string perform(CURL* curl) {
  std::array<char, CURL_ERROR_SIZE> error{};
  (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error.data());
  const auto code = curl_easy_perform(curl);
  (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  if (code == CURLE_OK) return {};
  return error[0] != '\0' ? error.data() : curl_easy_strerror(code);
}

long status_of(CURL* curl) {
  long status = 0;
  (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

}  // namespace

std::variant<DaemonClient, DaemonClient::Failure> DaemonClient::of(const core::Config& config,
                                                                   const std::string& url) {
  const auto& http = config.http;
  if (url.empty() && (!http.enabled() || http.port == 0)) {
    return Failure{
        fmt::format("http.listen is {}, so there is no fixed address to ask: set it, or give --url",
                    http.enabled() ? "on port 0" : "empty")};
  }
  core::WebTls tls;
  if (const auto& file = http.web_config_file; !file.empty()) {
    auto loaded = config::load_web_config(file);
    if (const auto* problems = std::get_if<std::vector<std::string>>(&loaded)) {
      return Failure{fmt::format("{}", fmt::join(*problems, "\n"))};
    }
    tls = std::get<core::WebConfig>(std::move(loaded)).tls;
  }
  auto base = url.empty() ? base_url(http, tls.enabled) : url;
  while (base.ends_with('/')) base.pop_back();
  return DaemonClient(std::move(base), http.basic_auth, std::move(tls), url.empty());
}

std::variant<DaemonClient::Answer, DaemonClient::Failure> DaemonClient::get(std::string_view path,
                                                                            std::size_t bytes_max) const {
  return ask(path, nullptr, bytes_max);
}

std::variant<DaemonClient::Answer, DaemonClient::Failure> DaemonClient::post(std::string_view path,
                                                                             const std::string& json,
                                                                             std::size_t bytes_max) const {
  return ask(path, &json, bytes_max);
}

std::variant<DaemonClient::Answer, DaemonClient::Failure> DaemonClient::ask(std::string_view path,
                                                                            const std::string* json,
                                                                            std::size_t bytes_max) const {
  Answer answer;
  const Take take = [&](std::string_view bytes) {
    if (answer.body.size() + bytes.size() > bytes_max) return false;
    answer.body += bytes;
    return true;
  };
  const auto target = base_ + std::string(path);
  const auto curl = request(target, login_, local_, tls_, take);
  Headers headers;
  if (json != nullptr) {
    headers.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
    (void)curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    (void)curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, json->c_str());
  }
  (void)curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, json == nullptr ? kTimeoutMillis : kChangeMillis);
  if (auto failed = perform(curl.get()); !failed.empty()) {
    return Failure{fmt::format("{}: {}", target, failed)};
  }
  answer.status = status_of(curl.get());
  return answer;
}

DaemonClient::Failure DaemonClient::stream(std::string_view path, const std::string& resume,
                                           const std::function<void(std::string_view)>& take) const {
  const auto target = base_ + std::string(path);
  std::string refusal;
  CURL* running = nullptr;
  const Take hand_on = [&](std::string_view bytes) {
    // The body of a refusal is no stream.
    if (status_of(running) == 200) {
      take(bytes);
    } else {
      refusal += bytes.substr(0, 200);
    }
    return true;
  };
  const auto curl = request(target, login_, local_, tls_, hand_on);
  running = curl.get();
  (void)curl_easy_setopt(running, CURLOPT_LOW_SPEED_LIMIT, 1L);
  (void)curl_easy_setopt(running, CURLOPT_LOW_SPEED_TIME, kSilenceSeconds);
  Headers headers;
  if (!resume.empty()) {
    headers.reset(curl_slist_append(nullptr, fmt::format("Last-Event-ID: {}", resume).c_str()));
    (void)curl_easy_setopt(running, CURLOPT_HTTPHEADER, headers.get());
  }
  if (auto failed = perform(running); !failed.empty()) return {fmt::format("{}: {}", target, failed)};
  const auto status = status_of(running);
  while (refusal.ends_with('\n')) refusal.pop_back();
  if (status == 200) return {fmt::format("{}: the stream of events ended", target)};
  return {fmt::format("{}: status {}: {}", target, status, refusal)};
}

}  // namespace dupwatch::cli
