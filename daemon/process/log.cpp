#include "daemon/process/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "daemon/core/shown_text.hpp"
#include "daemon/process/clock.hpp"

namespace dupwatch::process {
namespace {

constexpr std::chrono::milliseconds kFarewell{500};

std::string_view to_string(core::LogLevel level) noexcept {
  switch (level) {
    case core::LogLevel::kDebug:
      return "debug";
    case core::LogLevel::kInfo:
      return "info";
    case core::LogLevel::kWarn:
      return "warn";
    case core::LogLevel::kError:
      return "error";
  }
  return "?";
}

bool plain(std::string_view value) noexcept {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > ' ' && byte < 0x7F && c != '"' && c != '=' && c != '\\';
  });
}

/// A server's message may quote a key.
constexpr std::size_t kValueBytesMax = 4096;

std::string of_a_line(const std::string& value) {
  return value.size() > kValueBytesMax ? core::shown_text(value) : value;
}

void append_logfmt(std::string& out, std::string_view key, std::string_view value) {
  if (!out.empty()) out += ' ';
  out += key;
  out += '=';
  if (plain(value)) {
    out += value;
  } else {
    core::append_json_string(out, value);
  }
}

std::string logfmt_line(core::LogLevel level, std::string_view message, const Log::Fields& fields) {
  std::string line;
  append_logfmt(line, "ts", core::to_iso8601(wall_now()));
  append_logfmt(line, "level", to_string(level));
  append_logfmt(line, "msg", message);
  for (const auto& field : fields) append_logfmt(line, field.key, of_a_line(field.value));
  return line;
}

std::string json_line(core::LogLevel level, std::string_view message, const Log::Fields& fields) {
  std::string line =
      fmt::format(R"({{"ts":"{}","level":"{}","msg":)", core::to_iso8601(wall_now()), to_string(level));
  core::append_json_string(line, message);
  for (const auto& field : fields) {
    line += fmt::format(R"(,"{}":)", field.key);
    if (field.raw) {
      line += field.value;
    } else {
      core::append_json_string(line, of_a_line(field.value));
    }
  }
  line += '}';
  return line;
}

std::string format_line(core::LogFormat format, core::LogLevel level, std::string_view message,
                        const Log::Fields& fields) {
  return format == core::LogFormat::kJson ? json_line(level, message, fields)
                                          : logfmt_line(level, message, fields);
}

/// The finding's record, flat: nested rows become canonical_id, canonical_commit_lsn, ...
Log::Fields finding_fields(const core::Finding& finding) {
  Log::Fields fields{{"event", "finding"},
                     {"change", std::string(core::to_string(finding.change))},
                     {"finding_id", core::finding_id_text(finding.id)},
                     {"rule", std::string(core::to_string(finding.rule))},
                     {"severity", std::string(core::to_string(finding.severity))},
                     {"state", std::string(core::to_string(finding.state))},
                     {"engine", std::string(core::to_string(finding.engine))},
                     {"origin", std::string(core::to_string(finding.origin))},
                     {"pending", std::string(core::to_string(finding.pending))},
                     {"engine_from", std::string(core::to_string(finding.engine_from))},
                     {"after_close", finding.after_close ? "true" : "false", true},
                     {"table", finding.table},
                     {"run_id", finding.run_id}};
  if (!finding.profile_rule.empty()) fields.push_back({"profile_rule", finding.profile_rule});
  for (const auto& value : finding.identity)
    fields.push_back({"correlation_id", value.value_or("null"), !value});
  fields.push_back({"type", finding.type});
  const auto row = [&](std::string_view id_key, std::string_view xid_key, std::string_view lsn_key,
                       std::string_view time_key, const core::RowEvidence& evidence) {
    fields.push_back({id_key, evidence.id});
    if (evidence.xid) fields.push_back({xid_key, std::to_string(*evidence.xid), true});
    if (evidence.commit_lsn) fields.push_back({lsn_key, decoder::to_string(*evidence.commit_lsn)});
    if (evidence.commit_time) fields.push_back({time_key, core::to_iso8601(*evidence.commit_time)});
  };
  row("canonical_id", "canonical_xid", "canonical_commit_lsn", "canonical_commit_time", finding.canonical);
  row("duplicate_id", "duplicate_xid", "duplicate_commit_lsn", "duplicate_commit_time", finding.duplicate);
  if (finding.closing) fields.push_back({"closing_id", finding.closing->id});
  if (const auto gap = finding.commit_gap_micros()) {
    fields.push_back({"commit_gap_ms", fmt::format("{:.3f}", static_cast<double>(*gap) / 1000.0), true});
  }
  if (const auto& said = finding.acknowledgement) {
    fields.push_back({"acknowledged_by", said->by});
    fields.push_back({"acknowledged_until", core::to_iso8601(said->until)});
    fields.push_back({"comment", said->comment});
  }
  fields.push_back({"why", std::string(finding.reason())});
  fields.push_back({"look", core::explain_command(finding.run_id)});
  return fields;
}

