#include "daemon/core/reported_findings.hpp"

#include <algorithm>
#include <iterator>

#include "daemon/core/packed_bytes.hpp"
#include "daemon/core/replay_rules.hpp"

namespace dupwatch::core {

namespace {

constexpr std::size_t kScratchKept = 4096;

/// Its rows may go, and then it is closed.
bool is_in_log(FindingState state) noexcept {
  return state == FindingState::kOpen || state == FindingState::kAcknowledged;
}

std::int64_t acknowledged_at(const Finding& finding) noexcept {
  return finding.acknowledgement ? finding.acknowledgement->at.micros : 0;
}

}  // namespace

void ReportedFindings::say(State& state, const Finding& finding) {
  state.severity = finding.severity;
  state.engine = finding.engine;
  state.engine_from = finding.engine_from;
  state.state = finding.state;
  state.pending = finding.pending;
  state.after_close = finding.after_close;
  state.shape = finding.shape;
  state.acknowledged_at = acknowledged_at(finding);
  state.doubted = false;
  if (finding.duplicate.xid) state.duplicate_xid = finding.duplicate.xid;
  put_texts(state, finding);
}

void ReportedFindings::put_texts(State& state, const Finding& finding) {
  scratch_.resize(kRowBytesMax);
  {
    Writer out(scratch_);
    out.text(finding.canonical.id);
    out.text(finding.duplicate.id);
    out.text(finding.closing ? std::string_view(finding.closing->id) : std::string_view(""));
    if (state.texts) {
      const auto lasting = texts_of(state).lasting;
      out.make_room(lasting.size());
      out.bytes(lasting);
    } else {
      out.text(finding.type);
      out.text(finding.profile_rule);
      for (const auto& value : finding.identity) {
        out.make_room(1 + kRowBytesMax);
        out.byte(value ? 1 : 0);
        if (value) out.text(*value);
      }
    }
  }
  auto texts = std::make_unique_for_overwrite<std::byte[]>(scratch_.size());
  std::ranges::copy(scratch_, texts.get());
  state.texts = std::move(texts);
  state.texts_size = static_cast<std::uint32_t>(scratch_.size());
  if (scratch_.capacity() > kScratchKept) std::vector<std::byte>().swap(scratch_);
}

ReportedFindings::Texts ReportedFindings::texts_of(const State& state) noexcept {
  Reader in({state.texts.get(), state.texts_size});
  Texts out;
  out.canonical_id = in.text();
  out.duplicate_id = in.text();
  out.closing_id = in.text();
  out.lasting = in.rest();
  out.type = in.text();
  out.profile_rule = in.text();
  out.identity = in.rest();
  return out;
}

void ReportedFindings::resolve(Finding& finding) const {
  constexpr int kTries = 8;
  for (int i = 0; i < kTries; ++i) {
    const auto known = states_.find(finding.id);
    if (known == states_.end()) return;
    const auto& state = known->second;
    const bool same_row = is_of_the_run(finding.rule) || texts_of(state).duplicate_id == finding.duplicate.id;
    if (state.rule == finding.rule && same_row && *state.run_id == finding.run_id) return;
    finding.id = finding.id * 0x9E3779B97F4A7C15ULL + 1;
  }
}

ReportedFindings::Added ReportedFindings::add(const Finding& finding, Instant now) {
  const auto verdict = verdict_of(finding.severity, finding.state, finding.after_close);
  const auto [entry, inserted] = states_.try_emplace(finding.id);
  if (!inserted) return Added::kKnown;
  if (told_.has(finding.id, verdict)) {
    states_.erase(entry);
    return Added::kToldBefore;
  }
  auto& state = entry->second;
  state.rule = finding.rule;
  const auto run = by_run_.try_emplace(finding.run_id).first;
  run->second.push_back(finding.id);
  state.in_run = std::prev(run->second.end());
  state.run_id = &run->first;
  state.reported = now;
  say(state, finding);
  state.rank = rank_of(state);
  auto& order = order_[state.rank];
  state.in_order = order.insert(order.end(), finding.id);
  bytes_ += state.bytes();
  count(state, 1);
  while (states_.size() > findings_max_ || (bytes_ > kBytesMax && states_.size() > 1)) forget_one();
  return Added::kNew;
}

bool ReportedFindings::admit(Finding& finding, Instant now) {
  if (const auto added = add(finding, now); added != Added::kKnown) {
    finding.change = FindingChange::kNew;
    return added == Added::kNew;
  }
  auto& state = states_.find(finding.id)->second;
  if (is_left_over(state, finding, now)) return false;
  if (!is_news(state, finding, now)) {
    note_pending(state, finding.pending);
    return false;
  }
  finding.change = FindingChange::kChanged;
  if (finding.one_of_many && state.changes < kChangesMax) ++state.changes;
  count(state, -1);
  bytes_ -= state.bytes();
  say(state, finding);
  bytes_ += state.bytes();
  state.reported = now;
  count(state, 1);
  place(state);
  return true;
}

bool ReportedFindings::is_news(const State& state, const Finding& finding, Instant now) noexcept {
  if (state.state != finding.state || state.acknowledged_at != acknowledged_at(finding)) return true;
  const auto texts = texts_of(state);
  const bool same_verdict = state.severity == finding.severity && state.after_close == finding.after_close &&
                            texts.duplicate_id == finding.duplicate.id;
  if (finding.one_of_many) {
    return !same_verdict && (state.changes < kChangesMax || now - state.reported >= kChangePause);
  }
  // The closing event matters once it stands before the row; until then it may change without a word.
  const bool same_closing =
      !finding.after_close || (state.after_close && finding.closing->id == texts.closing_id);
  return !same_verdict || !same_closing || texts.canonical_id != finding.canonical.id;
}

std::uint8_t ReportedFindings::rank_of(const State& state) noexcept {
  if (!is_in_log(state.state)) return 0;
  if (state.severity == Severity::kFatal) return 3;
  return state.severity == Severity::kConflict ? 2 : 1;
}

std::uint8_t ReportedFindings::verdict_of(Severity severity, FindingState state, bool after_close) noexcept {
  return static_cast<std::uint8_t>((static_cast<unsigned>(severity) << 4U) |
                                   (static_cast<unsigned>(state) << 1U) | (after_close ? 1U : 0U));
}

void ReportedFindings::place(State& state) {
  const auto rank = rank_of(state);
  if (rank == state.rank) return;
  auto& order = order_[rank];
  order.splice(order.end(), order_[state.rank], state.in_order);
  state.rank = rank;
}

void ReportedFindings::note_pending(State& state, Pending pending) noexcept {
  if (pending != Pending::kCertain) return;
  count(state, -1);
  state.pending = pending;
  count(state, 1);
}

bool ReportedFindings::is_left_over(const State& state, const Finding& finding, Instant now) noexcept {
  // The act that took the row out of the log may be lost.
  if (state.doubted) return false;
  if (state.state != FindingState::kQuarantined || finding.state == FindingState::kQuarantined) return false;
  if (state.duplicate_xid && finding.duplicate.xid) return *state.duplicate_xid == *finding.duplicate.xid;
  return now - state.reported < kViewAge;
}

bool ReportedFindings::admit_older(Finding& finding, Instant now) {
  finding.change = FindingChange::kNew;
  return add(finding, now) == Added::kNew;
}

bool ReportedFindings::restore(const Finding& finding) {
  if (add(finding, Instant{}) != Added::kNew) return false;
  const auto state = states_.find(finding.id);
  if (state != states_.end()) state->second.doubted = doubts_restored_;
  return true;
}

void ReportedFindings::doubt() {
  doubts_restored_ = true;
  round_.clear();
  for (auto& [id, state] : states_) state.doubted = true;
}

std::vector<std::uint64_t> ReportedFindings::take_doubted(const std::string& run_id, std::size_t count,
                                                          Instant before) {
  std::vector<std::uint64_t> out;
  const auto run = by_run_.find(run_id);
  if (run == by_run_.end()) return out;
  for (const auto id : run->second) {
    if (out.size() == count) break;
    auto& state = states_.at(id);
    if (!state.doubted || state.reported >= before) continue;
    state.doubted = false;
    out.push_back(id);
  }
  return out;
}

std::optional<Finding> ReportedFindings::find(std::uint64_t id) const {
  const auto state = states_.find(id);
  if (state == states_.end()) return std::nullopt;
  return rebuild(id, state->second);
}

bool ReportedFindings::is_settled(std::uint64_t id, Instant before) const {
  const auto state = states_.find(id);
  return state != states_.end() && state->second.reported < before;
}

std::vector<std::string> ReportedFindings::next_open_runs(std::size_t count, Instant before) {
  if (round_.empty()) {
    for (const auto& [run, ids] : by_run_) {
      const bool due = std::ranges::all_of(ids, [&](auto id) { return states_.at(id).reported < before; });
      const bool open = std::ranges::any_of(
          ids, [&](auto id) { return is_in_log(states_.at(id).state) || states_.at(id).doubted; });
      if (due && open) round_.push_back(run);
    }
  }
  const auto first = round_.size() - std::min(count, round_.size());
  std::vector<std::string> out(round_.begin() + static_cast<std::ptrdiff_t>(first), round_.end());
  round_.resize(first);
  return out;
}

std::unordered_set<std::uint64_t> ReportedFindings::fault_ids(std::span<const std::string> runs,
                                                              std::string_view table) const {
  std::unordered_set<std::uint64_t> out;
  for (const auto& run_id : runs) {
    const auto run = by_run_.find(run_id);
    if (run == by_run_.end()) continue;
    for (const auto id : run->second) {
      const auto& state = states_.at(id);
      const auto texts = texts_of(state);
      out.insert(fault_id(table, state.rule, run_id, texts.duplicate_id, texts.profile_rule));
    }
  }
  return out;
}

bool ReportedFindings::may_be_gone(const State& state) noexcept {
  // Rows of ended runs are deleted in good order, which says nothing about what was found in them.
  return is_in_log(state.state) || (state.doubted && state.state == FindingState::kRunEnded);
}

std::vector<Finding> ReportedFindings::missing(const std::string& run_id,
                                               std::span<const std::uint64_t> present, Instant before) const {
  std::vector<Finding> out;
  const auto run = by_run_.find(run_id);
  if (run == by_run_.end()) return out;
  std::vector<std::uint64_t> sorted(present.begin(), present.end());
  std::ranges::sort(sorted);
  for (const auto id : run->second) {
    const auto& state = states_.at(id);
    if (!may_be_gone(state) || state.reported >= before || std::ranges::binary_search(sorted, id)) continue;
    out.push_back(rebuild(id, state));
  }
  return out;
}

std::vector<ReportedFindings::DuplicateRow> ReportedFindings::duplicates(std::size_t count,
                                                                         Instant since) const {
  std::vector<DuplicateRow> out;
  for (const auto& [id, state] : states_) {
    if (out.size() == count) break;
    if (state.rule != Rule::kDuplicateCreated) continue;
    const auto texts = texts_of(state);
    if (std::ranges::count(kDeduplicatedTypes, texts.type) == 0) continue;
    const bool went = state.state == FindingState::kGone && state.reported >= since;
    if (!went && !is_in_log(state.state)) continue;
    out.push_back({.run_id = *state.run_id,
                   .canonical_id = std::string(texts.canonical_id),
                   .duplicate_id = std::string(texts.duplicate_id),
                   .after_close = state.after_close});
  }
  return out;
}

Finding ReportedFindings::rebuild(std::uint64_t id, const State& state) {
  Finding finding;
  finding.id = id;
  finding.rule = state.rule;
  finding.severity = state.severity;
  finding.shape = state.shape;
  finding.engine = state.engine;
  finding.engine_from = state.engine_from;
  finding.state = state.state;
  finding.pending = state.pending;
  finding.after_close = state.after_close;
  finding.run_id = *state.run_id;
  const auto texts = texts_of(state);
  finding.type = texts.type;
  finding.profile_rule = texts.profile_rule;
  for (Reader in(texts.identity); !in.rest().empty();) {
    if (in.byte() != 0) {
      finding.identity.emplace_back(in.text());
    } else {
      finding.identity.emplace_back(std::nullopt);
    }
  }
  finding.canonical.id = texts.canonical_id;
  finding.duplicate.id = texts.duplicate_id;
  finding.duplicate.xid = state.duplicate_xid;
  if (!texts.closing_id.empty())
    finding.closing =
        RowEvidence{.id = std::string(texts.closing_id), .xid = {}, .commit_lsn = {}, .commit_time = {}};
  return finding;
}

void ReportedFindings::count(const State& state, int difference) noexcept {
  if (state.state == FindingState::kAcknowledged) {
    acknowledged_[static_cast<std::size_t>(state.severity)] += static_cast<std::uint64_t>(difference);
  }
  if (state.state != FindingState::kOpen) return;
  open_[static_cast<std::size_t>(state.rule)][static_cast<std::size_t>(state.severity)] +=
      static_cast<std::uint64_t>(difference);
  if (state.pending == Pending::kMayReturn) {
    open_may_return_[static_cast<std::size_t>(state.rule)] += static_cast<std::uint64_t>(difference);
  }
}

void ReportedFindings::forget_one() {
  auto& order = *std::ranges::find_if_not(order_, &Ids::empty);
  const auto oldest = states_.find(order.front());
  const auto& state = oldest->second;
  if (state.state == FindingState::kOpen) ++forgotten_[static_cast<std::size_t>(state.severity)];
  // Its alert must not resolve because something else was seen.
  if (state.rank < 2) count(state, -1);
  bytes_ -= state.bytes();
  const auto run = by_run_.find(*state.run_id);
  run->second.erase(state.in_run);
  if (run->second.empty()) by_run_.erase(run);
  order.pop_front();
  told_.put(oldest->first, verdict_of(state.severity, state.state, state.after_close));
  states_.erase(oldest);
}

}  // namespace dupwatch::core
