#include "daemon/quarantine/task_list.hpp"

#include <algorithm>
#include <utility>

namespace dupwatch::quarantine {
namespace {

constexpr std::chrono::milliseconds kDelayMin{20};
constexpr std::chrono::milliseconds kDelayMax{1'000};

}  // namespace

Remedy remedy(std::string_view sqlstate) noexcept {
  // No answer at all: the connection. Then connection errors, a server that is ending, locks and timeouts,
  // conflicts with other transactions, and lack of memory or connections.
  for (const std::string_view passing : {"08", "40", "53", "55P03", "57"}) {
    if (sqlstate.starts_with(passing)) return Remedy::kRetry;
  }
  return sqlstate.empty() ? Remedy::kRetry : Remedy::kOperator;
}

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
