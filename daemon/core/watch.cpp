#include "daemon/core/watch.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "daemon/core/planted.hpp"
#include "daemon/core/run_key.hpp"
#include "decoder/frame.hpp"

namespace dupwatch::core {
namespace {

// Indexes into Row::values, as watched_tables() orders them.
constexpr std::size_t kRunColumn = 0;
constexpr std::size_t kIdColumn = 1;
constexpr std::size_t kTypeColumn = 2;

bool has_text(const decoder::Value& value) noexcept {
  return value.kind == decoder::Value::Kind::kText;
}

/// An empty text names no run and no row, as a NULL does not.
bool is_named(const decoder::Value& value) noexcept {
  return has_text(value) && !value.text.empty();
}

}  // namespace

Watch::Watch(const Config& config, std::uint64_t seed)
    : profile_(config.profile),
      index_(config.index.memory_max_bytes, config.index.run_grace, seed),
      rules_(profile_, config.rules, index_.codec()),
      reporter_(config, counters_, seed),
      repeated_work_(profile_),
      witness_(seed),
      heartbeat_(config.heartbeat, seed),
      deferred_(seed) {}

std::vector<decoder::WatchedTable> Watch::watched_tables(const Profile& profile) {
  decoder::WatchedTable table{.schema = profile.schema, .name = profile.table, .columns = {}};
  table.columns = {profile.run_column, profile.id_column};
  if (!profile.type_column.empty()) table.columns.push_back(profile.type_column);
  table.columns.insert(table.columns.end(), profile.identity_columns.begin(), profile.identity_columns.end());
  table.columns.insert(table.columns.end(), profile.scope_columns.begin(), profile.scope_columns.end());
  return {std::move(table)};
}

void Watch::stream_started(decoder::Plugin plugin, decoder::Lsn from,
                           std::vector<std::string> bytea_columns) {
  auto tables = watched_tables(profile_);
  tables.front().bytea_columns = std::move(bytea_columns);
  decoder_ = decoder::make_decoder(plugin, std::move(tables));
  confirm_.stream_started(from);
  witness_.stream_started(from);
  received_ = from;
  bound_.reset();
  reply_requests_.stream_started();
}

void Watch::receive(std::span<const std::byte> copy_data, Instant now) {
  now_ = now;
  counters_.received_bytes += copy_data.size();
  const auto frame = decoder::decode_frame(copy_data);
  if (const auto* data = std::get_if<decoder::XLogData>(&frame)) {
    if (!is_possible(data->wal_start)) return;
    // A Relation message carries 0/0: the position never goes back.
    received_ = std::max(received_, data->wal_start);
    if (const auto error = decoder_->decode(data->payload, data->wal_start, *this)) {
      ++counters_.decode_errors[static_cast<std::size_t>(error->kind)];
      notice(Notice::Kind::kDecodeError, std::string(label(error->kind)) + " at byte " +
                                             std::to_string(error->offset) + ": " + error->detail);
    }
  } else if (const auto* keepalive = std::get_if<decoder::Keepalive>(&frame)) {
    if (keepalive->reply_requested) reply_requests_.asked(keepalive->sent);
    if (!is_possible(keepalive->wal_end)) return;
    received_ = std::max(received_, keepalive->wal_end);
    confirm_.keepalive(keepalive->wal_end);
  } else if (const auto* error = std::get_if<decoder::DecodeError>(&frame)) {
    ++counters_.decode_errors[static_cast<std::size_t>(error->kind)];
    notice(Notice::Kind::kDecodeError, "frame: " + error->detail);
  }
}

bool Watch::may_read() const noexcept {
  // Pending runs can't be evicted, so memory over its bound with read-backs outstanding waits for them.
  if (!judging_.empty() || deferred_.full()) return false;
  if (pending_runs_ == 0) return true;
  if (pending_runs_ >= kPendingRunsMax || index_.over_bound()) return false;
  return pending_runs_ < kReadBackRunsMax || index_.open_bytes() < index_.bytes_max() / kPendingShare;
}

void Watch::on_begin(const decoder::Begin& begin) {
  current_.transaction = begin;
  recent_commits_.note({.lsn = begin.commit_lsn, .time = begin.commit_time, .xid = begin.xid});
  confirm_.begin();
  if (profile_.order_watch) order_watch_.begin(begin);
}

void Watch::on_commit(const decoder::Commit& commit) {
  ++counters_.transactions;
  if (profile_.order_watch) order_watch_.commit();
  confirm_.commit(is_possible(commit.end_lsn) ? commit.end_lsn : received_, last_read_back());
  // Once for all rows of the transaction.
  if (judging_.due(now_) || deferred_.due(now_)) (void)judge_on(now_);
}

Watch::ListedType Watch::classify(std::string_view type,
                                  std::span<const decoder::Value> identity) const noexcept {
  const auto index = profile_.find_type(type);
  if (profile_.has_rules()) return {.index = index, .tracked = takes_part(profile_, type, identity)};
  if (!index) return {.index = std::nullopt, .tracked = profile_.unlisted_unique};
  const auto& listed = profile_.types[*index];
  return {.index = index,
          .tracked = listed.tracked(std::none_of(identity.begin(), identity.end(), has_text))};
}

std::optional<std::string_view> Watch::run_of(const decoder::Row& row) {
  const auto& run = row.values[kRunColumn];
  const auto scope = row.values.last(profile_.scope_columns.size());
  const auto lacks = [&](const std::string& column) {
    notice(Notice::Kind::kUnidentifiable, "a row without " + column);
    return std::optional<std::string_view>{};
  };
  if (!is_named(row.values[kIdColumn])) return lacks(profile_.id_column);
  if (!is_named(run)) return lacks(profile_.run_column);
  if (scope.empty()) return run.text;
  const auto missing = std::ranges::find_if_not(scope, has_text) - scope.begin();
  if (missing != std::ssize(scope)) return lacks(profile_.scope_columns[static_cast<std::size_t>(missing)]);
  write_run_key(current_.run_key, scope, run.text);
  return std::string_view{current_.run_key};
}

void Watch::on_insert(const decoder::Row& row) {
  const bool typed = !profile_.type_column.empty();
  const auto& id = row.values[kIdColumn];
  const auto type = typed ? row.values[kTypeColumn].text : std::string_view{};
  const auto identity =
      row.values.subspan(typed ? kTypeColumn + 1 : kTypeColumn, profile_.identity_columns.size());
  if (profile_.order_watch && is_named(id)) order_watch_.row(id.text);
  const auto listed = classify(type, identity);
  ++counters_.events_by_type[listed.index ? *listed.index : Profile::kTypesMax];
  if (!listed.tracked) return;
  const auto run = run_of(row);
  if (!run) return;
  auto event = make_event_row(profile_, listed.index, type);
  event.run_id = *run;
  event.id = id.text;
  event.identity = identity;
  event.commit = {.lsn = current_.transaction.commit_lsn,
                  .time = current_.transaction.commit_time,
                  .xid = current_.transaction.xid};
  witness_.streamed(*run, id.text, current_.transaction.xid, current_.transaction.commit_lsn, now_);
  if (profile_.has_rules()) {
    add_streamed_parts(event);
  } else {
    add_streamed(event);
  }
}

void Watch::add_streamed(const EventRow& row) {
  const auto known = index_.find(row.run_id);
  if (deferred_.holds(row.run_id)) return defer(known, row);
  if (known != RunIndex::kNone) {
    if (add_quietly(known, row)) return;
    if (index_.is_costly(known)) return defer(known, row);
  }
  add_opened(known, row);
}

void Watch::add_opened(RunIndex::Handle known, const EventRow& row) {
  const auto handle = open_or_request(known, row.run_id);
  const auto greatest = index_.log(handle).greatest();
  const auto added = index_.add_row(handle, row);
  if (row.ends_run) index_.end_run(handle, now_);
  if (row.streamed && (!added.known || added.newly_streamed)) judge_arrival(handle, added.row);
  if (added.known && !added.written_again) {
    ++counters_.redeliveries;
    return;
  }
  if (index_.pending(handle)) return;  // judged when the read-back is in
  if (!added.known) {
    observe_order(handle, greatest, added.row);
    observe_slots(handle);
    repeated_work_.arrived(index_.log(handle), added.row, row.run_id, index_.codec(), now_);
  }
  const bool all = rules_.judge_row(index_.log(handle), added.row, current_.verdicts);
  report_verdicts(handle, Origin::kStream);
  if (profile_.has_rules()) note_doubt(handle, added.row);
  if (!all) owe(handle);
  if (index_.over_bound()) index_.evict(now_);
}

bool Watch::add_quietly(RunIndex::Handle run, const EventRow& row) {
  const auto view = index_.peek(run, row);
  if (view && view->known) {
    index_.redelivered(run);
    ++counters_.redeliveries;
    return true;
  }
  if (!view || !rules_.is_quiet(row.type, view->seen, view->repeated) ||
      repeated_work_.wants(row.type, view->seen, view->repeated)) {
    return false;
  }
  index_.append(run, *view);
  if (profile_.slot_ids) {
    // It sorts behind all rows of the run, which are of its scheme.
    if (const auto slot = slot_of(row.id)) late_.slots.note(row.run_id, index_.rows_of(run), *slot, now_);
  }
  if (index_.over_bound()) index_.evict(now_);
  return true;
}

RunIndex::Handle Watch::open_or_request(RunIndex::Handle known, std::string_view run_id) {
  if (known != RunIndex::kNone) {
    index_.touch(known);
    return known;
  }
  const auto handle = index_.insert_pending(run_id);
  request(handle);
  return handle;
}

void Watch::request(RunIndex::Handle run) {
  read_backs_.add(run);
  ++pending_runs_;
}

std::optional<ReadBack> Watch::next_read_back() {
  const auto* runs = read_backs_.send();
  if (runs == nullptr) return std::nullopt;
  ReadBack batch{.number = read_backs_.first(), .run_ids = {}};
  batch.run_ids.reserve(runs->size());
  for (const auto run : *runs) batch.run_ids.push_back(index_.run_id(run));
  ++counters_.read_backs;
  counters_.read_back_runs += runs->size();
  return batch;
}

void Watch::table_row(std::string_view run_id, std::string_view id, std::string_view type,
                      std::span<const decoder::Value> identity, decoder::Xid xid, Instant now) {
  if (run_id.empty() || id.empty() || !classify(type, identity).tracked) return;
  witness_.seen(run_id, id, xid, now);
}

void Watch::read_back_row(std::string_view run_id, std::string_view id, std::string_view type,
                          std::span<const decoder::Value> identity, const CommitInfo& commit, Instant now,
                          int spec) {
  ++counters_.read_back_rows;
  if (!read_backs_.expects_rows()) return;  // of a history that is forgotten
  if (id.empty()) return;
  const auto handle = index_.find(run_id);
  // Not asked for: the server's answer can't make us hold a run, nor add to one a row that nobody would
  // judge.
  if (handle == RunIndex::kNone || !index_.pending(handle)) return;
  const auto listed = classify(type, identity);
  if (!listed.tracked) return;
  auto event = make_event_row(profile_, listed.index, type);
  event.run_id = run_id;
  event.id = id;
  event.identity = identity;
  event.commit = commit;
  witness_.seen(run_id, id, commit.xid, now);
  if (profile_.has_rules()) {
    for_each_part(profile_, event, [&](const EventRow& part) { (void)index_.add_row(handle, part); });
    return;
  }
  const auto added = index_.add_row(handle, event);
  index_.shown(handle, added.row, engine_of_spec(spec));
  if (event.ends_run) index_.end_run(handle, now);
}

void Watch::read_back_done() {
  auto batch = read_backs_.answered();
  if (!batch) return;
  auto& runs = batch->runs;
  if (rules_.is_by_run()) std::erase_if(runs, [this](auto run) { return ask_again(run); });
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const bool unseen = rules_.is_by_run() && !index_.log(runs[i]).is_shown();
    judging_.add({.run = runs[i],
                  .origin = Origin::kReadBack,
                  .read_back = batch->number,
                  .last = i + 1 == runs.size(),
                  .doubtful = batch->doubtful || unseen});
  }
  if (runs.empty()) confirm_.read_back_done(batch->number);
  (void)judge_on(now_);
}

