#include "daemon/findings/file_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace dupwatch::findings {
namespace {

using core::Instant;

constexpr std::chrono::seconds kFileComplaintInterval{10};
constexpr std::chrono::seconds kRetryInterval{1};
// A rotation without a signal is noticed within that even if nothing is found.
constexpr std::chrono::seconds kCheckInterval{5};
// A disk that is busy takes a second or two; one that says nothing for longer holds the position noticeably.
constexpr std::chrono::seconds kSilenceMax{5};
// At a start; less than what a stop may take.
constexpr std::chrono::seconds kOpenPatience{3};

std::string words(FindingsFile::Trouble trouble) {
  if (trouble.error == EAGAIN) return "nobody reads the pipe";
  return std::strerror(trouble.error);  // NOLINT(concurrency-mt-unsafe): glibc's is safe
}

const char* what_failed(FindingsFile::Trouble::Step step) {
  using Step = FindingsFile::Trouble::Step;
  if (step == Step::kOpen) return "cannot open the findings file";
  return step == Step::kSync ? "cannot sync the findings file" : "cannot write a finding";
}

}  // namespace

FileOutput::FileOutput(std::string path, core::Durability& durability, process::Log& log,
                       process::EventFd& wake)
    : path_(std::move(path)), durability_(durability), log_(log), wake_(wake) {}

std::optional<std::string> FileOutput::open() {
  if (path_.empty()) return std::nullopt;
  begun_ = process::steady_now();
  opening_ = true;
  writer_ = std::make_unique<FileWriter>(path_, wake_);
  if (!writer_->wait_for_answer(kOpenPatience)) return std::nullopt;
  auto answer = writer_->take_opened();
  if (!answer) return std::nullopt;
  if (answer->trouble) return fmt::format("findings.file {}: {}", path_, words(answer->trouble));
  opened(std::move(*answer), process::steady_now());
  return std::nullopt;
}

void FileOutput::opened(FileWriter::Opened answer, Instant now) {
  opening_ = false;
  past_ = std::move(answer.past);
  next_check_ = now + kCheckInterval;
  if (answer.trouble) failed(answer.trouble, now);
}

void FileOutput::turn(Instant now) {
  if (!writer_) return;
  if (opening_) {
    if (auto answer = writer_->take_opened()) opened(std::move(*answer), now);
  } else if (const auto result = writer_->take_result()) {
    finished(*result, now);
  }
  if (opening_ || durability_.task_under_way()) return note_silence(now);
  if (std::exchange(silent_, false)) log_.info("the disk of the findings file answers again");
  if (now < retry_at_) return;
  if (now >= next_check_) check();
  if (auto task = durability_.next_task()) {
    next_check_ = now + kCheckInterval;
    retry_at_ = {};
    begun_ = now;
    writer_->begin(std::move(*task));
  }
}

Instant FileOutput::deadline() const noexcept {
  if (!writer_) return Instant::max();
  if (opening_ || durability_.task_under_way()) {
    return silent_ ? Instant::max() : begun_ + kSilenceMax;
  }
  return retry_at_ == Instant{} ? next_check_ : retry_at_;
}

void FileOutput::check() noexcept {
  retry_at_ = {};
  durability_.request_check();
}

void FileOutput::wait(std::chrono::milliseconds patience) {
  if (writer_) (void)writer_->wait_for_answer(patience);
}

void FileOutput::finished(const FindingsFile::Result& result, Instant now) {
  durability_.finished(result.outcome);
  if (result.trouble) return failed(result.trouble, now);
  if (result.outcome.sync == core::FileOutcome::Sync::kDone) progress_ = true;
  if (result.outcome.replaced) {
    replaced_ = true;
    log_.info("the findings file was moved, emptied or deleted: another one is written at its path",
              {{"event", "findings_file_reopened"}, {"file", path_}});
  }
  if (durability_.waiting_bytes() != 0 || trouble_.empty()) return;
  trouble_.clear();
  log_.info("the findings file takes findings again", {{"file", path_}});
}

void FileOutput::failed(FindingsFile::Trouble trouble, Instant now) {
  retry_at_ = now + kRetryInterval;
  trouble_ = words(trouble);
  ++failures_;
  complain(what_failed(trouble.step), now);
}

void FileOutput::complain(const char* what, Instant now) {
  if (now < next_complaint_) return;
  next_complaint_ = now + kFileComplaintInterval;
  log_.error(
      what,
      {{"file", path_},
       {"reason", "findings_file"},
       {"error", trouble(now)},
       {"remedy", "make room or repair the file; the slot's position is held until the finding is written"}});
}

void FileOutput::note_silence(Instant now) {
  if (silent_ || now - begun_ < kSilenceMax) return;
  silent_ = true;
  ++failures_;
  complain("the disk of the findings file does not answer", now);
}

std::string FileOutput::trouble(Instant now) const {
  if (!silent_) return trouble_;
  return fmt::format("no answer from its disk for {} s",
                     std::chrono::duration_cast<std::chrono::seconds>(now - begun_).count());
}

}  // namespace dupwatch::findings
