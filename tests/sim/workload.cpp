#include "tests/sim/workload.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::sim {
namespace {

/// Each with the kind of entity that it belongs to; types named twice come twice as often.
constexpr std::array<std::pair<const char*, const char*>, 20> kTypes = {
    {{"step_created", "step_"},   {"step_created", "step_"},
     {"step_created", "step_"},   {"step_started", "step_"},
     {"step_completed", "step_"}, {"step_completed", "step_"},
     {"step_failed", "step_"},    {"wait_created", "wait_"},
     {"wait_created", "wait_"},   {"wait_completed", "wait_"},
     {"hook_created", "hook_"},   {"hook_created", "hook_"},
     {"hook_received", "hook_"},  {"hook_disposed", "hook_"},
     {"attr_set", "attr_"},       {"attr_set", ""},
     {"run_created", ""},         {"run_started", ""},
     {"run_completed", ""},       {"of_a_later_version", "step_"}}};

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
  const auto first_open = clock_ / 40;
  const auto run = first_open + random_.below(options_.open_runs);
  oracle::Event event;
  event.run_id = run % 7 == 3 ? "run " + std::to_string(run) : core::ulid("wrun_", run);
  const auto& [type, entity] = kTypes.at(random_.below(kTypes.size()));
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

std::vector<oracle::Event> Workload::transaction() {
  auto rows = 1 + random_.below(options_.rows_max);
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
    const bool repeated = std::any_of(out.begin(), out.end(), [&](const auto& other) {
      return other.run_id == row.run_id && other.identity == row.identity && other.type == row.type;
    });
    if (!repeated) out.push_back(std::move(row));
  }
  return out;
}

}  // namespace dupwatch::sim
