#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "daemon/core/durability.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/findings/outputs.hpp"
#include "daemon/process/event_fd.hpp"
#include "daemon/web/http_server.hpp"

namespace dupwatch::run {

/// Acknowledges findings for those who ask over HTTP, and ends that in time. What was said is in the records
/// of the findings, and an asker is answered once it is durable there.
class Acknowledger {
 public:
  /// So long an asker waits for the loop, and for the disk.
  static constexpr std::chrono::seconds kAnswerMax{10};
  static constexpr std::chrono::seconds kDurableMax{3};

  /// `wake` is signalled when somebody asks. References must outlive it.
  Acknowledger(core::Watch& watch, findings::FindingOutputs& outputs, process::EventFd& wake)
      : watch_(watch), outputs_(outputs), wake_(wake) {}

  /// Of the loop. True: something has changed, and is to be published before the next turn, which answers.
  [[nodiscard]] bool turn(core::Instant now);

  /// Of any other thread.
  [[nodiscard]] web::Response ask(const web::AcknowledgeRequest& wish);
  /// Nobody waits here any more.
  void stop();

 private:
  using Outcome = core::Watch::Acknowledged;

  void take_wish(core::Instant now);
  /// Of the wish with this number, which its asker may have given up.
  void answer(std::uint64_t number, web::Response response);
  void answer_when_durable(core::Instant now);
  /// Acknowledgements that have ended, and those that a new findings file lacks.
  [[nodiscard]] bool look_after(core::Instant now);
  [[nodiscard]] static web::Response refusal(Outcome outcome);

  core::Watch& watch_;
  findings::FindingOutputs& outputs_;
  process::EventFd& wake_;

  // Of the loop.
  struct Done {
    std::uint64_t number;
    std::uint64_t finding_id;
    core::AddedFindings added;
    core::Instant until;
  };
  std::optional<Done> done_;
  core::Instant next_look_{};

  std::atomic<bool> is_asked_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  // All below are guarded by mutex_.
  bool stop_ = false;
  bool busy_ = false;
  /// Of the last wish.
  std::uint64_t number_ = 0;
  std::optional<web::AcknowledgeRequest> wish_;
  std::optional<web::Response> answer_;
};

}  // namespace dupwatch::run
