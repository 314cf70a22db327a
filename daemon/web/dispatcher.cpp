#include "daemon/web/dispatcher.hpp"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "daemon/web/event_feed.hpp"
#include "daemon/web/json.hpp"

namespace dupwatch::web {
namespace {

constexpr std::string_view kReloadPath = "/-/reload";
constexpr std::string_view kEventsPath = "/api/events";
constexpr std::string_view kEventsContentType = "text/event-stream; charset=utf-8";
constexpr std::size_t kNamedBytesMax = 255;
constexpr std::size_t kScrapesWaitingMax = 256;
constexpr std::chrono::milliseconds kScrapeAgeMax{50};
constexpr std::size_t kPagesWaitingMax = 128;
constexpr std::size_t kPasswordsWaitingMax = 16;
// A client gives up after ten seconds or so: whoever waited for long is asked to come again instead.
constexpr std::chrono::seconds kPasswordWaitMax{2};
constexpr std::size_t kReloadsWaitingMax = 4;
constexpr std::size_t kAcknowledgementsWaitingMax = 16;

[[nodiscard]] Response busy() {
  return plain(503, "too many wait for the same; try again\n");
}

[[nodiscard]] AnswerForm form_of(const RequestHead& head, const Access& access) {
  return {.head_only = head.method == "HEAD",
          .gzip = accepts_gzip(head.accept_encoding),
          .headers = &access.headers};
}

}  // namespace

Dispatcher::Dispatcher(boost::asio::io_context& io, StatusStore& store, core::Profile profile,
                       Changes changes, Refused refused)
    : io_(io),
      store_(store),
      profile_(std::move(profile)),
      changes_(std::move(changes)),
      refused_(std::move(refused)),
      scrapes_(kScrapesWaitingMax),
      pages_(kPagesWaitingMax),
      passwords_(kPasswordsWaitingMax, Offload::Priority::kLow) {
  if (changes_.reload) reloads_.emplace(kReloadsWaitingMax);
  if (changes_.acknowledge) acknowledgements_.emplace(kAcknowledgementsWaitingMax);
}

void Dispatcher::set_access(std::shared_ptr<const Access> access) {
  const bool same_rate =
      access_ && access_->rate_interval == access->rate_interval && access_->rate_burst == access->rate_burst;
  if (!same_rate) rate_ = RateLimit{access->rate_interval, access->rate_burst};
  access_ = std::move(access);
}

void Dispatcher::refuse(const std::shared_ptr<Connection>& connection, int status) const {
  connection->respond(answer_bytes(plain(status, fmt::format("{}\n", reason_of(status))),
                                   {.head_only = false, .gzip = false, .headers = &access_->headers}));
}

Dispatcher::JobPtr Dispatcher::job_of(const std::shared_ptr<Connection>& connection, RequestHead head) const {
  auto target = parse_target(head.target);
  const bool host_missing = !head.host && !head.http_1_0;
  if (!target || head.ambiguous || host_missing) {
    refuse(connection, 400);
    return nullptr;
  }
  auto job = std::make_shared<Job>(Job{
      .connection = connection, .access = access_, .head = std::move(head), .target = *std::move(target)});
  if (job->head.host) {
    const auto host = parse_authority(*job->head.host);
    const auto named = job->target.authority.empty() ? host : parse_authority(job->target.authority);
    if (!host || !named) {
      refuse(connection, 400);
      return nullptr;
    }
    job->host = *named;
    job->host_admitted = access_->hosts.admits(host->host) && access_->hosts.admits(named->host);
  } else {
    // HTTP/1.0 without Host is no browser's, and only a browser's name can be pointed elsewhere.
    job->host_admitted = true;
  }
  return job;
}

void Dispatcher::handle(const std::shared_ptr<Connection>& connection, RequestHead head, bool streams_left) {
  const auto job = job_of(connection, std::move(head));
  if (!job) return;
  job->streams_left = streams_left;
  const auto& gate = *access_->gate;
  const auto verdict = gate.closed() ? gate.look(job->head.authorization) : PasswordGate::Verdict::kAdmitted;
  if (is_probe(job->target.path)) {
    // Not for bcrypt: the probe of a supervisor waits for nobody.
    job->known = verdict == PasswordGate::Verdict::kAdmitted && (job->host_admitted || gate.closed());
    answer(*job, respond({.method = job->head.method,
                          .path = job->target.path,
                          .query = job->target.query,
                          .known = job->known},
                         store_, profile_, StatusStore::Clock::now()));
    return;
  }
  if (!rate_.take(RateLimit::Clock::now())) {
    answer(*job, plain(429, "more requests than rate_limit of the web configuration file allows\n"));
    return;
  }
  job->known = verdict == PasswordGate::Verdict::kAdmitted;
  if (verdict != PasswordGate::Verdict::kUnknown) {
    admit(job);
    return;
  }
  const bool taken = passwords_.submit([this, job, until = StatusStore::Clock::now() + kPasswordWaitMax] {
    if (StatusStore::Clock::now() > until) {
      boost::asio::post(io_, [this, job] { answer(*job, busy()); });
      return;
    }
    const bool right = job->access->gate->check(job->head.authorization);
    boost::asio::post(io_, [this, job, right] {
      job->known = right;
      admit(job);
    });
  });
  if (!taken) answer(*job, busy());
}

void Dispatcher::admit(const JobPtr& job) {
  if (!job->known) {
    ++unauthorized_;
    answer(*job, unauthorized());
    return;
  }
  // Who has shown a password may use any name: a foreign page has none to show.
  if (!job->host_admitted && !job->access->gate->closed()) {
    refuse_foreign(job, "Host", job->host.host, "name it in http.allowed_hosts if it is dupwatch's");
    return;
  }
  serve(job);
}

void Dispatcher::serve(const JobPtr& job) {
  const auto& path = job->target.path;
  const bool get = job->head.method == "GET";
  if (path == kReloadPath) {
    serve_reload(job);
  } else if (acknowledgements_ && is_acknowledge_path(path)) {
    serve_acknowledge(job);
  } else if (path == kEventsPath && get) {
    serve_stream(job);
  } else if (path == kEventsPath && job->head.method == "HEAD") {
    answer(*job, {200, kEventsContentType, ""});
  } else if (path == "/metrics" && (get || job->head.method == "HEAD")) {
    answer_from(scrapes_, job, [this, job] { return metrics(job->head); });
  } else {
    answer_from(pages_, job, [this, job] {
      return respond({.method = job->head.method,
                      .path = job->target.path,
                      .query = job->target.query,
                      .known = job->known},
                     store_, profile_, StatusStore::Clock::now());
    });
  }
}

Response Dispatcher::metrics(const RequestHead& head) {
  const auto format = metrics_format(head.accept);
  const auto now = StatusStore::Clock::now();
  auto snapshot = store_.snapshot();
  auto& last = scraped_[static_cast<std::size_t>(format)];
  // Many that ask at once get the same answer.
  if (!last.response || last.of != snapshot || now - last.at > kScrapeAgeMax) {
    last.response =
        respond({.method = "GET", .path = "/metrics", .query = {}, .known = true, .metrics = format}, store_,
                profile_, now);
    last.of = std::move(snapshot);
    last.at = now;
  }
  return *last.response;
}

void Dispatcher::serve_stream(const JobPtr& job) {
  if (!job->streams_left) {
    answer(*job, {503, kJsonContentType,
                  error_json("too many clients have the events already; /api/findings serves all")});
    return;
  }
  job->connection->stream(stream_head(job->access->headers) + "retry: 1000\n\n",
                          EventFeed{store_, job->head.last_event_id});
}

bool Dispatcher::is_own_post(const JobPtr& job) {
  if (job->head.method != "POST") {
    answer(*job, {405, kJsonContentType, error_json("POST only"), "POST"});
    return false;
  }
  if (!is_same_origin(job->head.origin, job->head.fetch_site, job->host)) {
    refuse_foreign(job, "Origin", job->head.origin.empty() ? job->head.fetch_site : job->head.origin,
                   "ask from a page of dupwatch's own or from a program");
    return false;
  }
  return true;
}

void Dispatcher::serve_acknowledge(const JobPtr& job) {
  if (!is_own_post(job)) return;
  if (!job->access->may_change) {
    answer(*job,
           {403, kJsonContentType,
            error_json("a finding is acknowledged only by who has shown a password, or on a daemon that "
                       "listens on the loopback alone: set http.basic_auth, users in the web "
                       "configuration file, or http.listen: 127.0.0.1:9788")});
    return;
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto user = job->access->gate->closed() ? user_of(job->head.authorization) : std::string{};
  const auto request = parse_acknowledge(
      job->target.path, job->head, user,
      decoder::Timestamp{std::chrono::duration_cast<std::chrono::microseconds>(now).count()});
  if (const auto* wrong = std::get_if<std::string>(&request)) {
    answer(*job, {400, kJsonContentType, error_json(*wrong)});
    return;
  }
  answer_from(*acknowledgements_, job,
              [this, wish = std::get<AcknowledgeRequest>(request)] { return changes_.acknowledge(wish); });
}

void Dispatcher::serve_reload(const JobPtr& job) {
  if (!is_own_post(job)) return;
  if (!reloads_) {
    answer(*job, {403, kJsonContentType,
                  error_json("the configuration is not reloaded over HTTP: send SIGHUP, or set http.reload: "
                             "true and restart")});
    return;
  }
  answer_from(*reloads_, job, changes_.reload);
}

void Dispatcher::refuse_foreign(const JobPtr& job, std::string_view header, const std::string& value,
                                std::string_view remedy) {
  ++foreign_;
  refused_(value.substr(0, kNamedBytesMax));
  // The value is a stranger's: it is not repeated.
  answer(*job, plain(403, fmt::format("this request is for or from somewhere else, as {} says; {}\n", header,
                                      remedy)));
}

void Dispatcher::answer(const Job& job, Response response) const {
  job.connection->respond(answer_bytes(std::move(response), form_of(job.head, *job.access)));
}

void Dispatcher::answer_from(Offload& thread, const JobPtr& job, std::function<Response()> work) {
  const bool taken = thread.submit([this, job, work = std::move(work)] {
    auto bytes = answer_bytes(work(), form_of(job->head, *job->access));
    boost::asio::post(
        io_, [job, bytes = std::move(bytes)]() mutable { job->connection->respond(std::move(bytes)); });
  });
  if (!taken) answer(*job, busy());
}

}  // namespace dupwatch::web
