#include "daemon/run/recheck.hpp"

#include <algorithm>
#include <unordered_map>

#include "daemon/postgres/scan_queries.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/run/cell_text.hpp"
#include "daemon/table/table_row.hpp"

namespace dupwatch::run {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::kAnswerTimeout;
using postgres::Result;

// A hole in the slots is no hole while its writer has not committed; engines themselves wait 0.2 s.
constexpr std::chrono::seconds kGapLasts{5};
// What is remembered of rows that may be in the making; more at once is a broken table, and told in turns.
constexpr std::size_t kSightingsMax = 10'000;
// Longer than a round through all open runs takes.
constexpr std::chrono::hours kSightingKept{6};

}  // namespace

Recheck::Recheck(const core::Config& config, process::EventFd& wake)
    : config_(config),
      wake_(wake),
      rules_(config.profile, config.rules, codec_),
      thread_([this] { work(); }) {}

Recheck::~Recheck() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_fd_.signal();
  begun_.notify_all();
  thread_.join();
}

void Recheck::begin(Round round) {
  const std::lock_guard lock(mutex_);
  if (busy_) return;
  busy_ = true;
  next_ = std::move(round);
  begun_.notify_all();
}

void Recheck::remember(const std::vector<std::uint64_t>& findings) {
  const std::lock_guard lock(mutex_);
  if (!busy_) known_.insert(findings.begin(), findings.end());
}

std::optional<Recheck::Answers> Recheck::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, std::nullopt);
}

void Recheck::work() {
  process::LoopWaiter waiter(stop_fd_.fd(), [] {});
  for (;;) {
    Round round;
    {
      std::unique_lock lock(mutex_);
      begun_.wait(lock, [this] { return stop_ || next_.has_value(); });
      if (stop_) return;
      round = *std::exchange(next_, std::nullopt);
    }
    Answers answers{.views = {},
                    .server = round.connection.server.started,
                    .asked = process::steady_now(),
                    .error = {},
                    .guard = {}};
    Views views;
    answers.error = look(round, waiter, views, answers.guard);
    if (!answers.error) {
      for (auto& [run, view] : views) answers.views.push_back(std::move(view));
    }
    {
      const std::lock_guard lock(mutex_);
      answers_ = std::move(answers);
      busy_ = false;
    }
    wake_.signal();
  }
}

std::optional<Error> Recheck::look(const Round& round, postgres::Waiter& waiter, Views& views,
                                   std::optional<postgres::GuardState>& guard) {
  auto opened = Connection::open(round.connection, Connection::Kind::kSql, waiter);
  if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
  auto& sql = std::get<Connection>(opened);
  auto found = postgres::find_guard(sql, config_.profile, waiter);
  if (auto* error = std::get_if<Error>(&found)) return std::move(*error);
  guard = std::get<std::optional<postgres::GuardState>>(found);
  rules_.set_auto_engines(round.traits.engines);
  codec_.set_order(round.traits.ids);
  settings_ = round.settings;
  if (auto error = read_log(sql, round, waiter, views)) return error;
  return read_tables(sql, round, waiter, views);
}

std::optional<Error> Recheck::read_log(Connection& sql, const Round& round, postgres::Waiter& waiter,
                                       Views& views) {
  if (round.runs.empty()) return std::nullopt;
  std::unordered_map<std::string, core::RunLog> logs;
  postgres::CopyFields fields;
  auto failed = sql.copy_out(postgres::for_runs(round.runs, round.read_back_copy), waiter, kAnswerTimeout,
                             [&](std::string_view line) {
                               fields.split(line);
                               const table::TableRow row(config_.profile, fields);
                               row.add_to(logs[std::string(row.run_id())], config_.profile, codec_);
                             });
  if (failed) return failed;
  std::vector<core::ReplayRules::Verdict> verdicts;
  for (const auto& run : round.runs) {
    auto& view = views[run];
    view.run_id = run;
    view.log_read = true;
    verdicts.clear();
    rules_.judge_run(logs[run], verdicts);
    for (const auto& verdict : verdicts) {
      auto finding = rules_.describe(logs[run], verdict, run, core::Origin::kRecheck);
      const auto fault = core::fault_id(finding.table, finding.rule, finding.run_id, finding.duplicate.id,
                                        finding.profile_rule);
      if (round.known.contains(fault)) view.findings.push_back(std::move(finding));
    }
  }
  return std::nullopt;
}

std::optional<Error> Recheck::next_open_runs(Connection& sql, postgres::Waiter& waiter,
                                             std::vector<std::string>& out) {
  const auto& runs = *config_.profile.runs;
  const auto answer =
      sql.execute(postgres::next_open_runs_query(runs),
                  {last_open_run_, postgres::array_literal(runs.open_states), std::to_string(kRunsMax)},
                  waiter, kAnswerTimeout);
  if (const auto* error = std::get_if<Error>(&answer)) return *error;
  const auto& result = *std::get<Result>(answer);
  for (int i = 0; i < postgres::row_count(result); ++i) out.push_back(cell_text(result, i, 0));
  // The last of them, or from the beginning next time.
  last_open_run_ = postgres::row_count(result) == static_cast<int>(kRunsMax) ? out.back() : std::string{};
  return std::nullopt;
}

