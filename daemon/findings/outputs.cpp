#include "daemon/findings/outputs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace dupwatch::findings {
namespace {

constexpr std::chrono::seconds kComplaintInterval{10};

/// A crash in the middle of a write leaves a torn last line: it gets its newline, so that the next one is
/// whole.
bool ends_in_mid_line(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || info.st_size == 0) return false;
  char last = '\n';
  return pread(fd, &last, 1, info.st_size - 1) == 1 && last != '\n';
}

}  // namespace

FindingOutputs::FindingOutputs(const core::FindingsConfig& config, process::Log& log, web::StatusStore& store,
                               TableWriter& table, WebhookWorker& webhook,
                               quarantine::QuarantineWorker& quarantine)
    : config_(config),
      log_(log),
      store_(store),
      table_(table),
      webhook_(webhook),
      quarantine_(quarantine),
      limiter_(config.log_rate_max) {}

FindingOutputs::~FindingOutputs() {
  if (fd_ >= 0) close(fd_);
}

std::optional<std::string> FindingOutputs::open() {
  if (config_.file.empty()) return std::nullopt;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): its mode is one
  fd_ = ::open(config_.file.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe
  if (fd_ < 0) return fmt::format("findings.file {}: {}", config_.file, std::strerror(errno));
  if (ends_in_mid_line(fd_)) unwritten_ = "\n";
  // What a killed process wrote may be in the page cache alone; a sync that fails gives it up.
  past_is_on_disk_ = fdatasync(fd_) == 0;
  return std::nullopt;
}

void FindingOutputs::report(std::vector<core::Finding> findings, core::Instant now) {
  // Before anything is written: some 100 ms decide whether a run survives.
  for (const auto& finding : findings) quarantine_.add(finding);
  for (auto& finding : findings) {
    finding.flagged_at = process::wall_now();
    measure(finding);
    if (fd_ >= 0) {
      unwritten_ += core::to_json(finding);
      unwritten_ += '\n';
    }
    if (limiter_.allow(finding.rule, finding.severity, now)) {
      log_.finding(finding);
    } else {
      ++log_suppressed_;
    }
    table_.add(finding);
    webhook_.add(finding);
    store_.add(std::move(finding));
  }
  write_out(now);
}

void FindingOutputs::measure(const core::Finding& finding) {
  if (finding.change != core::FindingChange::kNew || finding.origin != core::Origin::kStream) return;
  const auto last =
      std::max(finding.duplicate.commit_time, finding.canonical.commit_time);  // nullopt is less
  if (!last) return;
  // Two clocks: a server ahead of us by more than the latency must not count as negative time.
  commit_to_flag_.observe(std::max(0.0, static_cast<double>(finding.flagged_at.micros - last->micros) / 1e6));
}

void FindingOutputs::write_out(core::Instant now) {
  while (!unwritten_.empty()) {
    const auto written = write(fd_, unwritten_.data(), unwritten_.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      complain("cannot write a finding", errno, now);
      return;
    }
    sync_due_ = true;
    unsynced_.append(unwritten_, 0, static_cast<std::size_t>(written));
    unwritten_.erase(0, static_cast<std::size_t>(written));
  }
}

bool FindingOutputs::make_durable(core::Instant now) {
  write_out(now);
  if (!unwritten_.empty()) return false;
  if (!sync_due_) return true;
  if (fdatasync(fd_) != 0 && errno != EINVAL && errno != EROFS) {  // EINVAL: a pipe or terminal has no disk
    complain("cannot sync the findings file", errno, now);
    unwritten_ = std::exchange(unsynced_, {});
    return false;
  }
  unsynced_.clear();
  sync_due_ = false;
  file_trouble_.clear();
  return true;
}

void FindingOutputs::complain(const char* what, int error, core::Instant now) {
  file_trouble_ = std::strerror(error);  // NOLINT(concurrency-mt-unsafe): glibc's is safe
  ++file_failures_;
  if (now < next_complaint_) return;
  next_complaint_ = now + kComplaintInterval;
  log_.error(
      what,
      {{"file", config_.file},
       {"reason", "findings_file"},
       {"error", file_trouble_},
       {"remedy", "make room or repair the file; the slot's position is held until the finding is written"}});
}

void FindingOutputs::tick(core::Instant now) {
  for (std::size_t i = 0; i < core::kRules; ++i) {
    const auto rule = static_cast<core::Rule>(i);
    const auto suppressed = limiter_.take_suppressed(rule, now);
    if (suppressed == 0) continue;
    log_.warn("findings suppressed in the log",
              {{"event", "findings_suppressed"},
               {"rule", std::string(core::to_string(rule))},
               {"suppressed", std::to_string(suppressed), true},
               {"remedy", "see findings.file or /api/findings for all of them"}});
  }
}

}  // namespace dupwatch::findings
