#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/cli/command.hpp"
#include "daemon/config/web_config_file.hpp"

namespace dupwatch::cli {
namespace {

// Shorter than the default time limit of a container's health check, 30 s: our message is the better one.
constexpr long kTimeoutMillis = 5'000;
// The answer is a sentence; another program's page need not be read to its end.
constexpr std::size_t kAnswerBytesMax = 4096;

extern "C" std::size_t keep_health_answer(char* data, std::size_t size, std::size_t count, void* kept) {
  auto& answer = *static_cast<std::string*>(kept);
  if (answer.size() + size * count > kAnswerBytesMax) return 0;
  answer.append(data, size * count);
  return size * count;
}

/// Where the daemon with this configuration is reached from the same host.
std::string base_url(const core::HttpConfig& http, bool tls) {
  const bool any = http.host == "0.0.0.0";
  const bool v6 = http.host.find(':') != std::string::npos;
  const auto host = any                         ? "127.0.0.1"
                    : v6 && http.host[0] != '[' ? fmt::format("[{}]", http.host)
                                                : http.host;
  return fmt::format("{}://{}:{}", tls ? "https" : "http", host, http.port);
}

/// It is the same host, and what is asked is no secret, so the name in the certificate is not looked at. A
/// server that wants a certificate takes its own.
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

process::ExitCode health_command(const core::Config& config, bool ready, const std::string& url) {
  if (url.empty() && (!config.http.enabled() || config.http.port == 0)) {
    fmt::print(stderr,
               "dupwatch: http.listen is {}, so there is no fixed address to ask: set it, or give --url\n",
               config.http.enabled() ? "on port 0" : "empty");
    return process::ExitCode::kUsage;
  }
  core::WebTls tls;
  if (const auto& file = config.http.web_config_file; !file.empty()) {
    auto loaded = config::load_web_config(file);
    if (const auto* problems = std::get_if<std::vector<std::string>>(&loaded)) {
      for (const auto& problem : *problems) fmt::print(stderr, "{}\n", problem);
      return process::ExitCode::kUsage;
    }
    tls = std::get<core::WebConfig>(std::move(loaded)).tls;
  }
  auto target = url.empty() ? base_url(config.http, tls.enabled) : url;
  while (target.ends_with('/')) target.pop_back();
  target += ready ? "/readyz" : "/healthz";

  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), &curl_easy_cleanup);
  if (!curl) throw std::bad_alloc();
  std::string answer;
  std::array<char, CURL_ERROR_SIZE> error{};
  const auto set = [&](CURLoption option, auto value) { (void)curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, target.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOPROXY, "*");  // http_proxy is for others: this daemon is on the same host
  set(CURLOPT_TIMEOUT_MS, kTimeoutMillis);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_ERRORBUFFER, error.data());
  set(CURLOPT_WRITEFUNCTION, &keep_health_answer);
  set(CURLOPT_WRITEDATA, &answer);
  if (tls.enabled) use_tls(curl.get(), tls);
  const auto code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    fmt::print(stderr, "dupwatch: {}: {}\n", target,
               error[0] != '\0' ? error.data() : curl_easy_strerror(code));
    return process::ExitCode::kFindings;
  }
  long status = 0;
  (void)curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  while (answer.ends_with('\n')) answer.pop_back();
  if (status == 200) {
    fmt::print("{}\n", answer);
    return process::ExitCode::kClean;
  }
  fmt::print(stderr, "dupwatch: {}: status {}: {}\n", target, status, answer);
  return process::ExitCode::kFindings;
}

class HealthCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--ready", ready_, "Ask whether it watches, not only whether it is alive");
    app.add_option("--url", url_, "Where it listens, such as http://127.0.0.1:9788")->type_name("URL");
  }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    return health_command(invocation.config, ready_, url_);
  }

 private:
  bool ready_ = false;
  std::string url_;
};

}  // namespace

std::unique_ptr<Command> make_health() {
  return std::make_unique<HealthCommand>();
}

}  // namespace dupwatch::cli
