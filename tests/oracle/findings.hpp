#pragma once

#include <array>
#include <compare>
#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "tests/oracle/event.hpp"

/// What the daemon must find, computed in the plainest way from whole tables of strings: the rows of each run
/// are read in the order of their ids, as a replay reads them, and everything that an engine would stumble
/// over is written down where it happens. Shares no code with the daemon: a mistake would have to be made
/// twice to go unseen.
namespace dupwatch::oracle {

/// Events of one kind of entity.
struct Kind {
  std::set<std::string> opening;
  /// At most once, and in all one of them where `one_end`.
  std::set<std::string> closing;
  bool one_end = true;
  /// Any number, until the entity is closed.
  std::set<std::string> living;
  std::set<std::string> deliveries;
  std::set<std::string> conflicts;
};

/// What the table means.
struct Log {
  /// The log of the workflow engine; otherwise a table of which no more is known than unique types and
  /// closings.
  bool engine = false;
  std::vector<Kind> kinds;
  /// Types outside of any kind: at most once per identity; the same, but for an identity of NULLs; once per
  /// run.
  std::set<std::string> unique;
  std::set<std::string> unique_unless_null;
  std::set<std::string> once_per_run;
  std::set<std::string> run_ends;
  /// Of no interest but for their ids.
  std::set<std::string> fillers;
  /// Types that are named nowhere: unique as well, or of no interest.
  bool others_unique = false;
  std::set<std::string> repeatable;
};

inline Log workflow_devkit_log() {
  const std::set<std::string> none;
  return Log{.engine = true,
             .kinds = {Kind{.opening = {"step_created"},
                            .closing = {"step_completed", "step_failed"},
                            .living = {"step_started", "step_retrying"},
                            .deliveries = none,
                            .conflicts = none},
                       Kind{.opening = {"wait_created"},
                            .closing = {"wait_completed"},
                            .living = none,
                            .deliveries = none,
                            .conflicts = none},
                       Kind{.opening = {"hook_created"},
                            .closing = {"hook_disposed"},
                            .living = none,
                            .deliveries = {"hook_received"},
                            .conflicts = {"hook_conflict"}}},
             .unique = none,
             .unique_unless_null = {"attr_set"},
             .once_per_run = {"run_created", "run_started"},
             .run_ends = {"run_completed", "run_failed", "run_cancelled"},
             .fillers = {"noop"},
             .others_unique = false,
             .repeatable = none};
}

/// The configuration's part: which engine, which rules.
struct Settings {
  /// v4, v5-before-class-skip, v5, or auto: v5 for a run with a slot number among its ids, else
  /// `ulid_engine`.
  std::string engine = "auto";
  std::string ulid_engine = "v4";
  /// Of auto: what a run says itself, empty where it says nothing.
  std::function<std::string(const std::string&)> own{};
  std::set<std::string> off{};
  std::map<std::string, std::string> severity{};
};

/// Run, rule, id of the row at fault; the id is empty for a rule that speaks of the run as a whole.
using Key = std::tuple<std::string, std::string, std::string>;

struct Verdict {
  std::string severity;
  std::string state;
  /// Of the row at fault and of the row that it contradicts.
  std::string row_id;
  std::string canonical_id;
  /// The smallest id of a closing event of the entity, if it is smaller than the row's.
  std::optional<std::string> closed_by;

  friend auto operator<=>(const Verdict&, const Verdict&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const Verdict& verdict) {
  return out << verdict.severity << ", " << verdict.state << ", row " << verdict.row_id << ", canonical "
             << verdict.canonical_id << (verdict.closed_by ? ", closed by " + *verdict.closed_by : "");
}

using Findings = std::map<Key, Verdict>;

/// evnt_ and 26 decimal digits, the first ten of them zeros.
inline bool is_slot_number(std::string_view id) {
  return id.size() == 31 && id.starts_with("evnt_0000000000") &&
         id.substr(5).find_first_not_of("0123456789") == std::string_view::npos;
}

/// One run, read from its first row to its last.
class Replay {
 public:
  Replay(std::string run_id, const Log& log, const Settings& settings)
      : run_id_(std::move(run_id)), log_(log), settings_(settings) {}

  /// Rows in the order of their ids.
  void read(const Event& row) {
    const bool all_null = row.identity == std::vector<std::optional<std::string>>(row.identity.size());
    if (log_.fillers.contains(row.type) || (log_.unique_unless_null.contains(row.type) && all_null)) {
      note_scheme(row);
      return;
    }
    for (std::size_t i = 0; i < log_.kinds.size(); ++i) {
      const auto& kind = log_.kinds[i];
      for (const auto* types :
           {&kind.opening, &kind.closing, &kind.living, &kind.deliveries, &kind.conflicts}) {
        if (!types->contains(row.type)) continue;
        note_scheme(row);
        read_entity_row(row, kind, consumers_[{i, row.identity}]);
        return;
      }
    }
    read_other_row(row);
  }

