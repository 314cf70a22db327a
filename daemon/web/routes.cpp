#include "daemon/web/routes.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <variant>

#include "daemon/web/assets.hpp"
#include "daemon/web/exposition.hpp"
#include "daemon/web/findings_query.hpp"
#include "daemon/web/history.hpp"
#include "daemon/web/json.hpp"
#include "daemon/web/page.hpp"
#include "daemon/web/runbook_pages.hpp"
#include "daemon/web/verdict.hpp"

namespace dupwatch::web {
namespace {

constexpr std::string_view kFindingPrefix = "/api/findings/";
constexpr std::string_view kRunPrefix = "/api/runs/";
constexpr std::string_view kRunbooks = "/runbooks/";

[[nodiscard]] Response json(int status, std::string body) {
  return {status, kJsonContentType, std::move(body)};
}

[[nodiscard]] Response findings(const Request& request, const StatusStore& store) {
  const auto query = parse_findings_query(request.query, store.keep(), store.origin());
  if (const auto* wrong = std::get_if<std::string>(&query)) return json(400, error_json(*wrong));
  return json(200, findings_json(store, std::get<FindingsQuery>(query)));
}

[[nodiscard]] Response runbook(std::string_view name) {
  auto page = name.empty() ? runbook_list() : runbook_page(name);
  if (page.empty()) return plain(404, "there is no such runbook\n");
  Response response{200, "text/html; charset=utf-8", std::move(page)};
  response.compressible = true;
  return response;
}

/// One of the page's modules, which import each other; empty = there is none.
[[nodiscard]] std::string_view script_at(std::string_view path) noexcept {
  static constexpr auto kScripts = std::to_array<std::pair<std::string_view, std::string_view (*)()>>({
      {"/acknowledge.js", acknowledge_js},
      {"/app.js", app_js},
      {"/finding.js", finding_js},
      {"/format.js", format_js},
      {"/list.js", list_js},
      {"/state.js", state_js},
      {"/status.js", status_js},
      {"/timeline.js", timeline_js},
  });
  const auto* script = std::ranges::find(kScripts, path, [](const auto& named) { return named.first; });
  return script == kScripts.end() ? std::string_view{} : script->second();
}

/// These take no parameter.
[[nodiscard]] std::optional<Response> refused_query(const Request& request) {
  if (request.query.empty()) return std::nullopt;
  return json(400, error_json("this path takes no parameters"));
}

[[nodiscard]] Response one_finding(const Request& request, const StatusStore& store) {
  if (auto refused = refused_query(request)) return *std::move(refused);
  const auto id = core::parse_finding_id(request.path.substr(kFindingPrefix.size()));
  if (!id) return json(400, error_json("a finding id has 16 hexadecimal digits"));
  const auto found = store.find(*id);
  if (!found) return json(404, error_json("no such finding is kept; see findings.keep"));
  return json(200, core::to_json(*found));
}

[[nodiscard]] Response one_run(const Request& request, const StatusStore& store) {
  if (auto refused = refused_query(request)) return *std::move(refused);
  const auto run_id = request.path.substr(kRunPrefix.size());
  auto body = run_id.empty() ? std::string{} : run_findings_json(store, run_id);
  if (body.empty()) return json(404, error_json("no finding of such a run is kept; see findings.keep"));
  return json(200, std::move(body));
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
  if (path.starts_with(kFindingPrefix)) return one_finding(request, store);
  if (path.starts_with(kRunPrefix)) return one_run(request, store);
  if (path == "/api/status") {
    const auto status = store.snapshot();
    return {200, kJsonContentType, status_json(*status, judge(*status, alive))};
  }
  if (path == "/") {
    return {200, "text/html; charset=utf-8", render_page(store, judge(*store.snapshot(), alive))};
  }
  if (const auto script = script_at(path); !script.empty()) {
    return {200, "text/javascript; charset=utf-8", std::string{script}};
  }
  if (path == "/app.css") return {200, "text/css; charset=utf-8", std::string{app_css()}};
  if (path == "/icon.svg") return {200, "image/svg+xml", std::string{icon_svg()}};
  if (path.starts_with(kRunbooks)) return runbook(path.substr(kRunbooks.size()));
  if (path == "/api/history") return {200, kJsonContentType, history_json(store.history(), now)};
  return plain(404, "not found\n");
}

}  // namespace dupwatch::web
