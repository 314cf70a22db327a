#include "daemon/table/judged_run.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "daemon/core/repeated_work.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/table/table_row.hpp"

namespace dupwatch::table {
namespace {

constexpr std::array kAllEngines = {
    core::Engine::kV4, core::Engine::kV5BeforeClassSkip,    core::Engine::kV5BeforeAttributeSkip,
    core::Engine::kV5, core::Engine::kV5SingleOrchestrator, core::Engine::kUnknown};

/// From the worst to the best.
int rank(core::Severity severity) noexcept {
  switch (severity) {
    case core::Severity::kFatal:
      return 0;
    case core::Severity::kUnknown:
      return 1;
    case core::Severity::kConflict:
      return 2;
    case core::Severity::kHarmless:
      return 3;
  }
  return 3;
}

void keep_worst(std::optional<core::Severity>& worst, core::Severity severity) noexcept {
  if (!worst || rank(severity) < rank(*worst)) worst = severity;
}

}  // namespace

JudgedRun::JudgedRun(const core::Config& config, std::string run_id, const core::LogTraits& traits)
    : config_(config),
      run_id_(std::move(run_id)),
      rules_(config.profile, config.rules, codec_),
      traits_(traits) {
  rules_.set_auto_engines(traits.engines);
  codec_.set_order(traits.ids);
}

JudgedRun::JudgedRun(const JudgedRun& run, const RowIds& rows, Rewrite rewrite)
    : JudgedRun(run.config_, run.run_id_, run.traits_) {
  for (auto event : run.events_) {
    if (rows.contains(event.id)) {
      if (rewrite == Rewrite::kRemoved) continue;
      event.type = core::kNoopType;
    }
    add(std::move(event));
  }
  log_.put_own_engine(run.log_.own_engine());
  judge();
}

void JudgedRun::add(const pg_result& result, int index) {
  const TableRow row(config_.profile, result, index);
  row.add_to(log_, config_.profile, codec_);
  Event event{.id = std::string(row.id()),
              .type = std::string(row.type()),
              .correlation_id = std::nullopt,
              .xid = row.commit().xid,
              .time = row.commit().time};
  for (const auto& value : row.identity()) {
    const bool has_text = value.kind == decoder::Value::Kind::kText;
    event.identity.push_back(has_text ? std::optional(std::string(value.text)) : std::nullopt);
    if (!has_text) continue;
    if (event.correlation_id) *event.correlation_id += ' ';
    event.correlation_id = event.correlation_id.value_or("") + std::string(value.text);
  }
  const int created_at = static_cast<int>(3 + row.identity().size() + 3);
  auto text = postgres::cell(result, index, created_at).value_or(std::string_view{});
  const bool zoned = !text.starts_with('~');
  if (!zoned) text.remove_prefix(1);
  const auto by_column = [&] { std::from_chars(text.data(), text.data() + text.size(), event.time.micros); };
  if (event.time.micros == 0 && zoned) by_column();
  if (event.time.micros == 0) {
    const auto millis = core::ulid_millis(codec_.pack(event.id));
    event.time.micros = static_cast<std::int64_t>(millis) * 1000;
  }
  if (event.time.micros == 0) by_column();
  keep(std::move(event));
}

void JudgedRun::add(Event event) {
  std::vector<std::optional<std::string_view>> columns = {run_id_, event.id, event.type};
  columns.insert(columns.end(), event.identity.begin(), event.identity.end());
  columns.resize(columns.size() + 3);  // neither xmin nor commit time nor spec version
  TableRow(config_.profile, columns).add_to(log_, config_.profile, codec_);
  keep(std::move(event));
}

void JudgedRun::keep(Event event) {
  slots_.add(event.id);
  events_.push_back(std::move(event));
}

void JudgedRun::judge() {
  engine_ = rules_.engine_of(log_);
  std::vector<core::ReplayRules::Verdict> verdicts;
  rules_.judge_run(log_, verdicts);
  const bool ended = log_.run_end() != core::RunLog::kNone;
  for (const auto& verdict : verdicts) {
    findings_.push_back(rules_.describe(log_, verdict, run_id_, core::Origin::kBaseline));
    for (const auto engine : kAllEngines) {
      keep_worst(worst_[static_cast<std::size_t>(engine)],
                 rules_.severity(verdict.rule, verdict.shape, engine));
    }
  }
  if (const auto gap = slots_.first_gap()) {
    if (auto finding =
            rules_.describe_gap(*gap, run_id_, ended, core::Origin::kBaseline, log_.own_engine())) {
      for (const auto engine : kAllEngines) {
        keep_worst(worst_[static_cast<std::size_t>(engine)],
                   rules_.severity(core::Rule::kSlotGap, core::Shape::kPlain, engine));
      }
      findings_.push_back(std::move(*finding));
    }
  }
  for (auto& finding : findings_) finding.flagged_at = process::wall_now();
  // The newest engines refuse a run with ULIDs whatever is in it.
  if (config_.profile.slot_ids && !slot_numbered() && !events_.empty()) {
    for (const auto engine : kAllEngines) {
      if (core::refuses_ulids(engine)) worst_[static_cast<std::size_t>(engine)] = core::Severity::kFatal;
    }
  }
}

void JudgedRun::acknowledge(const core::Finding& said) {
  const auto known = std::ranges::find(findings_, said.id, &core::Finding::id);
  if (known == findings_.end() || known->state != core::FindingState::kOpen) return;
  known->state = core::FindingState::kAcknowledged;
  known->acknowledgement = said.acknowledgement;
}

std::vector<std::size_t> JudgedRun::begun_again() const {
  struct Counts {
    std::uint64_t starts = 0;
    std::uint64_t retries = 0;
  };
  std::map<std::string, Counts, std::less<>> steps;
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const auto& event = events_[i];
    if (!event.correlation_id) continue;
    auto& counts = steps[*event.correlation_id];
    if (event.type == core::kRetryType) ++counts.retries;
    if (event.type == core::kStartType && ++counts.starts > counts.retries + 1) out.push_back(i);
  }
  return out;
}

