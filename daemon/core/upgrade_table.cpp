#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "daemon/core/upgrade_judge.hpp"

/// The lines about the log, its writers, its key and its columns.
namespace dupwatch::core {
namespace {

// A lock that people notice.
constexpr std::chrono::milliseconds kLong{5'000};

constexpr std::string_view kPrebuild =
    "CREATE UNIQUE INDEX CONCURRENTLY workflow_events_run_id_id_idx ON workflow.workflow_events (run_id, "
    "id);";

}  // namespace

void UpgradeJudge::duplicates() {
  if (!facts_.duplicates || !comes(MigrationEffect::kUniqueIndex)) return;
  const auto& found = *facts_.duplicates;
  UpgradeLine out{.name = "duplicates",
                  .numbers = {{"identities", found.identities},
                              {"rows_deleted", found.deleted},
                              {"other_row_kept", found.other_kept},
                              {"left_fatal", found.left_fatal}}};
  if (!applies(MigrationEffect::kUniqueIndex)) {
    // The index has to be made by hand, and nothing deletes rows then.
    out.verdict = found.blocking != 0 ? UpgradeVerdict::kFail : UpgradeVerdict::kPass;
    out.found = found.blocking != 0 ? fmt::format(
                                          "{} with more than one row: the index that is missing can't "
                                          "be made",
                                          plural(found.blocking, "identity", "identities"))
                                    : std::string("none");
  } else if (found.identities == 0) {
    out.found = "none: 0010 deletes nothing";
  } else {
    out.verdict = found.other_kept != 0 ? UpgradeVerdict::kFail : UpgradeVerdict::kWarn;
    out.found = fmt::format(
        "0010 deletes {} of {}; in {} it keeps another row than the one replay reads "
        "first, and in {} one behind the closing event, where the run dies",
        plural(found.deleted, "row"), plural(found.identities, "identity", "identities"),
        plural(found.other_kept, "case"), plural(found.left_fatal, "case"));
  }
  if (out.verdict != UpgradeVerdict::kPass) {
    out.fix =
        "dupwatch audit --before-migration --json > rows.jsonl; dupwatch quarantine apply "
        "--before-migration --from-audit rows.jsonl";
  }
  line(std::move(out));
}

void UpgradeJudge::attributes() {
  if (!facts_.duplicates || !comes(MigrationEffect::kAttributes)) return;
  const auto& found = *facts_.duplicates;
  // 0010 comes first where it is pending and leaves one row of each of its identities.
  const auto others = comes(MigrationEffect::kUniqueIndex) ? 0 : found.blocking;
  UpgradeLine out{.name = "attributes", .numbers = {{"duplicates", found.attributes + others}}};
  if (found.attributes + others == 0) {
    out.found = "none was set twice: 0014 can make its index";
  } else {
    out.verdict = UpgradeVerdict::kFail;
    out.found = fmt::format("{} with more than one row: 0014 fails, and with it the whole upgrade",
                            plural(found.attributes + others, "identity", "identities"));
    out.fix =
        "dupwatch audit --json > rows.jsonl; dupwatch quarantine apply --before-migration --from-audit "
        "rows.jsonl";
  }
  line(std::move(out));
}

void UpgradeJudge::writers() {
  if (report_.plan.pending.empty() && report_.plan.skipped.empty()) return;
  if (facts_.standby) {
    line({.name = "writers",
          .verdict = UpgradeVerdict::kWarn,
          .found = "this is a standby, which does not see the sessions of its primary",
          .fix = "run it against the primary too"});
    return;
  }
  std::uint64_t sessions = 0;
  std::string who;
  for (const auto& group : facts_.writers) {
    sessions += group.sessions;
    who += fmt::format(
        "{}{} of {}{}{}", who.empty() ? "" : ", ", group.sessions, group.user,
        group.application.empty() ? "" : fmt::format(" ({})", group.application),
        group.seconds ? fmt::format(", up to {} old", span_text(static_cast<std::uint64_t>(*group.seconds)))
                      : std::string{});
  }
  UpgradeLine out{.name = "writers", .numbers = {{"sessions", sessions}}};
  if (sessions == 0) {
    out.found = "no other session may write the log";
    line(std::move(out));
    return;
  }
  const bool index = applies(MigrationEffect::kUniqueIndex);
  const bool other_ids = refuses_ulids(to_.engine) && schema_engine(facts_.schema) != Engine::kV5;
  out.verdict = index || other_ids || applies(MigrationEffect::kSwapsKey) ? UpgradeVerdict::kFail
                                                                          : UpgradeVerdict::kWarn;
  const std::string_view why =
      index ? "; a duplicate that a writer adds while 0010 runs makes it fail, and 4.1.1 crashes on the index"
      : out.verdict == UpgradeVerdict::kFail
          ? "; a writer of the old version goes on with ids that the new one refuses"
          : "; it can go on meanwhile, but end it before long";
  out.found = fmt::format("{} may write the log: {}{}", plural(sessions, "session"), who, why);
  out.fix = "stop all processes of the old version before the migration";
  line(std::move(out));
}

void UpgradeJudge::key() {
  if (!applies(MigrationEffect::kSwapsKey)) return;
  const auto& key = facts_.key;
  if (key.primary_key != "workflow_events_pkey" || !key.references.empty()) {
    const auto why = key.primary_key != "workflow_events_pkey"
                         ? fmt::format("0019 drops workflow_events_pkey, and the primary key is {}",
                                       key.primary_key.empty() ? "missing" : key.primary_key)
                         : fmt::format("0019 drops the primary key, and {} refers to it: it fails",
                                       fmt::join(key.references, ", "));
    line({.name = "key",
          .verdict = UpgradeVerdict::kFail,
          .found = why,
          .fix = key.references.empty() ? std::string{} : std::string("drop these foreign keys before")});
    return;
  }
  if (key.prebuilt) {
    line({.name = "key", .found = "0019 adopts the index that was made before: an instant under its lock"});
    return;
  }
  if (report_.takes && *report_.takes < kLong) {
    line({.name = "key", .found = "0019 builds the new primary key under its lock, which is short here"});
    return;
  }
  line({.name = "key",
        .verdict = UpgradeVerdict::kWarn,
        .found = "0019 builds the new primary key while it locks the log against reads and writes",
        .fix = std::string(kPrebuild) + " and see that it is valid; 0019 adopts it"});
}

void UpgradeJudge::publication() {
  if (!applies(MigrationEffect::kSwapsKey)) return;
  std::string lacking;
  bool changes = false;
  for (const auto& one : facts_.publications) {
    changes = changes || one.publishes_changes;
    if (one.publishes_changes && one.lacks_new_key) {
      lacking += fmt::format("{}{}", lacking.empty() ? "" : ", ", one.name);
    }
  }
  if (!lacking.empty() && facts_.key.replica_identity == 'd') {
    line({.name = "publication",
          .verdict = UpgradeVerdict::kFail,
          .found = fmt::format("{} publishes updates or deletes and does not list both run_id and id: after "
                               "0019 every UPDATE and DELETE of the log fails",
                               lacking),
          .fix = "ALTER PUBLICATION ... SET TABLE workflow.workflow_events (run_id, id, ...);"});
    return;
  }
  if (changes && facts_.key.replica_identity == 'i') {
    line({.name = "publication",
          .verdict = UpgradeVerdict::kFail,
          .found =
              "the replica identity is an index; if it is the primary key's, 0019 takes it away and every "
              "UPDATE and DELETE of the log fails",
          .fix = "ALTER TABLE workflow.workflow_events REPLICA IDENTITY DEFAULT;"});
    return;
  }
  line({.name = "publication", .found = "stays valid with the new key"});
}

void UpgradeJudge::column_types() {
  if (!applies(MigrationEffect::kRetypes)) return;
  std::string pins;
  bool publication = false;
  for (const auto& pin : facts_.pinned) {
    pins += fmt::format("{}{} by {}", pins.empty() ? "" : ", ", pin.column, pin.by);
    publication = publication || pin.publication;
  }
  if (!pins.empty()) {
    line({.name = "column_types",
          .verdict = UpgradeVerdict::kFail,
          .found = fmt::format("0026 changes the type of columns that are held: {}", pins),
          .fix = publication
                     ? "take the column out of the publication before, or drop it and make it again after"
                     : "drop what holds the column before, and make it again after",
          .numbers = {{"held", facts_.pinned.size()}}});
    return;
  }
  constexpr std::array<std::string_view, 6> kUtc = {"UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Zulu"};
  if (std::ranges::find(kUtc, facts_.time_zone) == kUtc.end()) {
    line({.name = "column_types",
          .verdict = UpgradeVerdict::kWarn,
          .found = fmt::format("the server's time zone is {}: 0026 rewrites created_at in every row",
                               facts_.time_zone)});
    return;
  }
  line({.name = "column_types", .found = "nothing holds the columns that 0026 changes"});
}

void UpgradeJudge::guard() {
  if (!facts_.guard) return;
  const bool index = comes(MigrationEffect::kUniqueIndex) || facts_.schema.index_exists;
  if (!index && !applies(MigrationEffect::kSwapsKey)) return;
  const bool slots =
      applies(MigrationEffect::kSwapsKey) || facts_.schema.columns.contains("workflow_event_slots.run_id");
  line({.name = "guard",
        .verdict = slots ? UpgradeVerdict::kFail : UpgradeVerdict::kWarn,
        .found = slots ? "the guard is on: 5.x takes a row that it drops for a slot that is taken"
                       : "the guard is on: the unique index does its work",
        .fix = slots ? "dupwatch guard remove, before" : "dupwatch guard remove, after"});
}

}  // namespace dupwatch::core