std::string finding_message(const core::Finding& finding) {
  const auto what = core::rule_info(finding.rule).sentence;
  switch (finding.state) {
    case core::FindingState::kGone:
      return fmt::format("{}: gone from the log", what);
    case core::FindingState::kRunEnded:
      return fmt::format("{}: the run has ended", what);
    case core::FindingState::kAcknowledged:
      return fmt::format("{}: acknowledged", what);
    case core::FindingState::kQuarantined:
      return fmt::format("{}: the row at fault is in quarantine", what);
    case core::FindingState::kOpen:
      break;
  }
  const bool fatal = finding.severity == core::Severity::kFatal && finding.profile_rule.empty();
  return fatal ? fmt::format("{}: the next replay of this run fails", what)
               : fmt::format("{}: {}", what, core::to_string(finding.severity));
}

}  // namespace

Log::Log(const core::LogConfig& config)
    : level_(config.level),
      format_(std::make_shared<std::atomic<core::LogFormat>>(config.format)),
      terminal_(isatty(STDERR_FILENO) == 1) {}

Log::~Log() {
  if (writer_) writer_->stop(kFarewell);
}

void Log::write_on_own_thread() {
  writer_ = std::make_unique<LogWriter>(STDERR_FILENO, [format = format_](std::uint64_t count) {
    return format_line(*format, core::LogLevel::kWarn, "log lines were lost: stderr did not take them",
                       {{"event", "log_lines_lost"},
                        {"lines", std::to_string(count), true},
                        {"remedy", "see findings.file or /api/findings for all findings"}}) +
           '\n';
  });
}

void Log::configure(const core::LogConfig& config) noexcept {
  level_ = config.level;
  *format_ = config.format;
}

void Log::debug(std::string_view message, const Fields& fields) {
  write(core::LogLevel::kDebug, message, fields);
}
void Log::info(std::string_view message, const Fields& fields) {
  write(core::LogLevel::kInfo, message, fields);
}
void Log::warn(std::string_view message, const Fields& fields) {
  write(core::LogLevel::kWarn, message, fields);
}
void Log::error(std::string_view message, const Fields& fields) {
  write(core::LogLevel::kError, message, fields);
}

void Log::finding(const core::Finding& finding) {
  const bool alarming =
      finding.state == core::FindingState::kOpen &&
      (finding.severity == core::Severity::kFatal || finding.severity == core::Severity::kConflict);
  write(alarming ? core::LogLevel::kWarn : core::LogLevel::kInfo, finding_message(finding),
        finding_fields(core::shown(finding)));
}

void Log::write(core::LogLevel level, std::string_view message, const Fields& fields) {
  if (level < level_) return;
  auto line = format_line(*format_, level, message, fields) + '\n';
  const std::lock_guard lock(mutex_);
  if (!progress_.empty()) line = "\r\x1b[K" + line + progress_;
  emit(std::move(line));
}

void Log::progress(std::string line) {
  if (!terminal_) return;
  const std::lock_guard lock(mutex_);
  if (line == progress_) return;
  progress_ = std::move(line);
  emit("\r\x1b[K" + progress_);
}

void Log::emit(std::string text) {
  if (writer_) return writer_->write(std::move(text));
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
  (void)std::fflush(stderr);
}

}  // namespace dupwatch::process
