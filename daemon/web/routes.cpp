#include "daemon/web/routes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "daemon/web/assets.hpp"
#include "daemon/web/exposition.hpp"
#include "daemon/web/history.hpp"
#include "daemon/web/json.hpp"
#include "daemon/web/page.hpp"
#include "daemon/web/verdict.hpp"

namespace dupwatch::web {
namespace {

constexpr std::size_t kLimitDefault = 100;

/// The parameter `limit` of `query`; nullopt when it is not a whole number from 1 to `max`, or given twice.
[[nodiscard]] std::optional<std::size_t> limit_of(std::string_view query, std::size_t max) {
  constexpr std::string_view kName = "limit=";
  std::optional<std::size_t> limit;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto parameter = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (!parameter.starts_with(kName)) continue;
    const auto digits = parameter.substr(kName.size());
    std::size_t value = 0;
    const auto* last = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), last, value);
    if (limit || error != std::errc{} || rest != last || value < 1 || value > max) return std::nullopt;
    limit = value;
  }
  return limit.value_or(std::min(kLimitDefault, max));
}

[[nodiscard]] Response findings(const Request& request, const StatusStore& store) {
  const auto limit = limit_of(request.query, store.keep());
  if (!limit) {
    return {400, kJsonContentType,
            error_json(fmt::format("limit must be one whole number from 1 to {}", store.keep()))};
  }
  return {200, kJsonContentType, findings_json(store, *limit)};
}

[[nodiscard]] Response readiness(const StatusStore& store, bool known) {
  const auto status = store.snapshot();
  const auto reason = known ? status->not_ready_reason : "not ready";
  Response response;
  response.status = status->ready ? 200 : 503;
  response.body = status->ready ? "ready\n" : reason + "\n";
  return response;
}

/// Whether the daemon has begun to stream once; what comes later is readiness's business.
[[nodiscard]] Response startup(const StatusStore& store, bool known) {
  const bool started = store.has_streamed();
  const auto reason = known ? store.snapshot()->not_ready_reason : "not started";
  Response response;
  response.status = started ? 200 : 503;
  response.body = started ? "started\n" : reason + "\n";
  return response;
}

[[nodiscard]] Response health(bool alive) {
  Response response;
  response.status = alive ? 200 : 503;
  response.body = alive ? "ok\n" : "the event loop does not turn\n";
  return response;
}

[[nodiscard]] Response metrics(const Request& request, const StatusStore& store,
                               const core::Profile& profile) {
  const bool open = request.metrics == MetricsFormat::kOpenMetrics;
  Response response{
      200, open ? kOpenMetricsContentType : kMetricsContentType,
      open ? render_open_metrics(*store.snapshot(), profile) : render_metrics(*store.snapshot(), profile)};
  response.compressible = true;
  return response;
}

}  // namespace

Response plain(int status, std::string_view text) {
  Response response;
  response.status = status;
  response.body = text;
  return response;
}

bool is_probe(std::string_view path) noexcept {
  return path == "/healthz" || path == "/readyz" || path == "/startupz";
}

Response unauthorized() {
  return plain(401, "a user and a password are needed\n");
}

Response respond(const Request& request, const StatusStore& store, const core::Profile& profile,
                 StatusStore::Clock::time_point now) {
  if (request.method != "GET" && request.method != "HEAD") return plain(405, "GET or HEAD only\n");
  const auto path = request.path;
  if (path == "/metrics") return metrics(request, store, profile);
  const bool alive = store.alive(now);
  if (path == "/healthz") return health(alive);
  if (path == "/readyz") return readiness(store, request.known);
  if (path == "/startupz") return startup(store, request.known);
  if (path == "/api/findings") return findings(request, store);
  if (path == "/api/status") {
    const auto status = store.snapshot();
    return {200, kJsonContentType, status_json(*status, judge(*status, alive))};
  }
  if (path == "/") {
    return {200, "text/html; charset=utf-8", render_page(store, judge(*store.snapshot(), alive))};
  }
  if (path == "/app.js") return {200, "text/javascript; charset=utf-8", std::string{app_js()}};
  if (path == "/app.css") return {200, "text/css; charset=utf-8", std::string{app_css()}};
  if (path == "/icon.svg") return {200, "image/svg+xml", std::string{icon_svg()}};
  if (path == "/api/history") return {200, kJsonContentType, history_json(store.history(), now)};
  return plain(404, "not found\n");
}

}  // namespace dupwatch::web
