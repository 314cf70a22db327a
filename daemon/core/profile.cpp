#include "daemon/core/profile.hpp"

namespace dupwatch::core {

std::optional<std::uint8_t> Profile::find_type(std::string_view type) const noexcept {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i].name == type) return static_cast<std::uint8_t>(i);
  }
  return std::nullopt;
}

Profile workflow_devkit_profile() {
  constexpr std::uint8_t kStep = 1;
  constexpr std::uint8_t kWait = 2;
  constexpr std::uint8_t kHook = 3;
  const auto once = [](std::string name, std::uint8_t group = 0) {
    return EventType{.name = std::move(name), .unique = true, .group = group};
  };
  const auto closing = [](std::string name, std::uint8_t group) {
    return EventType{.name = std::move(name), .unique = true, .closes = true, .group = group};
  };
  // A legal repeat: one step_started per attempt, any number of hook_received, a cancelled run cancelled
  // again.
  const auto repeatable = [](std::string name, std::uint8_t group = 0) {
    return EventType{.name = std::move(name), .group = group};
  };
  const auto run_end = [](std::string name) { return EventType{.name = std::move(name), .ends_run = true}; };
  Profile profile;
  profile.name = "workflow-devkit";
  profile.schema = "workflow";
  profile.table = "workflow_events";
  profile.run_column = "run_id";
  profile.id_column = "id";
  profile.identity_columns = {"correlation_id"};
  profile.type_column = "type";
  profile.types = {
      once("step_created", kStep),
      repeatable("step_started", kStep),
      repeatable("step_retrying", kStep),
      closing("step_completed", kStep),
      closing("step_failed", kStep),
      once("wait_created", kWait),
      closing("wait_completed", kWait),
      once("hook_created", kHook),
      repeatable("hook_received", kHook),
      closing("hook_disposed", kHook),
      repeatable("hook_conflict", kHook),
      once("run_created"),
      repeatable("run_started"),
      run_end("run_completed"),
      run_end("run_failed"),
      run_end("run_cancelled"),
      once("attr_set"),
      repeatable("noop"),
  };
  // A step body writes attr_set without correlation id, dozens of times; only the workflow body's carries
  // one.
  for (auto& type : profile.types) {
    if (type.name == "attr_set") type.unique_when_null = false;
  }
  profile.runs = RunsTable{.schema = "workflow",
                           .name = "workflow_runs",
                           .id_column = "id",
                           .status_column = "status",
                           .open_states = {"pending", "running"}};
  return profile;
}

}  // namespace dupwatch::core