bool JudgedRun::fails() const noexcept {
  return std::ranges::any_of(findings_, [](const core::Finding& finding) {
    return finding.severity == core::Severity::kFatal && finding.stands();
  });
}

std::vector<std::size_t> JudgedRun::findings_at(std::size_t event) const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < findings_.size(); ++i) {
    if (findings_[i].duplicate.id == events_[event].id) out.push_back(i);
  }
  return out;
}

std::optional<core::Severity> JudgedRun::worst(core::Engine engine) const {
  return worst_[static_cast<std::size_t>(engine)];
}

std::string JudgedRun::end_type() const {
  for (const auto& event : events_) {
    const auto type = config_.profile.find_type(event.type);
    if (type && config_.profile.types[*type].ends_run) return event.type;
  }
  return {};
}

std::vector<std::string> JudgedRun::open_entities(std::string_view kind) const {
  std::set<std::string> open;
  for (const auto& event : events_) {
    const auto type = config_.profile.find_type(event.type);
    if (!type || !event.correlation_id || !event.type.starts_with(kind)) continue;
    if (config_.profile.types[*type].opens) open.insert(*event.correlation_id);
  }
  for (const auto& event : events_) {
    const auto type = config_.profile.find_type(event.type);
    if (type && event.correlation_id && config_.profile.types[*type].closes)
      open.erase(*event.correlation_id);
  }
  return {open.begin(), open.end()};
}

std::string_view outcome_text(std::optional<core::Severity> worst, bool ended) noexcept {
  // A log without a finding may still hold what no monitor sees.
  if (!worst) return "nothing known against it";
  switch (*worst) {
    case core::Severity::kFatal:
      return ended ? "is not replayed any more" : "FAILS";
    case core::Severity::kConflict:
      return "goes on if the workflow takes the conflict";
    case core::Severity::kHarmless:
      return "nothing known against it";
    case core::Severity::kUnknown:
      return "can't be decided from the log alone";
  }
  return "?";
}

}  // namespace dupwatch::table
