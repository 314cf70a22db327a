#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/core/profile.hpp"
#include "daemon/web/access.hpp"
#include "daemon/web/acknowledge_request.hpp"
#include "daemon/web/connection.hpp"
#include "daemon/web/offload.hpp"
#include "daemon/web/routes.hpp"
#include "daemon/web/status_store.hpp"

namespace dupwatch::web {

/// From a request to its answer: who may have it, and which thread makes it. Of the server's thread, but for
/// the counters. The probes are answered on that thread, so that no other work is before them.
class Dispatcher {
 public:
  using Reload = std::function<Response()>;
  using Acknowledge = std::function<Response(const AcknowledgeRequest&)>;
  /// What a client may change; each may be empty.
  struct Changes {
    Reload reload{};
    Acknowledge acknowledge{};
  };
  /// A request was refused for its Host or Origin, which is the argument.
  using Refused = std::function<void(const std::string&)>;

  /// References must outlive it. Throws std::system_error where no thread can be made.
  Dispatcher(boost::asio::io_context& io, StatusStore& store, core::Profile profile, Changes changes,
             Refused refused);

  void set_access(std::shared_ptr<const Access> access);
  [[nodiscard]] const std::shared_ptr<const Access>& access() const noexcept { return access_; }

  /// `streams_left` = whether one more reader of /api/events may come.
  void handle(const std::shared_ptr<Connection>& connection, RequestHead head, bool streams_left);
  void refuse(const std::shared_ptr<Connection>& connection, int status) const;

  /// Requests answered with 401.
  [[nodiscard]] std::uint64_t unauthorized_total() const noexcept { return unauthorized_; }
  /// Requests refused for their Host or their Origin.
  [[nodiscard]] std::uint64_t foreign_total() const noexcept { return foreign_; }

 private:
  /// A request on its way, shared by the threads that work on it.
  struct Job {
    std::shared_ptr<Connection> connection;
    std::shared_ptr<const Access> access;
    RequestHead head;
    Target target;
    Authority host{};
    /// Host is among those that are admitted.
    bool host_admitted = false;
    bool streams_left = false;
    bool known = true;
  };
  using JobPtr = std::shared_ptr<Job>;

  /// nullptr: it is answered already.
  [[nodiscard]] JobPtr job_of(const std::shared_ptr<Connection>& connection, RequestHead head) const;
  void admit(const JobPtr& job);
  void serve(const JobPtr& job);
  [[nodiscard]] Response metrics(const RequestHead& head);
  void serve_stream(const JobPtr& job);
  void serve_reload(const JobPtr& job);
  void serve_acknowledge(const JobPtr& job);
  /// Whether a request that changes something is a POST of ours; false: it is answered.
  [[nodiscard]] bool is_own_post(const JobPtr& job);
  void refuse_foreign(const JobPtr& job, std::string_view header, const std::string& value,
                      std::string_view remedy);
  void answer(const Job& job, Response response) const;
  /// `work` on another thread; what it gives is sent.
  void answer_from(Offload& thread, const JobPtr& job, std::function<Response()> work);

  boost::asio::io_context& io_;
  StatusStore& store_;
  const core::Profile profile_;
  const Changes changes_;
  const Refused refused_;
  std::shared_ptr<const Access> access_;
  RateLimit rate_{std::chrono::nanoseconds{0}, 0};
  std::atomic<std::uint64_t> unauthorized_ = 0;
  std::atomic<std::uint64_t> foreign_ = 0;
  /// Of the thread of scrapes: the last answers, one for each format, and what they were made of.
  struct Scraped {
    std::shared_ptr<const core::StatusSnapshot> of;
    StatusStore::Clock::time_point at{};
    std::optional<Response> response;
  };
  std::array<Scraped, 2> scraped_;
  /// /metrics alone; pages; bcrypt; POST /-/reload.
  Offload scrapes_;
  Offload pages_;
  Offload passwords_;
  std::optional<Offload> reloads_;
  /// Acknowledgements.
  std::optional<Offload> acknowledgements_;
};

}  // namespace dupwatch::web
