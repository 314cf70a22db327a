#pragma once

#include "daemon/core/upgrade.hpp"

/// How `judge_upgrade` comes to its lines; nothing outside of it needs this.
namespace dupwatch::core {

/// "1 row", "2 rows"; `many` where the plural has no s.
[[nodiscard]] std::string plural(std::uint64_t count, std::string_view one, std::string_view many = {});
/// "90 s", "40 min", "3 h", "12 days".
[[nodiscard]] std::string span_text(std::uint64_t seconds);

/// Judges one subject after the other.
class UpgradeJudge {
 public:
  UpgradeJudge(const Release& to, std::string_view asked, const UpgradeFacts& facts, std::uint64_t now_millis)
      : to_(to), asked_(asked), facts_(facts), now_millis_(now_millis) {
    report_.plan = plan_migrations(to, facts.schema);
  }

  UpgradeReport judge() {
    migrations();
    journal();
    open_runs();
    duplicates();
    attributes();
    writers();
    key();
    publication();
    column_types();
    guard();
    return std::move(report_);
  }

 private:
  [[nodiscard]] bool applies(MigrationEffect effect) const { return report_.plan.applies(effect); }
  /// By the migrator or by hand.
  [[nodiscard]] bool comes(MigrationEffect effect) const {
    return applies(effect) || report_.plan.skips(effect);
  }
  void line(UpgradeLine line) { report_.lines.push_back(std::move(line)); }

  void migrations();
  void journal();
  void open_runs();
  void duplicates();
  void attributes();
  void writers();
  void key();
  void publication();
  void column_types();
  void guard();

  [[nodiscard]] std::optional<std::chrono::milliseconds> duration() const;
  [[nodiscard]] std::uint64_t refused(const OpenRuns& runs) const;
  [[nodiscard]] std::string oldest() const;
  [[nodiscard]] std::string drain_text(std::uint64_t refused) const;

  const Release& to_;
  std::string_view asked_;
  const UpgradeFacts& facts_;
  std::uint64_t now_millis_;
  UpgradeReport report_;
};

}  // namespace dupwatch::core
