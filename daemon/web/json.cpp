#include "daemon/web/json.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "daemon/core/finding.hpp"
#include "daemon/web/build_info.hpp"
#include "decoder/lsn.hpp"

namespace dupwatch::web {
namespace {

constexpr std::size_t kRunFindingsMax = 1000;

/// "v4", or "auto (ULIDs v4, slots v5)", or "auto (by each run; else ULIDs v4, slots v5)".
std::string engine_text(const core::StatusSnapshot& status) {
  if (status.engine) return std::string(to_string(*status.engine));
  const bool by_run = status.auto_engines.by_run != core::SpecSource::kNone;
  return std::string(by_run ? "auto (by each run; else ULIDs " : "auto (ULIDs ")
      .append(to_string(status.auto_engines.ulids))
      .append(", slots ")
      .append(to_string(status.auto_engines.slots))
      .append(")");
}

/// Writes one object, comma and quoting included. Numbers are written as such, text escaped.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  void close() { out_ += '}'; }

  void text(std::string_view key, std::string_view value) {
    name(key);
    core::append_json_string(out_, value);
  }
  void raw(std::string_view key, std::string_view value) {
    name(key);
    out_ += value;
  }
  void number(std::string_view key, std::uint64_t value) { raw(key, fmt::format("{}", value)); }
  /// null when it is negative, which stands for unknown.
  void integer_or_null(std::string_view key, std::int64_t value) {
    raw(key, value < 0 ? "null" : fmt::format("{}", value));
  }
  void decimal(std::string_view key, double value) {
    raw(key, std::isfinite(value) ? fmt::format("{:.6f}", value) : "null");
  }
  void boolean(std::string_view key, bool value) { raw(key, value ? "true" : "false"); }
  /// null when it is not valid.
  void lsn(std::string_view key, decoder::Lsn value) {
    if (value.valid()) {
      text(key, decoder::to_string(value));
    } else {
      raw(key, "null");
    }
  }
  void name(std::string_view key) {
    if (!first_) out_ += ',';
    first_ = false;
    core::append_json_string(out_, key);
    out_ += ':';
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void append_baseline(std::string& out, const core::StatusSnapshot& status) {
  ObjectWriter baseline{out};
  baseline.text("state", to_string(status.baseline.state));
  baseline.number("rows", status.baseline.rows);
  baseline.number("runs", status.baseline.runs);
  if (status.baseline.runs_total > 0) {
    baseline.number("runs_total", status.baseline.runs_total);
  } else {
    baseline.raw("runs_total", "null");
  }
  baseline.close();
}

void append_coverage(std::string& out, const core::StatusSnapshot& status) {
  ObjectWriter coverage{out};
  const auto time = [&](std::string_view key, std::optional<decoder::Timestamp> value, ObjectWriter& object) {
    if (value) {
      object.text(key, core::to_iso8601(*value));
    } else {
      object.raw(key, "null");
    }
  };
  time("complete_since", status.coverage.complete_since, coverage);
  coverage.name("gaps");
  out += '[';
  for (std::size_t i = 0; i < status.coverage.gaps.size(); ++i) {
    if (i != 0) out += ',';
    ObjectWriter gap{out};
    gap.text("reason", to_string(status.coverage.gaps[i].reason));
    gap.lsn("from_lsn", status.coverage.gaps[i].from);
    gap.lsn("to_lsn", status.coverage.gaps[i].to);
    time("opened_at", status.coverage.gaps[i].opened, gap);
    time("closed_at", status.coverage.gaps[i].closed, gap);
    gap.close();
  }
  out += ']';
  coverage.close();
}

void append_schema(std::string& out, const core::SchemaStatus& schema) {
  ObjectWriter object{out};
  object.text("releases", schema.releases);
  object.name("changes");
  out += '[';
  for (std::size_t i = 0; i < schema.changes.size(); ++i) {
    const auto& change = schema.changes[i];
    if (i != 0) out += ',';
    ObjectWriter one{out};
    one.text("seen_at", core::to_iso8601(change.seen));
    one.text("before", change.before);
    one.text("after", change.after);
    one.text("found", fmt::format("{}", fmt::join(change.parts, "; ")));
    one.text("rows", change.losses ? core::losses_text(*change.losses) : std::string{});
    const auto count = [&](std::string_view key, std::uint64_t core::RowLosses::*member) {
      one.raw(key, change.losses ? fmt::format("{}", (*change.losses).*member) : "null");
    };
    count("deleted", &core::RowLosses::deleted);
    count("canonical_deleted", &core::RowLosses::canonical);
    count("left_fatal", &core::RowLosses::left_fatal);
    one.close();
  }
  out += ']';
  object.close();
}

void append_repeated(std::string& out, const core::RepeatedStatus& repeated) {
  ObjectWriter object{out};
  object.number("steps_total", repeated.steps_total);
  object.name("steps");
  out += '[';
  for (std::size_t i = 0; i < repeated.steps.size(); ++i) {
    const auto& step = repeated.steps[i];
    if (i != 0) out += ',';
    ObjectWriter one{out};
    one.text("run_id", step.run_id);
    one.text("correlation_id", step.correlation_id);
    one.text("event_id", step.event_id);
    if (step.commit.time.micros != 0) {
      one.text("commit_time", core::to_iso8601(step.commit.time));
    } else {
      one.raw("commit_time", "null");
    }
    one.number("starts", step.starts);
    one.number("retries", step.retries);
    one.boolean("after_close", step.after_close);
    one.text("look", core::explain_command(step.run_id));
    one.close();
  }
  out += ']';
  object.close();
}

void append_engine_tables(std::string& out, const core::EngineTablesStatus& tables) {
  ObjectWriter object{out};
  const auto count = [](std::optional<std::uint64_t> rows) {
    return rows ? fmt::format("{}", *rows) : std::string("null");
  };
  for (std::size_t i = 0; i < core::kEngineTableTroubles; ++i) {
    object.raw(to_string(static_cast<core::EngineTableTrouble>(i)), count(tables.rows[i]));
  }
  object.raw("queue_jobs", count(tables.jobs));
  object.name("rows");
  out += '[';
  for (std::size_t i = 0; i < tables.shown.size(); ++i) {
    const auto& [kind, row] = tables.shown[i];
    if (i != 0) out += ',';
    ObjectWriter one{out};
    one.text("kind", to_string(kind));
    one.text("run_id", row.run_id);
    one.text("what", row.what);
    one.text("meaning", meaning_of(kind));
    one.text("remedy", remedy_of(kind));
    one.close();
  }
  out += ']';
  object.close();
}

void append_order_watch(std::string& out, const core::OrderWatchStats& order) {
  ObjectWriter object{out};
  object.boolean("enabled", order.enabled);
  object.number("rows", order.rows);
  object.number("behind", order.behind);
  object.name("needed_seconds");
  ObjectWriter needed{out};
  for (std::size_t i = 0; i < core::kOrderShares.size(); ++i) {
    needed.raw(core::kOrderShareNames[i], fmt::format("{:.6f}", order.needed[i]));
  }
  needed.close();
  object.close();
}

void append_heartbeat(std::string& out, const core::HeartbeatStatus& heartbeat) {
  ObjectWriter object{out};
  object.boolean("enabled", heartbeat.enabled);
  const auto time = [&](std::string_view key, double unix_seconds) {
    if (unix_seconds > 0) {
      object.text(key, core::to_iso8601({static_cast<std::int64_t>(unix_seconds * 1e6)}));
    } else {
      object.raw(key, "null");
    }
  };
  time("last_sent", heartbeat.last_sent_unix_seconds);
  time("last_returned", heartbeat.last_returned_unix_seconds);
  object.number("failures", heartbeat.failures);
  object.close();
}

void append_webhook(std::string& out, const core::WebhookStats& webhook) {
  ObjectWriter object{out};
  object.boolean("enabled", webhook.enabled);
  for (std::size_t i = 0; i < core::kWebhookOutcomes; ++i) {
    object.number(to_string(static_cast<core::WebhookOutcome>(i)), webhook.findings[i]);
  }
  object.number("failed_attempts", webhook.failed_attempts);
  object.number("waiting", webhook.waiting);
  object.close();
}

void append_quarantine(std::string& out, const core::QuarantineStats& quarantine) {
  ObjectWriter object{out};
  object.text("mode", to_string(quarantine.mode));
  object.text("state", to_string(quarantine.state));
  object.text("reason", quarantine.reason);
  for (std::size_t i = 0; i < core::kQuarantineOutcomes; ++i) {
    object.number(to_string(static_cast<core::QuarantineOutcome>(i)), quarantine.findings[i]);
  }
  object.number("failed_attempts", quarantine.failed_attempts);
  object.number("waiting", quarantine.waiting);
  object.close();
}

std::string array_of(const std::vector<std::shared_ptr<const core::Finding>>& findings) {
  std::string out = "[";
  for (const auto& finding : findings) {
    if (out.size() > 1) out += ',';
    out += core::to_json(*finding);
  }
  return out + ']';
}

void write_counts(ObjectWriter& run, std::string& out, const StatusStore::RunCounts& counts) {
  run.raw("kept", fmt::format("{}", counts.kept));
  run.name("open");
  ObjectWriter open{out};
  for (std::size_t i = 0; i < core::kSeverities; ++i) {
    open.raw(to_string(static_cast<core::Severity>(i)), fmt::format("{}", counts.open[i]));
  }
  open.close();
}

std::string array_of(const std::vector<std::pair<std::string, StatusStore::RunCounts>>& runs) {
  std::string out = "[";
  for (const auto& [run_id, counts] : runs) {
    if (out.size() > 1) out += ',';
    ObjectWriter run{out};
    run.text("run_id", run_id);
    write_counts(run, out, counts);
    run.close();
  }
  return out + ']';
}

}  // namespace

std::string status_json(const core::StatusSnapshot& status, const Verdict& verdict) {
  const auto findings = count_findings(status);
  std::string out;
  ObjectWriter object{out};
  object.text("verdict", verdict.sentence);
  object.text("remedy", verdict.remedy);
  object.text("level", to_string(verdict.level));
  object.text("state", to_string(status.state));
  object.text("mode", to_string(status.mode));
  object.boolean("ready", status.ready);
  object.text("reason", status.ready ? std::string_view{} : status.not_ready_reason);
  object.text("slot", status.slot.name);
  object.text("plugin", status.slot.plugin);
  object.text("server_version", status.server.version);
  object.text("engine", engine_text(status));
  // Text: 64 bits do not fit a JavaScript number.
  object.text("system_identifier", status.server.system_identifier);
  object.number("timeline", status.server.timeline);
  object.lsn("confirmed_lsn", status.stream.confirmed);
  object.lsn("received_lsn", status.stream.received);
  object.lsn("server_lsn", status.stream.server_end);
  object.number("lag_bytes", status.stream.confirmed.valid()
                                 ? decoder::bytes_between(status.stream.confirmed, status.stream.server_end)
                                 : std::uint64_t{0});
  object.decimal("lag_seconds", status.stream.lag_seconds);
  object.number("runs", status.index.runs);
  object.number("rows", status.index.rows);
  object.number("index_bytes", status.index.bytes);
  object.number("index_bytes_max", status.index.bytes_max);
  object.number("findings_open", findings.all);
  object.number("findings_fatal", findings.fatal);
  object.number("findings_acknowledged",
                std::reduce(status.findings.acknowledged.begin(), status.findings.acknowledged.end()));
  object.integer_or_null("slot_retained_bytes", status.slot.retained_bytes);
  object.integer_or_null("slot_safe_bytes", status.slot.safe_bytes);
  object.text("slot_wal_status", status.slot.wal_status);
  object.boolean("table_identity_ok", status.table_identity_ok);
  object.name("coverage");
  append_coverage(out, status);
  object.name("schema");
  append_schema(out, status.schema);
  object.name("repeated_work");
  append_repeated(out, status.repeated);
  object.name("engine_tables");
  append_engine_tables(out, status.engine_tables);
  object.name("order_watch");
  append_order_watch(out, status.order_watch);
  object.name("heartbeat");
  append_heartbeat(out, status.heartbeat);
  object.name("webhook");
  append_webhook(out, status.webhook);
  object.name("quarantine");
  append_quarantine(out, status.quarantine);
  object.name("baseline");
  append_baseline(out, status);
  object.text("version", build_info().version);
  object.close();
  return out;
}

std::string findings_json(const StatusStore& store, const FindingsQuery& query) {
  // The total first: a finding that comes in between may be missing from it, but never from both.
  const auto total = store.findings_total();
  const auto page = store.page(query.filter, query.cursor, query.limit);
  std::string out;
  ObjectWriter object{out};
  object.raw("findings", array_of(page.findings));
  object.raw("runs", array_of(page.runs));
  object.number("total", total);
  object.number("kept", page.kept);
  object.number("dropped", page.dropped);
  object.number("matched", page.matched);
  if (page.next) {
    object.text("next", cursor_text(*page.next, store.origin()));
  } else {
    object.raw("next", "null");
  }
  object.close();
  return out;
}

std::string run_findings_json(const StatusStore& store, std::string_view run_id) {
  core::FindingFilter filter;
  filter.run_id = run_id;
  const auto page = store.page(filter, {}, kRunFindingsMax);
  if (page.findings.empty()) return {};
  std::string out;
  ObjectWriter object{out};
  object.text("run_id", run_id);
  write_counts(object, out, page.runs.front().second);
  object.raw("findings", array_of(page.findings));
  object.text("look", core::explain_command(run_id));
  object.close();
  return out;
}

std::string error_json(std::string_view message) {
  std::string out;
  ObjectWriter object{out};
  object.text("error", message);
  object.close();
  return out;
}

}  // namespace dupwatch::web
