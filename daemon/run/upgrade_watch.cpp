#include "daemon/run/upgrade_watch.hpp"

#include <utility>

namespace dupwatch::run {

void UpgradeWatch::attached(const core::LogTraits& traits, bool first) {
  const bool told = std::exchange(parts_.source.traits, traits).engines == traits.engines;
  if (!told || first) log_engines();
  parts_.watch.set_traits(traits);
}

void UpgradeWatch::turn(core::Instant now) {
  if (parts_.life.streaming()) rounds_.tick(now);
  const auto news = rounds_.take();
  if (!news) return;
  auto& traits = parts_.source.traits;
  const bool other_engine = news->engines != traits.engines;
  if (other_engine) {
    traits.engines = news->engines;
    parts_.watch.set_auto_engines(traits.engines);
    log_engines();
  }
  // No commit went unseen, so it is no gap. But rows in memory may be gone, and of a row that stays another
  // thing may be said; of another engine all of it.
  if (news->deleted) parts_.watch.doubt_runs();
  if (!news->deleted && (!other_engine || config_.rules.engine)) return;
  parts_.scans.judge_again(traits);
  parts_.recheck.hurry(now);
}

void UpgradeWatch::log_engines() const {
  if (config_.rules.engine || !config_.profile.runs) return;
  const auto& engines = parts_.source.traits.engines;
  log_.info("engine: auto", {{"event", "engine"},
                             {"ulids", std::string(to_string(engines.ulids))},
                             {"slots", std::string(to_string(engines.slots))},
                             {"why", std::string(engines.why)},
                             {"by_run", std::string(to_string(engines.by_run))}});
}

void UpgradeWatch::describe(core::StatusSnapshot& out, core::Instant /*now*/) const {
  out.schema = rounds_.status();
}

}  // namespace dupwatch::run
