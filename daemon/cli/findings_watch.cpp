#include "daemon/cli/findings_watch.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "daemon/cli/event_stream.hpp"
#include "daemon/cli/printed_findings.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/core/finding_record.hpp"
#include "daemon/process/clock.hpp"

namespace dupwatch::cli {
namespace {

constexpr std::chrono::seconds kPauseMin{1};
constexpr std::chrono::seconds kPauseMax{15};

}  // namespace

process::ExitCode watch_findings(const core::Config& config, const WatchOptions& options) {
  const auto made = DaemonClient::of(config, options.url);
  if (const auto* failure = std::get_if<DaemonClient::Failure>(&made)) {
    fmt::print(stderr, "error: {}\n", failure->what);
    return process::ExitCode::kUsage;
  }
  const auto& client = std::get<DaemonClient>(made);
  PrintedFindings printed(options, isatty(STDOUT_FILENO) == 1);
  EventStream events;
  bool heard = false;
  auto pause = kPauseMin;
  const auto say = [](const std::string& text) {
    print(text);
    (void)std::fflush(stdout);
  };
  const auto take = [&](std::string_view bytes) {
    for (const auto& event : events.take(bytes)) {
      if (!std::exchange(heard, true)) fmt::print(stderr, "from the daemon at {}\n", client.base());
      pause = kPauseMin;
      if (event.name == "finding") {
        if (const auto finding = core::read_finding(event.data))
          say(printed.one(*finding, process::wall_now()));
      }
      if (event.name != "list") continue;
      auto found = ask_daemon(client, options.filter, options.limit, 0);
      if (auto* list = std::get_if<FoundFindings>(&found))
        say(printed.list(std::move(list->findings), process::wall_now()));
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
