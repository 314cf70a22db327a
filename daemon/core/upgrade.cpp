#include "daemon/core/upgrade.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/core/packed_text.hpp"
#include "daemon/core/upgrade_judge.hpp"

namespace dupwatch::core {
namespace {

using Millis = std::chrono::milliseconds;

// Of the time to sort the log by its key: measured with the real migrations over 0.2 to 2 million rows of
// which every third is a creation event.
constexpr double kDeduplication = 0.85;
constexpr double kIndexAgain = 0.4;
constexpr double kNewKey = 1.0;
constexpr Millis kInstant{100};

}  // namespace

std::string plural(std::uint64_t count, std::string_view one, std::string_view many) {
  if (count == 1) return fmt::format("1 {}", one);
  return many.empty() ? fmt::format("{} {}s", count, one) : fmt::format("{} {}", count, many);
}

std::string span_text(std::uint64_t seconds) {
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7'200) return fmt::format("{} min", (seconds + 30) / 60);
  if (seconds < 172'800) return fmt::format("{} h", (seconds + 1'800) / 3'600);
  return fmt::format("{} days", (seconds + 43'200) / 86'400);
}
std::optional<Millis> UpgradeJudge::duration() const {
  double share = 0;
  if (applies(MigrationEffect::kUniqueIndex)) share += kDeduplication;
  if (applies(MigrationEffect::kAttributes)) share += kIndexAgain;
  if (applies(MigrationEffect::kSwapsKey) && !facts_.key.prebuilt) share += kNewKey;
  if (share == 0) return kInstant;
  if (!facts_.sort_time) return std::nullopt;
  const auto time = std::chrono::duration_cast<Millis>(*facts_.sort_time * share);
  return std::max(time, kInstant);
}

void UpgradeJudge::migrations() {
  const auto& plan = report_.plan;
  if (!plan.foreign.empty()) {
    line({.name = "migrations",
          .verdict = UpgradeVerdict::kFail,
          .found = fmt::format("the tables are past {}: they have {}; there is no way back", asked_,
                               numbers_text(plan.foreign))});
    return;
  }
  if (plan.pending.empty()) {
    report_.takes = Millis{0};
    line({.name = "migrations", .found = "none is pending"});
    return;
  }
  report_.takes = duration();
  const auto takes = report_.takes
                         ? fmt::format("about {:.1f} s", static_cast<double>(report_.takes->count()) / 1000)
                         : std::string("an unknown time");
  std::string blocks;
  if (applies(MigrationEffect::kSwapsKey)) {
    blocks = "; reads and writes of the log wait";
  } else if (comes(MigrationEffect::kUniqueIndex) || applies(MigrationEffect::kAttributes)) {
    blocks = "; writes to the log wait";
  }
  line({.name = "migrations",
        .verdict = report_.takes ? UpgradeVerdict::kPass : UpgradeVerdict::kWarn,
        .found = fmt::format("{}, all in one transaction, {}{}", numbers_text(plan.pending), takes, blocks),
        .numbers = {
            {"pending", plan.pending.size()},
            {"table_bytes", facts_.table_bytes},
            {"milliseconds", report_.takes ? static_cast<std::uint64_t>(report_.takes->count()) : 0}}});
}

void UpgradeJudge::journal() {
  const auto& schema = facts_.schema;
  const auto& skipped = report_.plan.skipped;
  if (!schema.journal_exists || (schema.journal_readable && !schema.journal_newest)) {
    line({.name = "journal",
          .verdict = UpgradeVerdict::kFail,
          .found = "the journal workflow_drizzle.workflow_migrations is missing or empty, so the migrator "
                   "begins with 0000 and fails on the tables that exist",
          .fix = "restore the journal of the installation before anything else"});
    return;
  }
  if (!skipped.empty()) {
    std::string sql;
    for (const auto* one : skipped) {
      if (!one->by_hand.empty()) sql += fmt::format("{}{}", sql.empty() ? "" : " ", one->by_hand);
    }
    line({.name = "journal",
          .verdict = UpgradeVerdict::kFail,
          .found = fmt::format("the migrator passes over {}: they are older than the newest entry of its "
                               "journal. It reports success, and the engine fails on what is missing",
                               numbers_text(skipped)),
          .fix = std::move(sql),
          .numbers = {{"skipped", skipped.size()}}});
    return;
  }
  if (!schema.journal_readable) {
    line({.name = "journal",
          .verdict = UpgradeVerdict::kWarn,
          .found = "the journal may not be read; what was applied is taken from the tables",
          .fix = fmt::format("GRANT USAGE ON SCHEMA workflow_drizzle TO {0}; GRANT SELECT ON "
                             "workflow_drizzle.workflow_migrations TO {0};",
                             facts_.role)});
    return;
  }
  line({.name = "journal", .found = "the migrator passes over nothing"});
}

std::uint64_t UpgradeJudge::refused(const OpenRuns& runs) const {
  if (refuses_ulids(to_.engine)) return runs.not_slots;
  // Engines 4.x and 5.x draw the ids of steps, waits and hooks from different seeds.
  const bool new_seed = to_.engine != Engine::kV4 && schema_engine(facts_.schema) == Engine::kV4;
  return new_seed ? runs.with_entities : 0;
}

std::string UpgradeJudge::oldest() const {
  std::string id;
  for (const auto& runs : *facts_.open_runs) {
    if (!runs.oldest.empty() && (id.empty() || runs.oldest < id)) id = runs.oldest;
  }
  TokenCodec codec;
  const auto millis = id.empty() ? 0 : ulid_millis(codec.pack(id));
  if (millis == 0 || millis > now_millis_) return {};
  return fmt::format(", the oldest {} old", span_text((now_millis_ - millis) / 1000));
}

std::string UpgradeJudge::drain_text(std::uint64_t refused) const {
  if (!facts_.drain) return "how fast they end could not be read";
  const auto& rate = *facts_.drain;
  const auto begun = rate.begun == 0 ? std::string("none began") : plural(rate.begun, "new one");
  if (rate.ended == 0) return fmt::format("in the last hour none ended and {}", begun);
  const auto ended = plural(rate.ended, "run");
  return fmt::format("in the last hour {} ended and {}: {} at this rate once none begins", ended, begun,
                     span_text(refused * 3'600 / rate.ended));
}

void UpgradeJudge::open_runs() {
  if (!facts_.open_runs) {
    const bool matters = to_.engine != Engine::kV4;
    line({.name = "open_runs",
          .verdict = matters ? UpgradeVerdict::kFail : UpgradeVerdict::kWarn,
          .found = "the open runs could not be read",
          .fix = "the grants that `dupwatch setup --print-sql` shows"});
    return;
  }
  std::uint64_t open = 0;
  std::uint64_t lost = 0;
  OpenRuns sum;
  std::string statuses;
  for (const auto& runs : *facts_.open_runs) {
    open += runs.runs;
    lost += refused(runs);
    sum.hour += runs.hour;
    sum.day += runs.day;
    sum.week += runs.week;
    sum.older += runs.older;
    statuses += fmt::format("{}{} {}", statuses.empty() ? "" : ", ", runs.runs, runs.status);
  }
  UpgradeLine out{.name = "open_runs", .numbers = {{"open", open}, {"refused", lost}}};
  if (lost == 0) {
    out.found = open == 0 ? std::string("none is open")
                          : fmt::format("{} ({}), all of which {} goes on with", plural(open, "run"),
                                        statuses, asked_);
    line(std::move(out));
    return;
  }
  const auto ages = sum.hour + sum.day + sum.week + sum.older == 0
                        ? std::string{}
                        : fmt::format("; {} up to an hour old, {} up to a day, {} up to a week, {} older{}",
                                      sum.hour, sum.day, sum.week, sum.older, oldest());
  out.verdict = UpgradeVerdict::kFail;
  out.found = fmt::format("{} refuses {} of {} ({}): their ids are those of 4.x{}; {}", asked_, lost,
                          plural(open, "open run"), statuses, ages, drain_text(lost));
  out.fix =
      "let no run begin on the old version and wait for: SELECT count(*) FROM workflow.workflow_runs WHERE "
      "status IN ('pending', 'running');";
  out.numbers.insert(out.numbers.end(),
                     {{"hour", sum.hour}, {"day", sum.day}, {"week", sum.week}, {"older", sum.older}});
  if (facts_.drain) {
    out.numbers.insert(out.numbers.end(),
                       {{"ended_last_hour", facts_.drain->ended}, {"begun_last_hour", facts_.drain->begun}});
  }
  line(std::move(out));
}
std::string_view to_string(UpgradeVerdict verdict) noexcept {
  switch (verdict) {
    case UpgradeVerdict::kPass:
      return "pass";
    case UpgradeVerdict::kWarn:
      return "warn";
    case UpgradeVerdict::kFail:
      return "fail";
  }
  return "?";
}

bool UpgradeReport::go() const noexcept {
  return std::ranges::none_of(lines,
                              [](const UpgradeLine& line) { return line.verdict == UpgradeVerdict::kFail; });
}

bool needs_duplicates(const MigrationPlan& plan) noexcept {
  const auto comes = [&](MigrationEffect effect) { return plan.applies(effect) || plan.skips(effect); };
  return comes(MigrationEffect::kUniqueIndex) || comes(MigrationEffect::kAttributes);
}

UpgradeReport judge_upgrade(const Release& to, std::string_view asked, const UpgradeFacts& facts,
                            std::uint64_t now_millis) {
  return UpgradeJudge(to, asked, facts, now_millis).judge();
}

}  // namespace dupwatch::core