  [[nodiscard]] Findings done() {
    for (const auto& [at, consumer] : consumers_) {
      for (const auto& conflict : consumer.conflicts) {
        if (consumer.opened_by)
          tell("hook_self_conflict", conflict, *consumer.opened_by, "CCC", consumer.closed_by);
      }
    }
    if (log_.engine && first_other_) {
      // The newest engine takes slot numbers alone; an older one reads a stranger among them in the wrong
      // place.
      if (first_slot_) tell("id_scheme", *first_other_, *first_slot_, "UUF");
      if (!first_slot_ && engine() == "v5") tell("id_scheme", *first_other_, *first_other_, "HHF");
    }
    Findings out;
    for (const auto& remark : remarks_) {
      if (!settings_.off.contains(remark.rule)) out[key(remark)] = verdict(remark);
    }
    add_lost_run(out);
    return out;
  }

 private:
  using Identity = std::vector<std::optional<std::string>>;
  /// Who takes the events of one entity.
  struct Consumer {
    std::optional<std::string> opened_by;
    std::optional<std::string> closed_by;
    /// The first row of each class, and the classes that came while the consumer was there.
    std::map<std::string, Event> first;
    std::set<std::string> consumed;
    std::vector<std::string> conflicts;
  };
  struct Remark {
    std::string rule;
    std::string row_id;
    std::string canonical_id;
    /// F, C, H or U for each of the three engines.
    std::string severities;
    std::optional<std::string> closed_by;
  };

  void tell(const std::string& rule, const std::string& row_id, const std::string& canonical_id,
            const std::string& severities, const std::optional<std::string>& closed_by = std::nullopt) {
    const bool before = closed_by && *closed_by < row_id;
    remarks_.push_back({rule, row_id, canonical_id, severities, before ? closed_by : std::nullopt});
  }

  void note_scheme(const Event& row) {
    auto& first = is_slot_number(row.id) ? first_slot_ : first_other_;
    if (!first) first = row.id;
  }

  void read_entity_row(const Event& row, const Kind& kind, Consumer& consumer) {
    const bool conflicts = kind.conflicts.contains(row.type);
    if (conflicts) consumer.conflicts.push_back(row.id);
    const bool opens = kind.opening.contains(row.type);
    const bool closes = kind.closing.contains(row.type);
    const auto event_class = closes && kind.one_end ? std::string("end") : row.type;
    const auto earlier = consumer.first.find(event_class);
    const bool once = opens || closes;
    if (once && earlier != consumer.first.end()) {
      read_second_row(row, closes, earlier->second, consumer, consumer.consumed.contains(event_class));
    } else if (log_.engine && consumer.closed_by && !closes) {
      const bool delivery = conflicts || kind.deliveries.contains(row.type);
      // A late event of a class that was taken before is passed over by the newest engines.
      tell(delivery ? "delivery_after_disposal" : "lifecycle_after_close", row.id, *consumer.closed_by,
           delivery                                  ? "FFF"
           : consumer.consumed.contains(event_class) ? "FFH"
                                                     : "FFF",
           consumer.closed_by);
    }
    if (log_.engine && opens && run_end_) tell("after_run_end", row.id, *run_end_, "HHH");
    consumer.first.emplace(event_class, row);
    if (!consumer.closed_by) consumer.consumed.insert(event_class);
    if (opens && !consumer.opened_by) consumer.opened_by = row.id;
    if (closes && !consumer.closed_by) consumer.closed_by = row.id;
  }

  void read_second_row(const Event& row, bool closes, const Event& first, const Consumer& consumer,
                       bool consumed) {
    if (!log_.engine) {
      tell("duplicate", row.id, first.id, consumer.closed_by ? "FFF" : "HHH", consumer.closed_by);
    } else if (closes) {
      tell("second_terminal", row.id, first.id, row.type == first.type ? "FFH" : "FFC", consumer.closed_by);
    } else if (!consumer.closed_by) {
      tell("duplicate_created", row.id, first.id, "HHH");
    } else {
      tell("duplicate_created", row.id, first.id, consumed ? "FFH" : "FFF", consumer.closed_by);
    }
  }

