#include "tests/sim/workload.hpp"

#include <array>
#include <optional>
#include <utility>

#include "tests/oracle/findings.hpp"
#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::sim {
namespace {

/// Each with the kind of entity that it belongs to; types named twice come twice as often.
constexpr std::array<std::pair<const char*, const char*>, 23> kTypes = {{{"step_created", "step_"},
                                                                         {"step_created", "step_"},
                                                                         {"step_created", "step_"},
                                                                         {"step_started", "step_"},
                                                                         {"step_started", "step_"},
                                                                         {"step_retrying", "step_"},
                                                                         {"step_completed", "step_"},
                                                                         {"step_completed", "step_"},
                                                                         {"step_failed", "step_"},
                                                                         {"wait_created", "wait_"},
                                                                         {"wait_created", "wait_"},
                                                                         {"wait_completed", "wait_"},
                                                                         {"hook_created", "hook_"},
                                                                         {"hook_created", "hook_"},
                                                                         {"hook_received", "hook_"},
                                                                         {"hook_disposed", "hook_"},
                                                                         {"hook_conflict", "hook_"},
                                                                         {"attr_set", "attr_"},
                                                                         {"attr_set", ""},
                                                                         {"run_created", ""},
                                                                         {"run_started", ""},
                                                                         {"noop", ""},
                                                                         {"of_a_later_version", "step_"}}};
constexpr std::array<const char*, 4> kRunEnds = {"run_completed", "run_failed", "run_failed",
                                                 "run_cancelled"};

}  // namespace

std::string Workload::new_id(const std::string& run_id, std::uint64_t shape) {
  for (;;) {
    // Minted up to 30 ticks before the commit: ids of one run cross.
    const auto number = clock_ - random_.below(30);
    std::string id;
    switch (shape) {
      case 0:
        id = core::slot_id(number);
        break;
      case 1:
        id = std::to_string(number);
        break;
      default:
        id = core::ulid("wevt_", number);
    }
    if (ids_[run_id].insert(id).second) return id;
    ++clock_;
  }
}

oracle::Event Workload::event() {
  ++clock_;
  if (options_.long_runs && random_.below(8) != 0) return event_of_long_run();
  const auto first_open = clock_ / 40;
  const auto run = first_open + random_.below(options_.open_runs);
  oracle::Event event;
  event.run_id = run % 7 == 3 ? "run " + std::to_string(run) : core::ulid("wrun_", run);
  auto [type, entity] = kTypes.at(random_.below(kTypes.size()));
  if (random_.below(50) == 0) {
    type = kRunEnds.at(random_.below(kRunEnds.size()));
    entity = "";
  }
  event.type = type;
  const std::string prefix = entity;
  event.identity = {prefix.empty()           ? std::nullopt
                    : random_.below(20) == 0 ? std::optional(prefix)
                                             : std::optional(core::ulid(prefix, random_.below(3)))};
  // Most runs have ids of one scheme, a few mix two.
  const auto shape = run % 5 == 4 ? random_.below(3) : run % 5;
  event.id = new_id(event.run_id, shape);
  return event;
}

oracle::Event Workload::event_of_long_run() {
  oracle::Event event;
  event.run_id = core::ulid("wrun_", random_.below(2));
  const bool repeats = random_.below(50) == 0;
  event.type = repeats ? "step_created" : "hook_received";
  event.identity = {repeats ? core::ulid("step_", random_.below(3))
                            : core::ulid("hook_", random_.below(100))};
  event.id = new_id(event.run_id, 2);
  return event;
}

std::vector<oracle::Event> Workload::transaction() {
  auto rows = 1 + random_.below(options_.rows_max);
  if (options_.long_runs) rows += 10;
  if (random_.below(20) == 0) rows += 20;
  std::vector<oracle::Event> out;
  for (std::uint64_t i = 0; i < rows; ++i) out.push_back(event());
  return out;
}

std::vector<oracle::Event> Workload::old_rows() {
  std::vector<oracle::Event> out;
  for (std::uint64_t i = 0; i < options_.old_rows; ++i) {
    auto row = event();
    clock_ -= 1;  // so that later transactions meet these runs
    out.push_back(std::move(row));
    if (!oracle::findings(out, oracle::workflow_devkit_log(), oracle_settings(options_)).empty())
      out.pop_back();
  }
  return out;
}

}  // namespace dupwatch::sim
