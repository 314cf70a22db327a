#include "daemon/core/profile.hpp"

#include <algorithm>

namespace dupwatch::core {

std::optional<std::uint8_t> Profile::find_type(std::string_view type) const noexcept {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i].name == type) return static_cast<std::uint8_t>(i);
  }
  return std::nullopt;
}

bool Profile::any_type() const noexcept {
  return type_column.empty() || unlisted_unique || order_watch ||
         std::ranges::any_of(rules, &ProfileRule::takes_others);
}

std::vector<std::string> Profile::tracked_types() const {
  std::vector<std::string> names;
  for (const auto& type : types) {
    if (type.tracked() && std::ranges::find(names, type.name) == names.end()) names.push_back(type.name);
  }
  return names;
}

Profile workflow_devkit_profile() {
  constexpr std::uint8_t kStep = 1;
  constexpr std::uint8_t kWait = 2;
  constexpr std::uint8_t kHook = 3;
  constexpr std::uint8_t kRun = 4;
  constexpr std::uint8_t kStepTerminal = 1;
  constexpr std::uint8_t kRunTerminal = 2;
  const auto created = [](std::string name, std::uint8_t group) {
    return EventType{.name = std::move(name),
                     .unique = true,
                     .duplicate_rule = Rule::kDuplicateCreated,
                     .group = group,
                     .after_close = Rule::kLifecycleAfterClose,
                     .opens = true};
  };
  const auto closing = [](std::string name, std::uint8_t group, std::uint8_t event_class = 0) {
    return EventType{.name = std::move(name),
                     .unique = true,
                     .duplicate_rule = Rule::kSecondTerminal,
                     .event_class = event_class,
                     .closes = true,
                     .group = group};
  };
  // A legal repeat: one step_started per attempt, any number of hook_received.
  const auto repeatable = [](std::string name, std::uint8_t group, Rule after_close) {
    return EventType{.name = std::move(name), .group = group, .after_close = after_close};
  };
  const auto run_once = [](std::string name) {
    return EventType{
        .name = std::move(name), .unique = true, .duplicate_rule = Rule::kDuplicateRunEvent, .group = kRun};
  };
  const auto run_end = [](std::string name, bool once) {
    return EventType{.name = std::move(name),
                     .unique = once,
                     .duplicate_rule = Rule::kDuplicateRunEvent,
                     .event_class = once ? kRunTerminal : std::uint8_t{0},
                     .ends_run = true,
                     .group = kRun};
  };
  Profile profile;
  profile.name = "workflow-devkit";
  profile.schema = "workflow";
  profile.table = "workflow_events";
  profile.run_column = "run_id";
  profile.id_column = "id";
  profile.identity_columns = {"correlation_id"};
  profile.type_column = "type";
  profile.types = {
      created("step_created", kStep),
      repeatable("step_started", kStep, Rule::kLifecycleAfterClose),
      repeatable("step_retrying", kStep, Rule::kLifecycleAfterClose),
      closing("step_completed", kStep, kStepTerminal),
      closing("step_failed", kStep, kStepTerminal),
      created("wait_created", kWait),
      closing("wait_completed", kWait),
      created("hook_created", kHook),
      repeatable("hook_received", kHook, Rule::kDeliveryAfterDisposal),
      closing("hook_disposed", kHook),
      EventType{.name = "hook_conflict",
                .group = kHook,
                .after_close = Rule::kDeliveryAfterDisposal,
                .conflicts = true},
      run_once("run_created"),
      run_once("run_started"),
      run_end("run_completed", true),
      run_end("run_failed", true),
      // A cancelled run may be cancelled again.
      run_end("run_cancelled", false),
      // A step body writes attr_set without correlation id, dozens of times; only the workflow body's has
      // one.
      EventType{.name = "attr_set",
                .unique = true,
                .duplicate_rule = Rule::kDuplicateCreated,
                .unique_when_null = false,
                .kept = true},
      EventType{.name = "noop", .kept = true},
  };
  for (auto& type : profile.types) {
    type.fails_run = type.name == "run_failed";
    type.reseeds = type.name == "run_started";
  }
  profile.slot_ids = true;
  profile.runs = RunsTable{.schema = "workflow",
                           .name = "workflow_runs",
                           .id_column = "id",
                           .status_column = "status",
                           .open_states = {"pending", "running"},
                           .spec_column = "spec_version",
                           .steps = {.name = "workflow_steps",
                                     .run_column = "run_id",
                                     .id_column = "step_id",
                                     .status_column = "status"},
                           .waits = {.name = "workflow_waits",
                                     .run_column = "run_id",
                                     .id_column = "wait_id",
                                     .status_column = "status"}};
  return profile;
}

}  // namespace dupwatch::core