  void read_other_row(const Event& row) {
    const bool end = log_.run_ends.contains(row.type);
    const bool of_the_run = log_.engine && (end || log_.once_per_run.contains(row.type));
    const bool named = end || log_.unique.contains(row.type) || log_.unique_unless_null.contains(row.type);
    const bool known = of_the_run || named || (log_.others_unique && !log_.repeatable.contains(row.type));
    if (!known) return;
    note_scheme(row);
    if (end && !run_end_) run_end_ = row.id;
    if (log_.engine && row.type == "run_failed" && !failed_) failed_ = row.id;
    // A run may be cancelled again.
    if (log_.engine && row.type == "run_cancelled") return;
    if (end && !log_.engine && !log_.unique.contains(row.type)) return;
    const auto event_class = of_the_run && end ? std::string("run end") : row.type;
    const auto [first, fresh] = singles_.try_emplace({event_class, row.identity}, row);
    if (fresh) return;
    if (!of_the_run) {
      tell(log_.engine ? "duplicate_created" : "duplicate", row.id, first->second.id,
           log_.engine ? "UFH" : "UUU");
    } else {
      // 4.x draws correlation ids from the time of run_started.
      const auto* severities = row.type == "run_started" ? "UHH" : "HHH";
      tell("duplicate_run_event", row.id, first->second.id,
           row.type == first->second.type ? severities : "CCC");
    }
  }

  /// The run failed, and something before that had to make it fail.
  void add_lost_run(Findings& out) const {
    if (!log_.engine || !failed_ || settings_.off.contains("run_lost")) return;
    std::optional<std::string> cause;
    for (const auto& [at, verdict] : out) {
      if (verdict.severity != "fatal" || verdict.row_id >= *failed_) continue;
      if (!cause || verdict.row_id < *cause) cause = verdict.row_id;
    }
    if (!cause) return;
    const Remark lost{"run_lost", *failed_, *cause, "FFF", std::nullopt};
    out[key(lost)] = verdict(lost);
  }

  [[nodiscard]] std::string engine() const {
    if (settings_.engine != "auto") return settings_.engine;
    if (const auto own = settings_.own ? settings_.own(run_id_) : std::string(); !own.empty()) return own;
    return first_slot_ ? "v5" : settings_.ulid_engine;
  }

  [[nodiscard]] Key key(const Remark& remark) const {
    const bool of_the_run = remark.rule == "id_scheme" || remark.rule == "run_lost";
    return {run_id_, remark.rule, of_the_run ? std::string() : remark.row_id};
  }

  [[nodiscard]] Verdict verdict(const Remark& remark) const {
    const std::array<std::string, 3> engines = {"v4", "v5-before-class-skip", "v5"};
    std::size_t column = 0;
    while (engines.at(column) != engine()) ++column;
    const std::map<char, std::string> words = {
        {'F', "fatal"}, {'C', "conflict"}, {'H', "harmless"}, {'U', "unknown"}};
    const auto wanted = settings_.severity.find(remark.rule);
    return {.severity =
                wanted != settings_.severity.end() ? wanted->second : words.at(remark.severities.at(column)),
            .state = run_end_ ? "run_ended" : "open",
            .row_id = remark.row_id,
            .canonical_id = remark.canonical_id,
            .closed_by = remark.closed_by};
  }

  std::string run_id_;
  const Log& log_;
  const Settings& settings_;
  std::map<std::pair<std::size_t, Identity>, Consumer> consumers_;
  std::map<std::pair<std::string, Identity>, Event> singles_;
  std::optional<std::string> first_slot_;
  std::optional<std::string> first_other_;
  std::optional<std::string> run_end_;
  std::optional<std::string> failed_;
  std::vector<Remark> remarks_;
};

/// Every finding of these rows, in any order; rows of the same run and id are one row.
inline Findings findings(const std::vector<Event>& rows, const Log& log, const Settings& settings = {}) {
  std::map<std::string, std::map<std::string, const Event*>> runs;
  for (const auto& row : rows) runs[row.run_id].emplace(row.id, &row);
  Findings out;
  for (const auto& [run_id, of_run] : runs) {
    Replay replay(run_id, log, settings);
    for (const auto& [id, row] : of_run) replay.read(*row);
    out.merge(replay.done());
  }
  return out;
}

/// A verdict that was true of fewer rows of the same run and is true no more: a created event was the first
/// of its entity, and late, until a row with a smaller id arrived, and now is a second one; or the run's
/// failure has no fatal finding before it any more. `now` is what is true.
inline bool is_superseded(const Key& key, const Findings& now, const Settings& settings = {}) {
  const auto& [run_id, rule, row_id] = key;
  if (now.contains(key)) return false;
  if (rule == "lifecycle_after_close") {
    return now.contains(Key{run_id, "duplicate_created", row_id}) ||
           settings.off.contains("duplicate_created");
  }
  return rule == "run_lost";
}

}  // namespace dupwatch::oracle
