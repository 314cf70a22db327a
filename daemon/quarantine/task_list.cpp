#include "daemon/quarantine/task_list.hpp"

#include <algorithm>
#include <utility>

namespace dupwatch::quarantine {
namespace {

constexpr std::chrono::milliseconds kDelayMin{20};
constexpr std::chrono::milliseconds kDelayMax{1'000};

}  // namespace

bool TaskList::add(Task task) {
  if (tasks_.size() >= kTasksMax) return false;
  tasks_.push_back(std::move(task));
  return true;
}

std::optional<Task> TaskList::take(core::Instant now) {
  const auto due = std::ranges::find_if(tasks_, [&](const Task& task) { return task.due <= now; });
  if (due == tasks_.end()) return std::nullopt;
  auto task = std::move(*due);
  tasks_.erase(due);
  return task;
}

bool TaskList::put_off(Task task, core::Instant now) {
  if (++task.attempts >= kAttemptsMax) return false;
  task.due = now + std::min(kDelayMax, kDelayMin * (1U << (task.attempts - 1)));
  tasks_.push_back(std::move(task));
  return true;
}

core::Instant TaskList::deadline() const noexcept {
  auto first = core::Instant::max();
  for (const auto& task : tasks_) first = std::min(first, task.due);
  return first;
}

}  // namespace dupwatch::quarantine