std::optional<Error> Recheck::read_tables(Connection& sql, const Round& round, postgres::Waiter& waiter,
                                          Views& views) {
  if (!config_.profile.runs) return std::nullopt;
  const auto& profile = config_.profile;
  const auto readable = postgres::readable_tables(sql, *profile.runs, waiter);
  if (const auto* error = std::get_if<Error>(&readable)) return *error;
  const auto tables = std::get<postgres::ReadableTables>(readable);
  if (!tables.runs) return std::nullopt;
  auto runs = round.runs;
  if (auto error = next_open_runs(sql, waiter, runs)) return error;
  std::vector<std::pair<core::Rule, std::string>> queries{
      {core::Rule::kOrphan, postgres::orphan_runs_query(profile)},
      {core::Rule::kSlotGap, postgres::slot_gaps_query(profile, round.traits.specs)}};
  if (tables.steps) queries.emplace_back(core::Rule::kOrphan, postgres::orphan_steps_query(profile));
  if (tables.steps) queries.emplace_back(core::Rule::kStuckStep, postgres::stuck_steps_query(profile));
  if (tables.waits) queries.emplace_back(core::Rule::kOrphan, postgres::orphan_waits_query(profile));
  for (const auto& run : runs) {
    auto& view = views[run];
    view.run_id = run;
    view.tables_read = tables.steps && tables.waits;
  }
  const auto now = process::steady_now();
  std::map<Sighting, core::Instant> seen;
  for (const auto& [rule, query] : queries) {
    if (!config_.rules.rules[static_cast<std::size_t>(rule)].enabled) continue;
    const auto answer = sql.execute(
        query, {postgres::array_literal(runs), postgres::array_literal(profile.runs->open_states)}, waiter,
        kAnswerTimeout);
    if (const auto* error = std::get_if<Error>(&answer)) return *error;
    const auto& result = *std::get<Result>(answer);
    for (int i = 0; i < postgres::row_count(result); ++i) {
      const Sighting sighting{.rule = rule,
                              .run_id = cell_text(result, i, 0),
                              .entity = cell_text(result, i, 1),
                              .detail = cell_text(result, i, 2)};
      const bool lasted = lasts(sighting, now);
      // Of a hole in slots alone; the other questions have no such column.
      const auto spec = rule == core::Rule::kSlotGap ? core::spec_of(cell_text(result, i, 3)) : 0;
      auto finding = describe(sighting, core::engine_of_spec(spec));
      if (lasted || known_.contains(finding.id))
        views[sighting.run_id].findings.push_back(std::move(finding));
      seen.emplace(sighting, now);
    }
  }
  // Forgotten when its run was looked at and it was not there.
  std::erase_if(sightings_, [&](const auto& entry) {
    return views.contains(entry.first.run_id) && !seen.contains(entry.first);
  });
  return std::nullopt;
}

bool Recheck::lasts(const Sighting& sighting, core::Instant now) {
  // Runs that have ended since are not looked at any more.
  if (sightings_.size() >= kSightingsMax) {
    std::erase_if(sightings_, [&](const auto& entry) { return now - entry.second.last > kSightingKept; });
  }
  auto place = sightings_.find(sighting);
  if (place == sightings_.end()) {
    if (sightings_.size() >= kSightingsMax) return false;
    place = sightings_.emplace(sighting, Seen{.first = now, .last = now}).first;
  }
  place->second.last = now;
  core::Milliseconds needed = kGapLasts;
  if (sighting.rule == core::Rule::kStuckStep) needed = settings_.stuck_after;
  if (sighting.rule == core::Rule::kOrphan) needed = settings_.orphan_after;
  return now - place->second.first >= needed;
}

core::Finding Recheck::describe(const Sighting& sighting, std::optional<core::Engine> own) const {
  if (sighting.rule == core::Rule::kSlotGap) {
    // The rule is on: its query was sent.
    return *rules_.describe_gap({.before = sighting.detail, .after = sighting.entity}, sighting.run_id, false,
                                core::Origin::kRecheck, own);
  }
  core::Finding finding;
  finding.rule = sighting.rule;
  finding.engine = config_.rules.engine.value_or(core::Engine::kV4);
  finding.severity = rules_.severity(sighting.rule, core::Shape::kPlain, finding.engine);
  if (finding.severity == core::Severity::kFatal) finding.pending = core::Pending::kCertain;
  finding.shape = core::Shape::kPlain;
  finding.origin = core::Origin::kRecheck;
  finding.set_table(config_.profile);
  finding.run_id = sighting.run_id;
  finding.identity = {sighting.entity.empty() ? std::nullopt : std::optional(sighting.entity)};
  finding.type = sighting.detail;
  finding.duplicate.id = sighting.entity;
  finding.id = core::finding_id(finding.table, finding.rule, finding.run_id, finding.duplicate.id);
  return finding;
}

}  // namespace dupwatch::run
