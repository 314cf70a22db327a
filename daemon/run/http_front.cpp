#include "daemon/run/http_front.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <variant>

#include "daemon/config/web_config_file.hpp"
#include "daemon/web/json.hpp"

namespace dupwatch::run {
namespace {

std::string reload_json(const ConfigReloader::Answer& answer) {
  const auto list = [](const auto& texts) {
    std::string out = "[";
    for (const auto& text : texts) {
      if (out.size() > 1) out += ',';
      core::append_json_string(out, text);
    }
    return out + "]";
  };
  if (!answer.errors.empty()) return fmt::format(R"({{"reloaded":false,"errors":{}}})", list(answer.errors));
  return fmt::format(R"({{"reloaded":true,"applied":{},"needs_restart":{}}})", list(answer.change.applied),
                     list(answer.change.needs_restart));
}

void tell(process::Log& log, const web::HttpNotice& notice, const std::string& file) {
  switch (notice.kind) {
    case web::HttpNotice::Kind::kForeign:
      log.warn("a request for or from somewhere else was refused",
               {{"event", "http_foreign"},
                {"value", notice.texts.empty() ? "" : notice.texts.front()},
                {"remedy", "if dupwatch has that name, add it to http.allowed_hosts"}});
      return;
    case web::HttpNotice::Kind::kNoDescriptors:
      log.error("no HTTP client can be let in: the process has as many files open as it may",
                {{"reason", "http_descriptors"}, {"remedy", "raise its limit of open files (LimitNOFILE)"}});
      return;
    case web::HttpNotice::Kind::kWebConfigRead:
      log.info("web configuration reloaded", {{"event", "web_config_reloaded"}, {"file", file}});
      return;
    case web::HttpNotice::Kind::kWebConfigFailed:
      log.error("the web configuration was not reloaded: the one before stays in force",
                {{"event", "web_config_reload_failed"},
                 {"file", file},
                 {"remedy", "correct what the next lines name; it is read again when a file changes"}});
      for (const auto& text : notice.texts) log.error(text, {{"event", "config_problem"}});
      return;
  }
}

}  // namespace

std::optional<process::ExitCode> HttpFront::start() {
  const auto& http = config_.http;
  if (!http.enabled()) return std::nullopt;
  web::HttpHooks hooks;
  if (http.reload) hooks.reload = [this] { return reload(); };
  hooks.acknowledge = [this](const web::AcknowledgeRequest& wish) { return acknowledger_.ask(wish); };
  const auto file = http.web_config_file;
  if (!file.empty()) hooks.load_web_config = [file] { return config::load_web_config(file); };
  hooks.notify = [this, file](const web::HttpNotice& notice) { tell(log_, notice, file); };
  auto server = web::HttpServer::start(http, store_, config_.profile, std::move(hooks));
  using Failure = web::HttpServer::Failure;
  if (const auto* failure = std::get_if<Failure>(&server)) {
    const bool later = failure->kind == Failure::Kind::kThreads;
    const auto code = later ? process::ExitCode::kTemporary : process::ExitCode::kUsage;
    const auto* remedy = "correct http.listen";
    if (later) remedy = "raise the limit of threads (TasksMax, pids), or start it again later";
    if (failure->kind == Failure::Kind::kWebConfig) remedy = "correct it, or leave out http.web_config_file";
    for (const auto& message : failure->messages) {
      log_.error(message,
                 {{"reason", failure->kind == Failure::Kind::kWebConfig ? "web_config" : "http_listen"},
                  {"remedy", remedy},
                  {"exit_code", std::to_string(process::value(code)), true}});
    }
    return code;
  }
  server_ = std::get<std::unique_ptr<web::HttpServer>>(std::move(server));
  log_.info("listening",
            {{"event", "listening"},
             {"address", fmt::format(fmt::runtime(http.host.find(':') == std::string::npos ? "{}://{}:{}"
                                                                                           : "{}://[{}]:{}"),
                                     server_->tls() ? "https" : "http", http.host, server_->port())},
             {"basic_auth", http.basic_auth.enabled() ? "true" : "false", true}});
  return std::nullopt;
}

web::Response HttpFront::reload() {
  const auto answer = reloader_.ask();
  if (!answer) {
    return {
        503, web::kJsonContentType,
        web::error_json("no answer in time, or too many ask at once; the log tells whether it was reloaded")};
  }
  return {answer->errors.empty() ? 200 : 500, web::kJsonContentType, reload_json(*answer)};
}

void HttpFront::config_changed(const core::HttpConfig& before) {
  if (!server_) return;
  // Clients of /api/events have to show the new password, so it is not set for nothing.
  if (config_.http.basic_auth != before.basic_auth) server_->set_basic_auth(config_.http.basic_auth);
  if (config_.http.allowed_hosts != before.allowed_hosts) {
    server_->set_allowed_hosts(config_.http.allowed_hosts);
  }
}

void HttpFront::describe(core::StatusSnapshot& out, core::Instant /*now*/) const {
  if (server_) out.http = server_->stats();
}

}  // namespace dupwatch::run