void Watch::read_back_failed() noexcept {
  ++counters_.read_back_failures;
  read_backs_.failed();
}

void Watch::quarantined(std::uint64_t finding_id, Instant now) {
  // The row in memory is gone from the table: the next event of the run reads it again.
  if (const auto run_id = reporter_.report_quarantined(finding_id, now)) index_.forget(*run_id);
}

std::vector<Finding> Watch::take_findings() {
  confirm_.findings_taken();
  return reporter_.take();
}

std::vector<Notice> Watch::take_notices() {
  return std::exchange(notices_, {});
}

void Watch::notice(Notice::Kind kind, std::string detail) {
  if (notices_.size() < kNoticesMax) {
    notices_.push_back(Notice{.kind = kind, .lsn = received_, .detail = std::move(detail)});
  }
}

// The publication publishes inserts and truncates, and wal2json is asked for them; a foreign
// publication may send more. Neither an update nor a delete can make a second row of an identity appear.
void Watch::on_update(const decoder::Row& /*row*/) {}
void Watch::on_delete(const decoder::Row& /*row*/) {}

void Watch::on_truncate(std::size_t /*table*/) {
  ++counters_.truncates;
  while (add_deferred()) continue;
  while (!judging_.empty()) (void)judge_on(now_);
  index_.clear_complete();
  // Their rows are gone, and a read-back that is under way may bring them still.
  index_.clear_pending();
  read_backs_.discard();
  witness_.excuse();
  late_.clear();
  notice(Notice::Kind::kTruncated, profile_.qualified_name());
}

// It is no part of a transaction that is judged, so it moves no position.
void Watch::on_message(const decoder::Message& message) {
  if (message.content.starts_with(kLookRequest)) {
    // Whoever may write a message may ask: it costs a look at the table, which alone decides.
    if (look_requests_.size() < kLookRequestsMax)
      look_requests_.emplace_back(message.content.substr(kLookRequest.size()));
    return;
  }
  (void)heartbeat_.returned(message.content, now_);
}

void Watch::on_relation(std::size_t /*table*/, std::uint32_t relation_oid, std::string_view missing) {
  relation_oid_ = relation_oid;
  ++counters_.relations;
  if (!missing.empty()) notice(Notice::Kind::kColumnsMissing, std::string(missing));
}

}  // namespace dupwatch::core
