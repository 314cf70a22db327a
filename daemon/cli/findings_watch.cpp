#include "daemon/cli/findings_watch.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <unordered_map>
#include <utility>

#include "daemon/cli/event_stream.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/core/finding_record.hpp"
#include "daemon/process/clock.hpp"

namespace dupwatch::cli {
namespace {

constexpr std::chrono::seconds kPauseMin{1};
constexpr std::chrono::seconds kPauseMax{15};

/// What was printed, so that a list that comes again is told once.
class Printed {
 public:
  explicit Printed(const WatchOptions& options) : options_(options), colours_(isatty(STDOUT_FILENO) == 1) {}

  /// The list as it is now: whole the first time, then what is new in it.
  void list(std::vector<core::Finding> findings) {
    if (std::exchange(begun_, true)) {
      // As they were reported.
      std::ranges::reverse(findings);
      for (const auto& finding : findings) one(finding);
      return;
    }
    for (const auto& finding : findings) known_[finding.id] = core::to_json(finding);
    if (options_.json) {
      for (const auto& finding : findings) print(core::to_json(finding) + '\n');
    } else {
      print(findings_table(findings, options_.width, process::wall_now(), colours_));
    }
    (void)std::fflush(stdout);
  }

  void one(const core::Finding& finding) {
    if (!options_.filter.admits(finding) && !known_.contains(finding.id)) return;
    auto record = core::to_json(finding);
    auto& known = known_[finding.id];
    if (known == record) return;
    print(options_.json ? record + '\n'
                        : findings_line(finding, options_.width, process::wall_now(), colours_));
    (void)std::fflush(stdout);
    known = std::move(record);
  }

 private:
  const WatchOptions& options_;
  bool colours_;
  bool begun_ = false;
  std::unordered_map<std::uint64_t, std::string> known_;
};

}  // namespace

process::ExitCode watch_findings(const core::Config& config, const WatchOptions& options) {
  const auto made = DaemonClient::of(config, options.url);
  if (const auto* failure = std::get_if<DaemonClient::Failure>(&made)) {
    fmt::print(stderr, "error: {}\n", failure->what);
    return process::ExitCode::kUsage;
  }
  const auto& client = std::get<DaemonClient>(made);
  Printed printed(options);
  EventStream events;
  bool heard = false;
  auto pause = kPauseMin;
  const auto take = [&](std::string_view bytes) {
    for (const auto& event : events.take(bytes)) {
      if (!std::exchange(heard, true)) fmt::print(stderr, "from the daemon at {}\n", client.base());
      pause = kPauseMin;
      if (event.name == "finding") {
        if (const auto finding = core::read_finding(event.data)) printed.one(*finding);
      }
      if (event.name != "list") continue;
      auto found = ask_daemon(client, options.filter, options.limit, 0);
      if (auto* list = std::get_if<FoundFindings>(&found)) printed.list(std::move(list->findings));
    }
  };
  for (;;) {
    events.restart();
    const auto failure = client.stream("/api/events", events.last_id(), take);
    if (!heard) {
      fmt::print(stderr,
                 "error: {}; remedy: `dupwatch findings` reads findings.file and findings.table too\n",
                 failure.what);
      return process::ExitCode::kTemporary;
    }
    fmt::print(stderr, "{}; trying again in {} s\n", failure.what, pause.count());
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kPauseMax);
  }
}

}  // namespace dupwatch::cli
